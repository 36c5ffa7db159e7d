// SPDX-License-Identifier: GPL-2.0-only
/* An open file of a device in /dev: the part that every device has. */
#include <linux/err.h>
#include <linux/slab.h>
#include "door.h"
#include "file.h"

/**
 * natflow_file_alloc() - allocate what a device keeps for an open file
 * @size: bytes of the device's struct, whose first member is struct natflow_file
 *
 * The file belongs to the network namespace of the caller.
 *
 * Context: process, may sleep.
 * Return: zeroed memory with the first member initialised, or an error pointer:
 * -EPERM without CAP_NET_ADMIN, -ENOMEM.
 */
void *natflow_file_alloc(size_t size)
{
	struct natflow_door *door = natflow_door_get();
	struct natflow_file *file;

	if (IS_ERR(door))
		return door;
	file = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!file) {
		natflow_door_put(door);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&file->lock);
	file->door = door;
	return file;
}

/**
 * natflow_file_free() - free what natflow_file_alloc() returned
 * @file: file
 */
void natflow_file_free(struct natflow_file *file)
{
	natflow_door_put(file->door);
	kfree(file);
}

/**
 * natflow_file_enter() - take the door's lock
 * @file: file
 *
 * Context: process, may sleep. The caller must call natflow_file_leave(), also
 * if the namespace is gone.
 * Return: the namespace, alive until natflow_file_leave(), or NULL if it is gone.
 */
struct natflow_net *natflow_file_enter(struct natflow_file *file)
{
	mutex_lock(&file->door->lock);
	return file->door->nn;
}

/**
 * natflow_file_leave() - release the door's lock
 * @file: file
 */
void natflow_file_leave(struct natflow_file *file)
{
	mutex_unlock(&file->door->lock);
}

/**
 * natflow_file_poll() - the poll operation of a device
 * @file: file
 * @filp: its struct file
 * @table: of the caller
 * @events: returns the events of a file whose namespace is alive; called with
 *	the door's lock held
 *
 * Context: process, may sleep.
 * Return: events; EPOLLHUP and EPOLLERR if the namespace is gone.
 */
__poll_t natflow_file_poll(struct natflow_file *file, struct file *filp, poll_table *table,
			   __poll_t (*events)(struct natflow_file *file, struct natflow_net *nn))
{
	struct natflow_net *nn;
	__poll_t ready;

	poll_wait(filp, &file->door->wait, table);
	nn = natflow_file_enter(file);
	ready = nn ? events(file, nn) : EPOLLHUP | EPOLLERR;
	natflow_file_leave(file);
	return ready;
}
