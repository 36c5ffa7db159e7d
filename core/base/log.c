// SPDX-License-Identifier: GPL-2.0-only
/* The last messages, a few: refused writes, failures, listings that a user asked for. */
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "charge.h"
#include "log.h"

#define LINES	128
#define WIDTH	256

struct natflow_log {
	spinlock_t lock;		/* for all of it */
	struct list_head messages;	/* oldest first */
	unsigned int count;		/* of @messages */
};

struct message {
	struct list_head list;
	ktime_t when;			/* since boot */
	char text[];
};

/**
 * natflow_log_init() - an empty log
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_log_init(struct natflow_net *nn)
{
	nn->log = kzalloc(sizeof(*nn->log), GFP_KERNEL_ACCOUNT);
	if (!nn->log)
		return -ENOMEM;
	spin_lock_init(&nn->log->lock);
	INIT_LIST_HEAD(&nn->log->messages);
	return 0;
}

/**
 * natflow_log_exit() - free the log
 * @nn: namespace without readers and writers
 */
void natflow_log_exit(struct natflow_net *nn)
{
	struct message *m, *next;

	list_for_each_entry_safe(m, next, &nn->log->messages, list)
		kfree(m);
	kfree(nn->log);
}

static bool is_known(const struct natflow_log *log, const char *text)
{
	const struct message *m;

	list_for_each_entry(m, &log->messages, list)
		if (!strcmp(m->text, text))
			return true;
	return false;
}

static struct message *make(const struct natflow_net *nn, const char *text)
{
	struct mem_cgroup *before = natflow_charge_begin(nn);
	struct message *m = kmalloc(struct_size(m, text, strlen(text) + 1), NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	if (!m)
		return NULL;
	m->when = ktime_get_boottime();
	strcpy(m->text, text);
	return m;
}

/* Return: the message that has lost its place, or NULL. */
static struct message *push(struct natflow_log *log, struct message *m)
{
	struct message *oldest;

	lockdep_assert_held(&log->lock);
	list_add_tail(&m->list, &log->messages);
	if (log->count++ < LINES)
		return NULL;
	log->count--;
	oldest = list_first_entry(&log->messages, struct message, list);
	list_del(&oldest->list);
	return oldest;
}

static __printf(4, 0) void keep(struct natflow_net *nn, enum natflow_log_class class, bool once,
				const char *fmt, va_list args)
{
	struct natflow_log *log = nn->log;
	struct message *gone;
	char text[WIDTH];

	if (class != NATFLOW_LOG_ERROR && !(READ_ONCE(nn->config.debug) & class))
		return;
	vscnprintf(text, WIDTH, fmt, args);
	gone = make(nn, text);
	if (!gone)
		return;
	spin_lock_bh(&log->lock);
	if (!once || !is_known(log, text))
		gone = push(log, gone);
	spin_unlock_bh(&log->lock);
	kfree(gone);
}

/**
 * natflow_log() - keep a message, if there is memory
 * @nn: namespace
 * @class: kept if debug= has this bit; errors always are
 * @fmt: one line without newline
 *
 * Context: process or softirq.
 */
void natflow_log(struct natflow_net *nn, enum natflow_log_class class, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	keep(nn, class, false, fmt, args);
	va_end(args);
}

/**
 * natflow_log_once() - keep a message unless the log still has it
 * @nn: namespace
 * @class: kept if debug= has this bit; errors always are
 * @fmt: one line without newline
 *
 * Context: process or softirq.
 */
void natflow_log_once(struct natflow_net *nn, enum natflow_log_class class, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	keep(nn, class, true, fmt, args);
	va_end(args);
}

/**
 * natflow_log_show() - print the log, oldest first
 * @nn: namespace
 * @m: where to
 */
void natflow_log_show(struct natflow_net *nn, struct seq_file *m)
{
	struct natflow_log *log = nn->log;
	const struct message *line;

	spin_lock_bh(&log->lock);
	list_for_each_entry(line, &log->messages, list) {
		u32 ms;
		u64 s = div_u64_rem(ktime_to_ms(line->when), 1000, &ms);

		seq_printf(m, "[%llu.%03u] %s\n", s, ms, line->text);
	}
	spin_unlock_bh(&log->lock);
}
