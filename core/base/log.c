// SPDX-License-Identifier: GPL-2.0-only
/* A small ring of messages: refused writes, failures, listings that a user asked for. */
#include <linux/ktime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "log.h"
#include "netns.h"

#define LINES	128
#define WIDTH	256

struct natflow_log {
	spinlock_t lock;	/* for all of it */
	unsigned long next;	/* number of the next message; under @lock */
	struct {
		ktime_t when;	/* since boot */
		char text[WIDTH];
	} line[LINES];
};

/**
 * natflow_log_init() - an empty log
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_log_init(struct natflow_net *nn)
{
	nn->log = kvzalloc(sizeof(*nn->log), GFP_KERNEL);
	if (!nn->log)
		return -ENOMEM;
	spin_lock_init(&nn->log->lock);
	return 0;
}

/**
 * natflow_log_exit() - free the log
 * @nn: namespace without readers and writers
 */
void natflow_log_exit(struct natflow_net *nn)
{
	kvfree(nn->log);
}

static bool is_known(const struct natflow_log *log, const char *text)
{
	unsigned long n;

	for (n = log->next > LINES ? log->next - LINES : 0; n < log->next; n++)
		if (!strcmp(log->line[n % LINES].text, text))
			return true;
	return false;
}

static __printf(4, 0) void keep(struct natflow_net *nn, enum natflow_log_class class, bool once,
				const char *fmt, va_list args)
{
	struct natflow_log *log = nn->log;
	char text[WIDTH];

	if (class != NATFLOW_LOG_ERROR && !(READ_ONCE(nn->config.debug) & class))
		return;
	vscnprintf(text, WIDTH, fmt, args);
	spin_lock_bh(&log->lock);
	if (!once || !is_known(log, text)) {
		strscpy(log->line[log->next % LINES].text, text, WIDTH);
		log->line[log->next++ % LINES].when = ktime_get_boottime();
	}
	spin_unlock_bh(&log->lock);
}

/**
 * natflow_log() - keep a message
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
	unsigned long n;

	spin_lock_bh(&log->lock);
	for (n = log->next > LINES ? log->next - LINES : 0; n < log->next; n++) {
		u32 ms;
		u64 s = div_u64_rem(ktime_to_ms(log->line[n % LINES].when), 1000, &ms);

		seq_printf(m, "[%llu.%03u] %s\n", s, ms, log->line[n % LINES].text);
	}
	spin_unlock_bh(&log->lock);
}
