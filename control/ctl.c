// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that take lines and print settings, for the network namespace in which
 * they were opened. What the lines do is in the devices' verbs, see verb.h.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include "ctl.h"
#include "door.h"
#include "file.h"
#include "transaction.h"
#include "verb.h"
#include "../core/base/attach.h"
#include "../core/base/log.h"

static struct natflow_device * const devices[] = {
	&natflow_ctl_device,
#ifndef NATFLOW_WITHOUT_NAMES
	&natflow_hostacl_device,
#endif
	&natflow_zone_device,
	&natflow_userinfo_device,
	&natflow_user_device,
	&natflow_qos_device,
};

struct ctl_file {
	struct natflow_file file;	/* its lock keeps writers apart, so that lines stay whole */
	const struct natflow_device *device;
	struct natflow_net *nn;		/* while the door's lock is held */
	struct natflow_line line;
	struct natflow_command cmd;	/* the line being run; too large for the stack */
	bool holding;			/* between begin and commit */
	struct natflow_held held;
	u32 spoiled;			/* number of the first line that was refused, 0: none */
	struct natflow_body *body;	/* takes the text that follows, else NULL */
	const char *end;		/* line that may still come for a body that was refused */
};

/**
 * natflow_ctl_device_named() - a device that takes lines
 * @name: in /dev
 *
 * Return: NULL if there is none.
 */
const struct natflow_device *natflow_ctl_device_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if (!strcmp(devices[i]->misc.name, name))
			return devices[i];
	return NULL;
}

/**
 * natflow_ctl_complain() - log why a line is refused
 * @nn: namespace
 * @device: whose line it is
 * @cmd: line
 *
 * Every refusal is one sentence: the line, the word, what was expected, an example.
 *
 * Context: process, the door's lock held.
 */
void natflow_ctl_complain(struct natflow_net *nn, const struct natflow_device *device,
			  const struct natflow_command *cmd)
{
	const char *name = device->misc.name;

	if (cmd->absent)
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    "%s line %u: '%.40s' is of the original natflow: %s",
			    name, cmd->line, cmd->word, cmd->expected);
	else
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    "%s line %u: '%.40s': expected %s, as in: %s",
			    name, cmd->line, cmd->word, cmd->expected, cmd->example);
}

static void complain(const struct ctl_file *file, const struct natflow_command *cmd)
{
	natflow_ctl_complain(file->nn, file->device, cmd);
}

/*
 * Log why a line failed: @cmd says what was expected, or memory was short.
 * Return: @err.
 */
static int failed(struct ctl_file *file, const struct natflow_command *cmd, u32 line, int err)
{
	if (err && cmd->expected)
		complain(file, cmd);
	else if (err)
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s line %u: no memory, nothing was changed; write it again",
			    file->device->misc.name, line);
	return err;
}

/* The line was parsed and is not possible. Return: @err. */
static int refuse(struct ctl_file *file, const char *expected, const char *example, int err)
{
	natflow_command_refuse(&file->cmd, expected, example, err);
	complain(file, &file->cmd);
	return err;
}

static int begin_holding(struct ctl_file *file)
{
	if (file->holding)
		return refuse(file, "commit before another begin", "commit", -EBUSY);
	file->holding = true;
	file->spoiled = 0;
	return 0;
}

static void drop_held(struct ctl_file *file)
{
	natflow_held_drop(&file->held);
	file->holding = false;
}

static int commit_held(struct ctl_file *file)
{
	struct natflow_command *cmd = &file->cmd;
	const u32 number = cmd->line;
	char text[80];
	int err;

	if (!file->holding)
		return refuse(file, "begin before it", "begin", -ENOENT);
	if (file->spoiled) {
		snprintf(text, sizeof(text), "line %u to be right, nothing was changed; all again",
			 file->spoiled);
		err = refuse(file, text, "begin", -ECANCELED);
	} else {
		err = natflow_held_run(&file->held, &file->device->grammar, file->nn, cmd);
		failed(file, cmd, number, err);
	}
	drop_held(file);
	return err;
}

