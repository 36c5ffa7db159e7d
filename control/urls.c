// SPDX-License-Identifier: GPL-2.0-only
/* /proc/natflow_urls: the log of names for people, one record a line, the oldest first. */
#include <linux/proc_fs.h>
#include <linux/seq_file_net.h>
#include <linux/time.h>
#include "../core/base/netns.h"
#include "../include/uapi/linux/natflow_urllogger.h"
#include "../lib/text/site.h"
#include "../natflow_urllogger.h"
#include "urls.h"

static struct natflow_ring *ring_of(const struct seq_file *m)
{
	return &natflow_urllogger_log(natflow_net(seq_file_net((struct seq_file *)m)))->ring;
}

/* The record at *pos, or the next one, to which *pos moves. */
static const struct natflow_event *event_at(const struct natflow_ring *ring, loff_t *pos)
{
	struct natflow_ring_record *record = natflow_ring_from(ring, *pos);

	if (record)
		*pos = record->number;
	return natflow_event(record);
}

static void *urls_start(struct seq_file *m, loff_t *pos)
	__acquires(&ring_of(m)->lock)
{
	spin_lock_bh(&ring_of(m)->lock);
	return (void *)event_at(ring_of(m), pos);
}

static void *urls_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return (void *)event_at(ring_of(m), pos);
}

static void urls_stop(struct seq_file *m, void *v)
	__releases(&ring_of(m)->lock)
{
	spin_unlock_bh(&ring_of(m)->lock);
}

static void show_ends(struct seq_file *m, const struct natflow_event *e)
{
	union natflow_key key = e->tuple[0];
	const struct natflow_key_tail *tail = natflow_key_tail(&key, e->family);

	if (e->family == NFPROTO_IPV4)
		seq_printf(m, " src=%pI4 dst=%pI4", &key.v4.addrs.saddr, &key.v4.addrs.daddr);
	else
		seq_printf(m, " src=%pI6c dst=%pI6c", &key.v6.addrs.saddr, &key.v6.addrs.daddr);
	seq_printf(m, " sport=%u dport=%u mac=%pM", ntohs(tail->ports.sport),
		   ntohs(tail->ports.dport), e->mac);
}

static int urls_show(struct seq_file *m, void *v)
{
	static const char * const sources[] = { "-", "http", "tls", "quic", "dns", "dns-a",
						"dns-hint" };
	static const char * const methods[] = { "-", "GET", "POST", "HEAD", "other" };
	const struct natflow_event *e = v;

	seq_printf(m, "%ptTs hits=%llu", &(time64_t){ div_u64(e->when, NSEC_PER_SEC) },
		   e->record.events);
	show_ends(m, e);
	seq_printf(m, " source=%s method=%s action=%s rule=", sources[e->source],
		   methods[e->method], natflow_action_words[e->action]);
	if (e->rule == NATFLOW_URL_NO_RULE)
		seq_putc(m, '-');
	else
		seq_printf(m, "%u", e->rule);
	seq_printf(m, " list=%s host=%*pE %s%*pE\n", *e->list ? e->list : "-", e->host_len,
		   e->text, e->source == NATFLOW_URL_ANSWER ? "" : "uri=", e->uri_len,
		   e->text + e->host_len);
	return 0;
}

static const struct seq_operations urls_ops = {
	.start	= urls_start,
	.next	= urls_next,
	.stop	= urls_stop,
	.show	= urls_show,
};

/**
 * natflow_urls_summary() - the lines of /proc/natflow about the log of names
 * @nn: namespace
 * @m: where to
 *
 * Events: all, those merged into another's record, those without memory, those of records
 * that gave way to others before anybody had read them. Records that could be read early.
 * Hints: those there are, those that gave way.
 *
 * Context: process.
 */
void natflow_urls_summary(struct natflow_net *nn, struct seq_file *m)
{
	struct natflow_names_log *log = natflow_urllogger_log(nn);
	u64 gone, answers, trials;
	u32 hints;

	seq_printf(m, "names_bytes %zu\n", natflow_urllogger_bytes(nn));
	natflow_urllogger_refused(nn, &answers, &trials);
	seq_printf(m, "answers_refused %llu\n", answers);
	seq_printf(m, "decryptions_refused %llu\n", trials);
	spin_lock_bh(&log->ring.lock);
	seq_printf(m, "names_produced %llu\n", log->produced);
	seq_printf(m, "names_merged %llu\n", log->merged);
	seq_printf(m, "names_limited %llu\n", log->limited);
	seq_printf(m, "names_unread %llu\n", log->ring.unread);
	seq_printf(m, "names_early %llu\n", log->early);
	spin_unlock_bh(&log->ring.lock);
	hints = natflow_urllogger_hints(nn, &gone);
	seq_printf(m, "names_hints %u\n", hints);
	seq_printf(m, "names_hints_gone %llu\n", gone);
}

/**
 * natflow_urls_net_init() - natflow_urls in /proc/net of a namespace
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_urls_net_init(struct natflow_net *nn)
{
	return proc_create_net("natflow_urls", 0440, nn->net->proc_net, &urls_ops,
			       sizeof(struct seq_net_private)) ? 0 : -ENOMEM;
}

/**
 * natflow_urls_net_exit() - the reverse; waits for readers
 * @nn: namespace
 */
void natflow_urls_net_exit(struct natflow_net *nn)
{
	remove_proc_entry("natflow_urls", nn->net->proc_net);
}
