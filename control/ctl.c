// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/natflow_ctl: lines in, settings out, for the network namespace of
 * whoever opened it.
 *
 * An open file does not keep its namespace alive. It holds a door; when the
 * namespace goes, the door is shut and every call answers -ENODEV.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "ctl.h"
#include "settings.h"
#include "../core/log.h"
#include "../core/netns.h"
#include "../lib/command.h"

struct natflow_door {
	refcount_t ref;		/* the namespace and every open file */
	struct mutex lock;	/* outside natflow_net.lock and RTNL */
	struct natflow_net *nn;	/* NULL once shut; under @lock */
	wait_queue_head_t wait;
};

struct ctl_file {
	struct natflow_door *door;
	struct mutex lock;	/* one writer at a time, so that lines stay whole */
	struct natflow_line line;
	struct natflow_command *held;	/* between begin and commit, else NULL */
	unsigned int held_count;
	bool spoiled;			/* one of them was refused */
};

#define HELD_MAX 256	/* lines of a transaction */

static void door_put(struct natflow_door *door)
{
	if (refcount_dec_and_test(&door->ref))
		kfree(door);
}

/**
 * natflow_ctl_net_init() - open the door of a namespace
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_ctl_net_init(struct natflow_net *nn)
{
	struct natflow_door *door = kzalloc(sizeof(*door), GFP_KERNEL);

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
 * natflow_ctl_net_exit() - shut it; no open file reaches @nn from here on
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_ctl_net_exit(struct natflow_net *nn)
{
	struct natflow_door *door = nn->door;

	mutex_lock(&door->lock);
	door->nn = NULL;
	mutex_unlock(&door->lock);
	wake_up_interruptible_poll(&door->wait, EPOLLHUP | EPOLLERR);
	door_put(door);
}

static void drop_held(struct ctl_file *file)
{
	kvfree(file->held);
	file->held = NULL;
}

static int begin(struct ctl_file *file)
{
	if (file->held)
		return -EBUSY;
	file->held = kvmalloc_array(HELD_MAX, sizeof(*file->held), GFP_KERNEL);
	file->held_count = 0;
	file->spoiled = false;
	return file->held ? 0 : -ENOMEM;
}

static int commit(struct ctl_file *file)
{
	int err;

	if (!file->held)
		return -ENOENT;
	err = file->spoiled ? -ECANCELED :
		natflow_settings_apply(file->door->nn, file->held, file->held_count);
	drop_held(file);
	return err;
}

static int hold(struct ctl_file *file, const struct natflow_command *cmd)
{
	if (file->held_count == HELD_MAX)
		return -E2BIG;
	file->held[file->held_count++] = *cmd;
	return 0;
}

/* Context: the door's lock held, its namespace alive. */
static int run_command(struct ctl_file *file, const struct natflow_command *cmd)
{
	if (cmd->verb == NATFLOW_CMD_BEGIN)
		return begin(file);
	if (cmd->verb == NATFLOW_CMD_COMMIT)
		return commit(file);
	if (cmd->verb == NATFLOW_CMD_NONE)
		return 0;
	if (file->held)
		return hold(file, cmd);
	return natflow_settings_apply(file->door->nn, cmd, 1);
}

/* One whole line, or one that was not fit to be one. */
static int run_line(struct ctl_file *file, int complete)
{
	struct natflow_net *nn = file->door->nn;
	struct natflow_line *line = &file->line;
	struct natflow_command cmd;
	int err = complete < 0 ? complete : natflow_command_parse(line->text, &cmd);

	if (complete < 0) {
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    "natflow_ctl line %u: expected at most %u printable bytes",
			    line->number, NATFLOW_LINE_MAX - 1);
	} else if (err) {
		natflow_log(nn, NATFLOW_LOG_ERROR, "natflow_ctl line %u: '%.40s': expected %s",
			    line->number, cmd.word, cmd.expected);
	} else {
		err = run_command(file, &cmd);
		if (err)
			natflow_log(nn, NATFLOW_LOG_ERROR,
				    "natflow_ctl line %u: not applied, error %d",
				    line->number, err);
	}
	if (err)
		file->spoiled = true;
	return err;
}

static int feed(struct ctl_file *file, const char *text, size_t len)
{
	size_t i;
	int err = 0;

	mutex_lock(&file->door->lock);
	if (!file->door->nn)
		err = -ENODEV;
	for (i = 0; i < len && !err; i++) {
		int complete = natflow_line_push(&file->line, text[i]);

		if (complete)
			err = run_line(file, complete);
	}
	mutex_unlock(&file->door->lock);
	return err;
}

/*
 * A write may hold many lines or a part of one. The first line that fails ends
 * it with its error: lines before it are in force, it and those behind are not.
 * Between begin and commit nothing is in force, and commit fails if a line did.
 */
static ssize_t ctl_write(struct file *filp, const char __user *user, size_t len, loff_t *pos)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;
	char chunk[256];
	size_t done = 0;
	int err = 0;

	mutex_lock(&file->lock);
	while (done < len && !err) {
		size_t n = min(len - done, sizeof(chunk));

		if (copy_from_user(chunk, user + done, n))
			err = -EFAULT;
		else
			err = feed(file, chunk, n);
		done += n;
		cond_resched();
		if (!err && signal_pending(current) && done < len)
			break;
	}
	mutex_unlock(&file->lock);
	return err ?: done;
}

static int ctl_show(struct seq_file *m, void *v)
{
	struct ctl_file *file = m->private;
	int err = 0;

	mutex_lock(&file->door->lock);
	if (file->door->nn)
		natflow_settings_show(file->door->nn, m);
	else
		err = -ENODEV;
	mutex_unlock(&file->door->lock);
	return err;
}

static __poll_t ctl_poll(struct file *filp, poll_table *table)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;
	__poll_t events = EPOLLIN | EPOLLOUT;

	poll_wait(filp, &file->door->wait, table);
	mutex_lock(&file->door->lock);
	if (!file->door->nn)
		events = EPOLLHUP | EPOLLERR;
	mutex_unlock(&file->door->lock);
	return events;
}

static int ctl_open(struct inode *inode, struct file *filp)
{
	struct net *net = current->nsproxy->net_ns;
	struct natflow_door *door = natflow_net(net)->door;
	struct ctl_file *file;
	int err;

	if (!ns_capable(net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	refcount_inc(&door->ref);
	file->door = door;
	/* misc_open() left its own pointer there, which single_open() would take for a seq_file. */
	filp->private_data = NULL;
	err = single_open(filp, ctl_show, file);
	if (err) {
		door_put(door);
		kfree(file);
	}
	return err;
}

static int ctl_release(struct inode *inode, struct file *filp)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;

	/* echo -n: the end of the file ends its last line; what it says wrong is in the log. */
	if (file->line.len || file->line.bad)
		feed(file, "\n", 1);
	drop_held(file);	/* never committed */
	door_put(file->door);
	kfree(file);
	return single_release(inode, filp);
}

static const struct file_operations ctl_fops = {
	.owner		= THIS_MODULE,
	.open		= ctl_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.write		= ctl_write,
	.poll		= ctl_poll,
	.release	= ctl_release,
};

static struct miscdevice ctl_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "natflow_ctl",
	.fops	= &ctl_fops,
	.mode	= 0600,
};

/**
 * natflow_ctl_init() - make the devices
 *
 * Return: 0 or an errno.
 */
int __init natflow_ctl_init(void)
{
	return misc_register(&ctl_device);
}

/**
 * natflow_ctl_exit() - take them away; open files pin the module, so there are none
 */
void natflow_ctl_exit(void)
{
	misc_deregister(&ctl_device);
}
