// SPDX-License-Identifier: GPL-2.0-only
/* Verbs of natflow_ctl that act on flows at once, and those without a setting. */
#include <linux/rtnetlink.h>
#include "flows.h"
#include "verb.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../core/doubt.h"
#include "../core/flow/flow.h"
#include "../core/topo/egress.h"
#include "../core/topo/port.h"
#include "../lib/text/filter.h"

static void commit_flush(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_flow_flush(nn, NATFLOW_END_FLUSH, natflow_flows_match,
			   NATFLOW_ARGS(cmd, const struct natflow_filter));
}

static const struct natflow_verb_ops flush_ops = { .commit = commit_flush };

const struct natflow_verb natflow_verb_flush = {
	.word = "flush",
	.values = " [proto=tcp|udp] [src=A[/L]] [dst=A[/L]] [sport=N] [dport=N] [dev=NAME]",
	.parse = natflow_filter_parse,
	.expected = "proto=tcp|udp, src=ADDR[/LEN], dst=ADDR[/LEN], sport=N, dport=N or dev=NAME",
	.example = "flush proto=udp dport=53",
	.ops = &flush_ops,
};

static void commit_update_magic(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING);
}

static const struct natflow_verb_ops update_magic_ops = { .commit = commit_update_magic };

const struct natflow_verb natflow_verb_update_magic = {
	.word = "update_magic",
	.values = "",
	.help = "look at every flow again",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "update_magic",
	.ops = &update_magic_ops,
};

static void commit_list(struct natflow_net *nn, const struct natflow_command *cmd)
{
	struct net_device *dev;

	rtnl_lock();
	for_each_netdev(nn->net, dev) {
		struct natflow_port *port = natflow_port_find(nn, dev->ifindex);

		natflow_log(nn, NATFLOW_LOG_ERROR, "device %s ifindex=%d mtu=%u port=%s group=%d",
			    dev->name, dev->ifindex, dev->mtu,
			    port ? "hooked" : natflow_port_device_ok(dev) ? "idle" : "unsuitable",
			    port ? port->in_group : 0);
	}
	rtnl_unlock();
}

static const struct natflow_verb_ops list_ops = { .commit = commit_list };

const struct natflow_verb natflow_verb_list_net_device = {
	.word = "list_net_device",
	.values = "",
	.help = "to natflow_log",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "list_net_device",
	.ops = &list_ops,
};

static void commit_go_slowpath(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_log(nn, NATFLOW_LOG_ERROR, "go_slowpath_if_no_qos: no effect");
}

static const struct natflow_verb_ops go_slowpath_ops = { .commit = commit_go_slowpath };

const struct natflow_verb natflow_verb_go_slowpath_if_no_qos = {
	.word = "go_slowpath_if_no_qos=",
	.values = "0|1",
	.help = "accepted, no effect",
	.parse = natflow_number_parse,
	.max = 1,
	.expected = "0 or 1",
	.example = "go_slowpath_if_no_qos=0",
	.ops = &go_slowpath_ops,
};