static int hold(struct ctl_file *file)
{
	struct natflow_command *cmd = &file->cmd;
	int err = natflow_held_add(&file->held, file->line.text, cmd->line);

	if (err == -E2BIG)
		return refuse(file, "at most 2048 lines between begin and commit", "commit", err);
	return failed(file, cmd, cmd->line, err);
}

static int begin_body(struct ctl_file *file)
{
	struct natflow_command *cmd = &file->cmd;
	const struct natflow_verb_ops *ops = cmd->verb->ops;
	struct natflow_body *body;

	if (file->holding)
		return refuse(file, ops->no_transaction, "commit", -EBUSY);
	body = ops->body(file->nn, cmd);
	if (IS_ERR(body))
		return failed(file, cmd, cmd->line, PTR_ERR(body));
	file->body = body;
	return 0;
}

static void drop_body(struct ctl_file *file)
{
	if (file->body)
		file->body->ops->free(file->body);
	file->body = NULL;
}

/* Pass text to the body. Return: the bytes it consumed, or an errno. */
static ssize_t feed_body(struct ctl_file *file, const char *text, size_t len)
{
	const struct natflow_body_ops *ops = file->body->ops;
	bool done = false;
	ssize_t used = ops->feed(file->body, file->nn, text, len, &done);

	if (used >= 0 && !done)
		return used;
	file->end = used < 0 ? ops->end : NULL;
	drop_body(file);
	return used;
}

/* Context: the door's lock held, its namespace alive. */
static int run_command(struct ctl_file *file)
{
	struct natflow_command *cmd = &file->cmd;

	if (!cmd->verb)
		return 0;
	if (cmd->verb == &natflow_verb_begin)
		return begin_holding(file);
	if (cmd->verb == &natflow_verb_commit)
		return commit_held(file);
	if (cmd->body)
		return begin_body(file);
	if (file->holding)
		return hold(file);
	return failed(file, cmd, cmd->line, natflow_command_run(file->nn, cmd));
}

/* Run one line. @complete is an errno if the line was too long or not text. */
static int run_line(struct ctl_file *file, int complete)
{
	struct natflow_line *line = &file->line;
	struct natflow_command *cmd = &file->cmd;
	int err = complete;

	if (file->end && !strcmp(line->text, file->end))
		return -ECANCELED;	/* the log already says why */
	if (complete < 0) {
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s line %u: expected at most %u printable bytes, as in: # a comment",
			    file->device->misc.name, line->number, NATFLOW_LINE_MAX - 1);
	} else {
		err = natflow_command_parse(&file->device->grammar, line->text, cmd);
		cmd->line = line->number;
		if (err)
			complain(file, cmd);
		else
			err = run_command(file);
	}
	if (err && !file->spoiled)
		file->spoiled = line->number;
	return err;
}

static int feed(struct ctl_file *file, const char *text, size_t len)
{
	size_t i;
	int err = 0;

	natflow_words_hold();
	file->nn = natflow_file_enter(&file->file);
	if (!file->nn)
		err = natflow_door_gone(file->device->misc.name);
	for (i = 0; i < len && !err; ) {
		if (file->body) {
			ssize_t used = feed_body(file, text + i, len - i);

			err = min_t(ssize_t, used, 0);
			i += max_t(ssize_t, used, 0);
		} else {
			int complete = natflow_line_push(&file->line, text[i++]);

			if (complete)
				err = run_line(file, complete);
		}
	}
	if (file->nn)
		natflow_attach_settle(file->nn);
	natflow_file_leave(&file->file);
	natflow_words_release();
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

	mutex_lock(&file->file.lock);
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
	mutex_unlock(&file->file.lock);
	return err ?: done;
}

/**
 * natflow_ctl_enter() - take the lock of a device's file that is being read
 * @m: argument of natflow_device.list
 *
 * Context: process, may sleep. The caller must call natflow_ctl_leave(), also if the
 * namespace is gone.
 * Return: the namespace, alive until natflow_ctl_leave(), or NULL if it is gone.
 */
