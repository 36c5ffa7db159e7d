// SPDX-License-Identifier: GPL-2.0-only
/* What an open device file has of its network namespace. */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "door.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"

/**
 * natflow_door_net_init() - open the door of a namespace
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_door_net_init(struct natflow_net *nn)
{
	struct natflow_door *door = kzalloc(sizeof(*door), GFP_KERNEL_ACCOUNT);

	if (!door)
		return -ENOMEM;
	refcount_set(&door->ref, 1);
	mutex_init(&door->lock);
	init_waitqueue_head(&door->wait);
	door->nn = nn;
	nn->door = door;
	return 0;
}

/**
 * natflow_door_net_exit() - shut it; no open file reaches @nn from here on
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_door_net_exit(struct natflow_net *nn)
{
	struct natflow_door *door = nn->door;

	mutex_lock(&door->lock);
	door->nn = NULL;
	mutex_unlock(&door->lock);
	wake_up_interruptible_poll(&door->wait, EPOLLHUP | EPOLLERR);
	natflow_door_put(door);
}

/**
 * natflow_door_get() - the door of the caller's namespace, for a file
 *
 * Return: the door with a reference, or -EPERM.
 */
struct natflow_door *natflow_door_get(void)
{
	struct net *net = current->nsproxy->net_ns;
	struct natflow_door *door = natflow_net(net)->door;

	if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	refcount_inc(&door->ref);
	return door;
}

/**
 * natflow_door_put() - a file or the namespace lets go of it
 * @door: door
 */
void natflow_door_put(struct natflow_door *door)
{
	if (refcount_dec_and_test(&door->ref))
		kfree(door);
}

/**
 * natflow_door_gone() - a file is used whose namespace is gone
 * @name: of the device
 *
 * Its log went with it: the caller's own namespace has the sentence. A process
 * that exits has left its namespaces before its files are closed
 * (kernel/exit.c:do_exit()).
 *
 * Context: process.
 * Return: -ENODEV.
 */
int natflow_door_gone(const char *name)
{
	if (current->nsproxy)
		natflow_log_once(natflow_net(current->nsproxy->net_ns), NATFLOW_LOG_ERROR,
				 "%s: expected a network namespace that is there; open it again",
				 name);
	return -ENODEV;
}
