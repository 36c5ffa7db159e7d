// SPDX-License-Identifier: GPL-2.0-only
/* The files below /proc. No reader stops traffic or holds a lock of the packet path for long. */
#include <linux/inet.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "access.h"
#include "flows.h"
#include "proc.h"
#include "settings.h"
#include "status.h"
#include "urls.h"
#include "users.h"
#include "../core/base/attach.h"
#include "../core/base/ct.h"
#include "../core/topo/egress.h"
#include "../core/flow/flow.h"
#include "../core/base/log.h"

static int show_summary(struct seq_file *m, void *v)
{
	struct natflow_net *nn = natflow_net(seq_file_single_net(m));
	struct natflow_stats *sum = kmalloc(sizeof(*sum), GFP_KERNEL);
	struct natflow_table *table;
	char text[32];
	unsigned int i;

	if (!sum)
		return -ENOMEM;
	natflow_stats_sum(nn->pcpu, sum);
	natflow_status_show(nn, sum, m);
	seq_puts(m, "version " NATFLOW_VERSION "\n");
	seq_printf(m, "disabled %d\n", READ_ONCE(nn->config.disabled));
	seq_printf(m, "select %s\n", natflow_settings_select(nn, text, sizeof(text)));
	seq_printf(m, "rules %d\n", atomic_read(&nn->rules));
	seq_printf(m, "rules_reached %llu\n", sum->reached);
	seq_printf(m, "learning %d\n", READ_ONCE(nn->learning));
	seq_printf(m, "hooked %d\n", natflow_settings_hooked(nn));
	seq_printf(m, "flows %u\n", READ_ONCE(nn->flows.count) - READ_ONCE(nn->flows.half_count));
	seq_printf(m, "flows_half %u\n", READ_ONCE(nn->flows.half_count));
	seq_printf(m, "flows_peak %u\n", READ_ONCE(nn->flows.peak));
	rcu_read_lock();
	table = rcu_dereference(nn->flows.table);
	seq_printf(m, "flow_limit %u\n", table ? table->limit : READ_ONCE(nn->config.flow_limit));
	seq_printf(m, "table_bytes %zu\n", table ? table->bytes : 0);
	rcu_read_unlock();
	seq_printf(m, "percpu_bytes %zu\n",
		   READ_ONCE(nn->pcpu) ? num_possible_cpus() * sizeof(*nn->pcpu) : 0);
	seq_printf(m, "flow_bytes_ipv4 %zu\n",
		   sizeof(struct natflow_flow) + 2 * sizeof(struct natflow_dir4));
	seq_printf(m, "flow_bytes_ipv6 %zu\n",
		   sizeof(struct natflow_flow) + 2 * sizeof(struct natflow_dir6));
	seq_printf(m, "missed_event %d\n", atomic_read(&nn->missed_events));
	natflow_status_bumps(nn, sum, m);
	seq_printf(m, "hits %llu\n", sum->hits);
	seq_printf(m, "bytes %llu\n", sum->bytes);
	natflow_users_summary(nn, m);
	natflow_urls_summary(nn, m);
	natflow_access_summary(nn, m);
	for (i = 1; i <= NATFLOW_REASON_MAX; i++)
		seq_printf(m, "%s.%s %llu\n", natflow_reason_group(i), natflow_reason_key(i),
			   sum->reason[i]);
	kfree(sum);
	return 0;
}

static int show_log(struct seq_file *m, void *v)
{
	natflow_log_show(natflow_net(seq_file_single_net(m)), m);
	return 0;
}

static void *flows_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	unsigned int looks = UINT_MAX;

	rcu_read_lock();
	return natflow_flows_from(natflow_net(seq_file_net(m)), NULL, pos, &looks);
}

static void *flows_next(struct seq_file *m, void *v, loff_t *pos)
{
	unsigned int looks = UINT_MAX;

	++*pos;
	return natflow_flows_from(natflow_net(seq_file_net(m)), v, pos, &looks);
}

static void flows_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static void show_tuple(struct seq_file *m, const union natflow_key *key, u8 family)
{
	const struct natflow_key_tail *tail;

	if (family == NFPROTO_IPV4) {
		seq_printf(m, " src=%pI4 dst=%pI4", &key->v4.addrs.saddr, &key->v4.addrs.daddr);
		tail = &key->v4.tail;
	} else {
		seq_printf(m, " src=%pI6c dst=%pI6c", &key->v6.addrs.saddr,
			   &key->v6.addrs.daddr);
		tail = &key->v6.tail;
	}
	seq_printf(m, " sport=%u dport=%u", ntohs(tail->ports.sport), ntohs(tail->ports.dport));
}

