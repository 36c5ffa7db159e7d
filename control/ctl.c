// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/natflow_ctl and /dev/hostacl_ctl: lines in, settings out, for the network
 * namespace of whoever opened it.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "ctl.h"
#include "door.h"
#include "file.h"
#include "hostacl.h"
#include "settings.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../lib/text/command.h"
#include "../policy/sites.h"

/* What makes one of these devices different from the others. */
struct ctl_device {
	struct miscdevice misc;
	const struct natflow_grammar *grammar;
	/* On error one of @cmd has ->expected, unless it is for want of memory. */
	int (*apply)(struct natflow_net *nn, struct natflow_command *cmd, unsigned int count);
	void (*show)(struct natflow_net *nn, struct seq_file *m);
};

struct ctl_file {
	struct natflow_file file;	/* its lock: one writer at a time, so that lines stay whole */
	const struct ctl_device *device;
	struct natflow_net *nn;		/* while the door's lock is held */
	struct natflow_line line;
	struct natflow_command cmd;	/* of the line in hand, too large for the stack */
	struct natflow_command *held;	/* between begin and commit, else NULL */
	unsigned int held_count;
	u32 spoiled;			/* number of the first line that was refused, 0: none */
	struct natflow_site_load *load;	/* names of a list that come, else NULL */
	bool refused;			/* its "end" may still come */
};

#define HELD_MAX 2048	/* lines of a transaction */

static void drop_held(struct ctl_file *file)
{
	kvfree(file->held);
	file->held = NULL;
}

/* Every refusal is one sentence: the line, the word, what was expected, an example. */
static void complain(struct ctl_file *file, u32 line, const struct natflow_command *cmd)
{
	const char *name = file->device->misc.name;

	if (cmd->absent)
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s line %u: '%.40s' is of the original natflow: %s",
			    name, line, cmd->word, cmd->expected);
	else
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s line %u: '%.40s': expected %s, as in: %s",
			    name, line, cmd->word, cmd->expected, cmd->example);
}

static void complain_memory(struct ctl_file *file, u32 line)
{
	natflow_log(file->nn, NATFLOW_LOG_ERROR,
		    "%s line %u: no memory, nothing was changed; write it again",
		    file->device->misc.name, line);
}

/* Understood, and not possible. Return: @err. */
static int refuse(struct ctl_file *file, struct natflow_command *cmd, const char *expected,
		  const char *example, int err)
{
	natflow_command_refuse(cmd, expected, example, err);
	complain(file, cmd->line, cmd);
	return err;
}

static int apply(struct ctl_file *file, struct natflow_command *cmd, unsigned int count, u32 line)
{
	int err = file->device->apply(file->nn, cmd, count);
	unsigned int i;

	for (i = 0; err && i < count; i++) {
		if (cmd[i].expected) {
			complain(file, cmd[i].line, &cmd[i]);
			return err;
		}
	}
	if (err)
		complain_memory(file, line);
	return err;
}

static int open_transaction(struct ctl_file *file, struct natflow_command *cmd)
{
	if (file->held)
		return refuse(file, cmd, "commit before another begin", "commit", -EBUSY);
	file->held = kvmalloc_array(HELD_MAX, sizeof(*file->held), GFP_KERNEL);
	file->held_count = 0;
	file->spoiled = 0;
	if (file->held)
		return 0;
	complain_memory(file, cmd->line);
	return -ENOMEM;
}

static int close_transaction(struct ctl_file *file, struct natflow_command *cmd)
{
	char text[80];
	int err;

	if (!file->held)
		return refuse(file, cmd, "begin before it", "begin", -ENOENT);
	if (file->spoiled) {
		snprintf(text, sizeof(text), "line %u to be right, nothing was changed; all again",
			 file->spoiled);
		err = refuse(file, cmd, text, "begin", -ECANCELED);
	} else {
		err = apply(file, file->held, file->held_count, cmd->line);
	}
	drop_held(file);
	return err;
}

static int hold(struct ctl_file *file, struct natflow_command *cmd)
{
	if (file->held_count == HELD_MAX)
		return refuse(file, cmd, "at most 2048 lines between begin and commit", "commit",
			      -E2BIG);
	file->held[file->held_count++] = *cmd;
	return 0;
}

/* Not between begin and commit: a list is a transaction of its own. */
static int begin_load(struct ctl_file *file, struct natflow_command *cmd)
{
	struct natflow_site_load *load;

	if (file->held)
		return refuse(file, cmd, "no load between begin and commit", "commit", -EBUSY);
	load = natflow_hostacl_load(file->nn, cmd);
	if (IS_ERR(load)) {
		if (cmd->expected)
			complain(file, cmd->line, cmd);
		else
			complain_memory(file, cmd->line);
		return PTR_ERR(load);
	}
	file->load = load;
	return 0;
}

static void drop_load(struct ctl_file *file)
{
	natflow_site_load_free(file->load);
	file->load = NULL;
}

static const char *load_problem(const struct natflow_listline *line, int err)
{
	switch (err) {
	case -EINVAL:
		return line ? line->expected : "what natflow-list wrote for this machine";
	case -E2BIG:
		return "at most 4194304 names";
	case -ENOENT:
		return "the list to be there until its names are";
	default:
		return "more free memory";
	}
}

/* Why a list is not loaded. */
static void log_load(struct ctl_file *file, const char *expected)
{
	const struct natflow_listline *line = natflow_site_load_line(file->load);
	const char *name = file->device->misc.name, *list = natflow_site_load_name(file->load);

	if (line)
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s list %s line %u: '%.60s': expected %s; the list stays as it was",
			    name, list, line->number, line->text, expected);
	else
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s list %s: expected %s; the list stays as it was",
			    name, list, expected);
}