struct natflow_net *natflow_ctl_enter(struct seq_file *m)
{
	struct ctl_file *file = m->private;

	return natflow_file_enter(&file->file);
}

/**
 * natflow_ctl_net() - the namespace between natflow_ctl_enter() and natflow_ctl_leave()
 * @m: argument of natflow_device.list
 *
 * Context: process.
 */
struct natflow_net *natflow_ctl_net(const struct seq_file *m)
{
	const struct ctl_file *file = m->private;

	return file->file.door->nn;
}

/**
 * natflow_ctl_leave() - release the lock
 * @m: argument of natflow_device.list
 */
void natflow_ctl_leave(struct seq_file *m)
{
	struct ctl_file *file = m->private;

	natflow_file_leave(&file->file);
}

static int ctl_show(struct seq_file *m, void *v)
{
	struct ctl_file *file = m->private;
	struct natflow_net *nn;
	int err = 0;

	natflow_words_hold();
	nn = natflow_file_enter(&file->file);
	if (nn)
		natflow_device_show(file->device, nn, m);
	else
		err = natflow_door_gone(file->device->misc.name);
	natflow_file_leave(&file->file);
	natflow_words_release();
	return err;
}

static __poll_t always_ready(struct natflow_file *file, struct natflow_net *nn)
{
	return EPOLLIN | EPOLLOUT;
}

static __poll_t ctl_poll(struct file *filp, poll_table *table)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;

	return natflow_file_poll(&file->file, filp, table, always_ready);
}

static int ctl_open(struct inode *inode, struct file *filp)
{
	struct ctl_file *file = natflow_file_alloc(sizeof(*file));
	int err;

	if (IS_ERR(file))
		return PTR_ERR(file);
	natflow_held_init(&file->held);
	/* misc_open() stores the miscdevice there; single_open() expects NULL or a seq_file. */
	file->device = container_of(filp->private_data, struct natflow_device, misc);
	filp->private_data = NULL;
	err = file->device->list ? seq_open(filp, file->device->list) :
				   single_open(filp, ctl_show, file);
	if (err)
		natflow_file_free(&file->file);
	else
		((struct seq_file *)filp->private_data)->private = file;
	return err;
}

static bool is_in_line(const struct ctl_file *file)
{
	return file->body ? file->body->ops->in_line(file->body) :
			    file->line.len || file->line.bad;
}

static int ctl_release(struct inode *inode, struct file *filp)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;

	/* echo -n: closing the file ends its last line; a refusal of it is in the log. */
	if (is_in_line(file))
		feed(file, "\n", 1);
	drop_held(file);	/* never committed */
	file->nn = natflow_file_enter(&file->file);
	if (file->body && file->nn)
		file->body->ops->cut(file->body, file->nn);
	natflow_file_leave(&file->file);
	drop_body(file);
	if (file->device->list) {
		natflow_file_free(&file->file);
		return seq_release(inode, filp);
	}
	natflow_file_free(&file->file);
	return single_release(inode, filp);
}

const struct file_operations natflow_ctl_fops = {
	.owner		= THIS_MODULE,
	.open		= ctl_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.write		= ctl_write,
	.poll		= ctl_poll,
	.release	= ctl_release,
};

const struct natflow_verb natflow_verb_begin = {
	.word = "begin",
	.values = " ... commit",
	.help = "all lines in between, or none",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "begin",
};

/* The usage has it in the line of begin. */
const struct natflow_verb natflow_verb_commit = {
	.word = "commit",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "commit",
};

/**
 * natflow_ctl_init() - make the devices
 *
 * Return: 0 or an errno.
 */
int __init natflow_ctl_init(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(devices) && !err; i++)
		err = misc_register(&devices[i]->misc);
	if (err)
		for (i--; i--; )
			misc_deregister(&devices[i]->misc);
	return err;
}

/**
 * natflow_ctl_exit() - take them away; open files pin the module, so there are none
 */
void natflow_ctl_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		misc_deregister(&devices[i]->misc);
}
