// SPDX-License-Identifier: GPL-2.0-only
/* The files of all queues: read, write, poll, and their coming and going. */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "door.h"
#include "queue.h"

static struct natflow_queue * const queues[] = {
#ifndef NATFLOW_WITHOUT_NAMES
	&natflow_queue_urls,
#endif
	&natflow_queue_users,
};

static struct natflow_queue *queue_of(struct miscdevice *misc)
{
	return container_of(misc, struct natflow_queue, misc);
}

/* -- read */

/* The next record, in file->record. Return: its length, 0 if there is none, or an errno. */
static int next_record(struct natflow_queue_file *file, size_t room)
{
	const struct natflow_queue *queue = file->queue;
	struct natflow_ring_record *record;
	struct natflow_ring *ring;
	struct natflow_net *nn;
	int len = -ENODEV;

	nn = natflow_file_enter(&file->file);
	if (nn) {
		ring = queue->ring(nn);
		spin_lock_bh(&ring->lock);
		record = queue->next(file, nn);
		len = record ? queue->encode(file, nn, record) : 0;
		if (record && len <= room)
			queue->pass(file, nn, record);
		spin_unlock_bh(&ring->lock);
	}
	natflow_file_leave(&file->file);
	return len < 0 || len <= room ? len : -EMSGSIZE;
}

/* Logged once, because a reader may repeat such a read for ever. */
static void complain_room(struct natflow_queue_file *file, size_t room)
{
	struct natflow_net *nn = natflow_file_enter(&file->file);

	if (nn)
		natflow_log_once(nn, NATFLOW_LOG_ERROR,
				 "%s: a read of %zu bytes: expected at least %zu, as in: 65536",
				 file->queue->misc.name, room, sizeof(file->record));
	natflow_file_leave(&file->file);
}

/* The door's lock is not held while user memory is written. */
static ssize_t queue_read(struct file *filp, char __user *user, size_t room, loff_t *pos)
{
	struct natflow_queue_file *file = filp->private_data;
	size_t done = 0;
	int len;

	mutex_lock(&file->file.lock);
	while ((len = next_record(file, room - done)) > 0) {
		if (copy_to_user(user + done, file->record, len)) {
			len = -EFAULT;
			break;
		}
		done += len;
		cond_resched();
	}
	mutex_unlock(&file->file.lock);
	if (len == -EFAULT)
		return len;
	if (!done && len == -EMSGSIZE)
		complain_room(file, room);
	/* A record that does not fit behind others comes first next time. */
	return done ? done : len == -EMSGSIZE ? -EINVAL : len;
}

/* -- write */

static int set_version(struct natflow_queue_file *file, const char *value)
{
	u8 version;

	if (kstrtou8(value, 10, &version) ||
	    (version != file->queue->version && version != file->queue->newer))
		return -ENOENT;
	file->version = version;
	return 0;
}

/*
 * "cache=N" is what readers of the original begin with; it kept nothing without,
 * and N records then. Here only "cache=0" means something: what has come so far
 * is not wanted.
 */
static int set_cache(struct natflow_queue_file *file, struct natflow_net *nn, const char *value)
{
	unsigned int n;

	if (kstrtouint(value, 10, &n)) {
		natflow_log(nn, NATFLOW_LOG_ERROR, "%s: '%*pE': expected %s",
			    file->queue->misc.name, (int)strlen(value), value,
			    "0 to 4294967295, as in: cache=0");
		return -EINVAL;
	}
	if (!n)
		file->queue->begin(file, nn, false);
	return 0;
}

static int command(struct natflow_queue_file *file, struct natflow_net *nn, const char *line)
{
	int err = -ENOENT;

	if (!strncmp(line, "cache=", 6))
		return set_cache(file, nn, line + 6);
	if (!strncmp(line, "records=", 8)) {
		err = set_version(file, line + 8);
	} else if (!strcmp(line, "from=oldest")) {
		file->queue->begin(file, nn, true);
		err = 0;
	} else {
		err = file->queue->command(file, nn, line);
	}
	if (err != -ENOENT)
		return err;
	natflow_log(nn, NATFLOW_LOG_ERROR, "%s: '%*pE': expected %s, as in: records=%u",
		    file->queue->misc.name, (int)strlen(line), line, file->queue->lines,
		    file->queue->newer);
	return -EINVAL;
}