static void log_skipped(struct ctl_file *file)
{
	u32 first, skipped = natflow_site_load_skipped(file->load, &first);

	if (skipped)
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s list %s: %u lines skipped that have no host name, first: line %u",
			    file->device->misc.name, natflow_site_load_name(file->load), skipped,
			    first);
}

/* Names of a list. Return: how many bytes were these, or an errno. */
static ssize_t take_names(struct ctl_file *file, const char *text, size_t len)
{
	size_t used;
	int err = natflow_site_load_feed(file->load, text, len, &used);

	if (!err)
		return used;
	if (err > 0)
		err = natflow_hostacl_loaded(file->nn, file->load);
	if (err)
		log_load(file, load_problem(natflow_site_load_line(file->load), err));
	else
		log_skipped(file);
	file->refused = err;
	drop_load(file);
	return err ?: used;
}

/* Context: the door's lock held, its namespace alive. */
static int run_command(struct ctl_file *file, struct natflow_command *cmd)
{
	if (cmd->verb == NATFLOW_CMD_BEGIN)
		return open_transaction(file, cmd);
	if (cmd->verb == NATFLOW_CMD_COMMIT)
		return close_transaction(file, cmd);
	if (cmd->verb == NATFLOW_CMD_NONE)
		return 0;
	if (cmd->verb == NATFLOW_CMD_LIST_LOAD)
		return begin_load(file, cmd);
	if (file->held)
		return hold(file, cmd);
	return apply(file, cmd, 1, cmd->line);
}

/* One whole line, or one that was not fit to be one. */
static int run_line(struct ctl_file *file, int complete)
{
	struct natflow_line *line = &file->line;
	struct natflow_command *cmd = &file->cmd;
	int err = complete;

	if (file->refused && !strcmp(line->text, "end"))
		return -ECANCELED;	/* the log says already why */
	if (complete < 0) {
		natflow_log(file->nn, NATFLOW_LOG_ERROR,
			    "%s line %u: expected at most %u printable bytes, as in: # a comment",
			    file->device->misc.name, line->number, NATFLOW_LINE_MAX - 1);
	} else {
		err = natflow_command_parse(file->device->grammar, line->text, cmd);
		cmd->line = line->number;
		if (err)
			complain(file, cmd->line, cmd);
		else
			err = run_command(file, cmd);
	}
	if (err && !file->spoiled)
		file->spoiled = line->number;
	return err;
}

static int feed(struct ctl_file *file, const char *text, size_t len)
{
	size_t i;
	int err = 0;

	file->nn = natflow_file_enter(&file->file);
	if (!file->nn)
		err = natflow_door_gone(file->device->misc.name);
	for (i = 0; i < len && !err; ) {
		if (file->load) {
			ssize_t used = take_names(file, text + i, len - i);

			err = min_t(ssize_t, used, 0);
			i += max_t(ssize_t, used, 0);
		} else {
			int complete = natflow_line_push(&file->line, text[i++]);

			if (complete)
				err = run_line(file, complete);
		}
	}
	natflow_file_leave(&file->file);
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

static int ctl_show(struct seq_file *m, void *v)
{
	struct ctl_file *file = m->private;
	struct natflow_net *nn = natflow_file_enter(&file->file);
	int err = 0;

	if (nn)
		file->device->show(nn, m);
	else
		err = natflow_door_gone(file->device->misc.name);
	natflow_file_leave(&file->file);
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
	/* misc_open() stores the miscdevice there; single_open() expects NULL or a seq_file. */
	file->device = container_of(filp->private_data, struct ctl_device, misc);
	filp->private_data = NULL;
	err = single_open(filp, ctl_show, file);
	if (err)
		natflow_file_free(&file->file);
	return err;
}

static bool is_in_line(const struct ctl_file *file)
{
	const struct natflow_listline *line;

	if (!file->load)
		return file->line.len || file->line.bad;
	line = natflow_site_load_line(file->load);
	return line && line->open;
}

static int ctl_release(struct inode *inode, struct file *filp)
{
	struct ctl_file *file = ((struct seq_file *)filp->private_data)->private;

	/* echo -n: the end of the file ends its last line; what it says wrong is in the log. */
	if (is_in_line(file))
		feed(file, "\n", 1);
	drop_held(file);	/* never committed */
	file->nn = natflow_file_enter(&file->file);
	if (file->load && file->nn)
		log_load(file, natflow_site_load_line(file->load) ?
			 "\"end\" as a line of its own before the device is closed" :
			 "as many bytes as load= says");
	natflow_file_leave(&file->file);
	drop_load(file);
	natflow_file_free(&file->file);
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

static struct ctl_device devices[] = {
	{
		.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_ctl", .fops = &ctl_fops,
			  .mode = 0600 },
		.grammar = &natflow_grammar_ctl,
		.apply = natflow_settings_apply,
		.show = natflow_settings_show,
	}, {
		.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "hostacl_ctl", .fops = &ctl_fops,
			  .mode = 0600 },
		.grammar = &natflow_grammar_hostacl,
		.apply = natflow_hostacl_apply,
		.show = natflow_hostacl_show,
	},
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
		err = misc_register(&devices[i].misc);
	if (err)
		for (i--; i--; )
			misc_deregister(&devices[i].misc);
	return err;
}

/**
 * natflow_ctl_exit() - take them away; open files pin the module, so there are none
 */
void natflow_ctl_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		misc_deregister(&devices[i].misc);
}