/* One direction: its addresses before and after NAT, its devices, its counters. */
static void show_dir(struct seq_file *m, struct natflow_flow *flow, unsigned int d)
{
	u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	const struct natflow_egress *eg = rcu_dereference(dir->egress);
	const struct net_device *in = dev_get_by_index_rcu(flow->nn->net,
							   READ_ONCE(flow->iif[d]));
	union natflow_key key;
	u64 packets, bytes;

	natflow_flows_traffic(flow, d, &packets, &bytes);
	seq_puts(m, d ? " reply" : " orig");
	natflow_ct_key(flow->ct, d, 0, &key);
	show_tuple(m, &key, family);
	seq_puts(m, " to");
	natflow_ct_after(flow->ct, d, &key);
	show_tuple(m, &key, family);
	seq_printf(m, " in=%s out=%s packets=%llu bytes=%llu", in ? in->name : "-",
		   eg && READ_ONCE(eg->alive) ? eg->out->name : "-", packets, bytes);
}

static int flows_show(struct seq_file *m, void *v)
{
	static const char * const state[] = {
		[NATFLOW_STATE_SELECTED] = "selected", [NATFLOW_STATE_HALF] = "half",
		[NATFLOW_STATE_PUBLISHED] = "published", [NATFLOW_STATE_AMBIGUOUS] = "ambiguous",
	};
	static const char * const hw[] = {
		[NATFLOW_HW_OFF] = "off", [NATFLOW_HW_OFFERED] = "offered",
		[NATFLOW_HW_INSTALLED] = "installed", [NATFLOW_HW_BOUND] = "bound",
		[NATFLOW_HW_NO_BACK_END] = "no-back-end",
	};
	struct natflow_flow *flow = v;

	seq_printf(m, "%s %s state=%s idle=%u hw=%s",
		   natflow_flow_family(flow) == NFPROTO_IPV4 ? "ipv4" : "ipv6",
		   nf_ct_protonum(flow->ct) == IPPROTO_TCP ? "tcp" : "udp",
		   state[natflow_flows_state(flow)],
		   jiffies_to_msecs(jiffies - READ_ONCE(flow->used)) / 1000,
		   hw[natflow_flows_hw(flow)]);
	show_dir(m, flow, 0);
	show_dir(m, flow, 1);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations flows_ops = {
	.start	= flows_start,
	.next	= flows_next,
	.stop	= flows_stop,
	.show	= flows_show,
};

/**
 * natflow_proc_net_init() - the files of one namespace, in its /proc/net
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_proc_net_init(struct natflow_net *nn)
{
	struct proc_dir_entry *dir = nn->net->proc_net;

	if (!proc_create_net_single("natflow", 0444, dir, show_summary, NULL))
		return -ENOMEM;
	if (!proc_create_net("natflow_flows", 0440, dir, &flows_ops,
			     sizeof(struct seq_net_private)))
		goto err_summary;
	if (!proc_create_net_single("natflow_log", 0440, dir, show_log, NULL))
		goto err_flows;
	return 0;

err_flows:
	remove_proc_entry("natflow_flows", dir);
err_summary:
	remove_proc_entry("natflow", dir);
	return -ENOMEM;
}

/**
 * natflow_proc_net_exit() - the reverse; waits for readers
 * @nn: namespace
 */
void natflow_proc_net_exit(struct natflow_net *nn)
{
	struct proc_dir_entry *dir = nn->net->proc_net;

	remove_proc_entry("natflow_log", dir);
	remove_proc_entry("natflow_flows", dir);
	remove_proc_entry("natflow", dir);
}

/* /proc/NAME leads to the file of the reader's namespace. */
static const struct {
	const char *name, *target;
} links[] = {
	{ "natflow", "self/net/natflow" },
	{ "natflow_flows", "self/net/natflow_flows" },
	{ "natflow_log", "self/net/natflow_log" },
	{ "natflow_users", "self/net/natflow_users" },
	{ "natflow_devices", "self/net/natflow_devices" },
#ifndef NATFLOW_WITHOUT_NAMES
	{ "natflow_urls", "self/net/natflow_urls" },
#endif
};

/**
 * natflow_proc_init() - /proc/natflow*, each a link to the reader's namespace
 *
 * Return: 0 or -ENOMEM.
 */
int __init natflow_proc_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (!proc_symlink(links[i].name, NULL, links[i].target))
			goto err;
	return 0;

err:
	natflow_proc_exit();
	return -ENOMEM;
}

/**
 * natflow_proc_exit() - remove the links that exist
 */
void natflow_proc_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(links); i++)
		remove_proc_subtree(links[i].name, NULL);
}