static int commands(struct natflow_queue_file *file, struct natflow_net *nn, char *text,
		    size_t len)
{
	char *line;
	int err = 0;

	if (!nn)
		return natflow_door_gone(file->queue->misc.name);
	if (strlen(text) != len) {
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    "%s: expected at most 63 printable bytes a write, as in: records=%u",
			    file->queue->misc.name, file->queue->newer);
		return -EINVAL;
	}
	while (!err && (line = strsep(&text, "\n")))
		if (*line)
			err = command(file, nn, line);
	return err;
}

static ssize_t queue_write(struct file *filp, const char __user *user, size_t len, loff_t *pos)
{
	struct natflow_queue_file *file = filp->private_data;
	char text[64];
	int err;

	if (copy_from_user(text, user, min(len, sizeof(text) - 1)))
		return -EFAULT;
	/* If the write is longer, strlen() of this differs from @len. */
	text[min(len, sizeof(text) - 1)] = '\0';
	mutex_lock(&file->file.lock);
	err = commands(file, natflow_file_enter(&file->file), text, len);
	natflow_file_leave(&file->file);
	mutex_unlock(&file->file.lock);
	return err ?: len;
}

/* -- poll */

static __poll_t ready_events(struct natflow_file *base, struct natflow_net *nn)
{
	struct natflow_queue_file *file = container_of(base, struct natflow_queue_file, file);
	struct natflow_ring *ring = file->queue->ring(nn);
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	spin_lock_bh(&ring->lock);
	if (file->queue->next(file, nn))
		events |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_bh(&ring->lock);
	return events;
}

static __poll_t queue_poll(struct file *filp, poll_table *table)
{
	struct natflow_queue_file *file = filp->private_data;
	__poll_t events;

	mutex_lock(&file->file.lock);
	events = natflow_file_poll(&file->file, filp, table, ready_events);
	mutex_unlock(&file->file.lock);
	return events;
}

/* -- open and close */

static int queue_open(struct inode *inode, struct file *filp)
{
	const struct natflow_queue *queue = queue_of(filp->private_data);
	struct natflow_queue_file *file = natflow_file_alloc(queue->size);
	struct natflow_net *nn;

	if (IS_ERR(file))
		return PTR_ERR(file);
	file->queue = queue;
	file->version = queue->version;
	nn = natflow_file_enter(&file->file);
	if (nn && queue->open)
		queue->open(nn);
	if (nn)
		queue->begin(file, nn, false);
	natflow_file_leave(&file->file);
	if (!nn) {
		natflow_file_free(&file->file);
		return -ENODEV;
	}
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int queue_release(struct inode *inode, struct file *filp)
{
	struct natflow_queue_file *file = filp->private_data;
	struct natflow_net *nn = natflow_file_enter(&file->file);

	if (nn && file->queue->close)
		file->queue->close(nn);
	natflow_file_leave(&file->file);
	natflow_file_free(&file->file);
	return 0;
}

const struct file_operations natflow_queue_fops = {
	.owner		= THIS_MODULE,
	.open		= queue_open,
	.read		= queue_read,
	.write		= queue_write,
	.poll		= queue_poll,
	.release	= queue_release,
};

/* -- on and off */

/**
 * natflow_queue_net_init() - let the rings wake the namespace's open files
 * @nn: namespace with a door
 *
 * Return: 0.
 */
int natflow_queue_net_init(struct natflow_net *nn)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		natflow_ring_set_wait(queues[i]->ring(nn), &nn->door->wait);
	return 0;
}

/**
 * natflow_queue_net_exit() - the reverse, before the door is shut
 * @nn: namespace
 *
 * Context: process.
 */
void natflow_queue_net_exit(struct natflow_net *nn)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		natflow_ring_set_wait(queues[i]->ring(nn), NULL);
}

static void deregister(unsigned int n)
{
	while (n--)
		misc_deregister(&queues[n]->misc);
}

/**
 * natflow_queue_init() - make the devices
 *
 * Return: 0 or an errno; then there is none.
 */
int __init natflow_queue_init(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(queues) && !err; i++)
		err = misc_register(&queues[i]->misc);
	if (err)
		deregister(i - 1);
	return err;
}

/**
 * natflow_queue_exit() - take them away; open files pin the module, so there are none
 */
void natflow_queue_exit(void)
{
	deregister(ARRAY_SIZE(queues));
}
