// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: one ladder up, the same ladder down, and a table of rooms that
 * make up its part of a network namespace. Teardown goes in five beats:
 *
 *   unpublish (hooks, doors) - synchronize_net() - stop workers, end flows -
 *   rcu_barrier() - free
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <net/net_namespace.h>
#include "control/ctl.h"
#include "control/door.h"
#include "control/netlink.h"
#include "control/proc.h"
#include "control/queue.h"
#include "control/settings.h"
#include "control/store.h"
#include "control/urls.h"
#include "control/users.h"
#include "core/ageing.h"
#include "core/base/charge.h"
#include "core/topo/egress.h"
#include "core/events.h"
#include "core/flow/flow.h"
#include "core/hooks.h"
#include "core/base/log.h"
#include "core/base/netns.h"
#include "core/base/note.h"
#include "core/rules.h"
#include "core/xmit.h"
#include "lib/names/quic.h"
#include "lib/text/settings.h"
#include "natflow_access.h"
#include "natflow_limit.h"
#include "natflow_path.h"
#include "natflow_urllogger.h"
#include "natflow_user.h"
#include "policy/event.h"
#include "policy/sets.h"
#include "policy/zone.h"
#include "shape/link.h"
#include "shape/qdisc.h"

unsigned int natflow_net_id __read_mostly;

static void net_setup(struct natflow_net *nn, struct net *net)
{
	nn->net = net;
	nn->ingress = natflow_path_ingress;
	nn->ingress_ppp = natflow_path_ppp;
	nn->arrival = natflow_path_arrival;
	nn->config.flow_limit = NATFLOW_DEFAULT_flow_limit;
	nn->config.user_limit = NATFLOW_DEFAULT_user_limit;
	nn->config.debug = NATFLOW_DEFAULT_debug;
	nn->config.pppoe = NATFLOW_DEFAULT_pppoe;
	mutex_init(&nn->lock);
	spin_lock_init(&nn->topo.egress_lock);
	hash_init(nn->topo.ports);
	hash_init(nn->topo.egresses);
	hash_init(nn->topo.stations);
	INIT_WORK(&nn->sync, natflow_hooks_work);
	INIT_DELAYED_WORK(&nn->tick, natflow_ageing_tick);
}

static void flows_stop(struct natflow_net *nn)
{
	natflow_flow_flush(nn, NATFLOW_END_NETNS, NULL, NULL);
	natflow_ageing_stop(nn);
	cancel_work_sync(&nn->sync);	/* the tick may have queued it once more */
}

static void flows_drain(struct natflow_net *nn)
{
	flush_work(&nn->flows.undertaker);
}

/* What a namespace's part is taken down by; RCU callbacks run out before FREE. */
enum beat {
	CLOSE,		/* no hook and no file reaches the room any more */
	STOP,		/* nor does a worker; its objects are given up */
	DRAIN,		/* the workers that free those objects have run */
	FREE,
	BEATS
};

/* A part of a namespace's state. All calls may sleep and are optional. */
struct room {
	void (*down[BEATS])(struct natflow_net *nn);
	int (*init)(struct natflow_net *nn);
};

/* Up in this order, each beat down in the reverse order. A feature is one row. */
static const struct room rooms[] = {
	{ .down[FREE] = natflow_charge_stop },
	{ .init = natflow_log_init, .down[FREE] = natflow_log_exit },
	{ .down[DRAIN] = natflow_egress_exit },
	{ .init = natflow_flow_net_init, .down[STOP] = flows_stop, .down[DRAIN] = flows_drain,
	  .down[FREE] = natflow_flow_net_exit },
	{ .down[STOP] = natflow_zone_net_stop, .down[FREE] = natflow_zone_net_exit },
#ifndef NATFLOW_WITHOUT_NAMES
	{ .init = natflow_urllogger_net_init, .down[STOP] = natflow_urllogger_net_stop,
	  .down[FREE] = natflow_urllogger_net_exit },
#endif
	{ .init = natflow_userlog_net_init, .down[FREE] = natflow_userlog_net_exit },
	{ .init = natflow_user_net_init, .down[STOP] = natflow_user_net_stop,
	  .down[FREE] = natflow_user_net_exit },
	{ .init = natflow_access_net_init, .down[STOP] = natflow_access_net_stop,
	  .down[FREE] = natflow_access_net_exit },
	{ .init = natflow_limit_net_init, .down[STOP] = natflow_limit_net_stop,
	  .down[FREE] = natflow_limit_net_exit },
	{ .init = natflow_link_net_init, .down[CLOSE] = natflow_link_net_stop },
	{ .down[CLOSE] = natflow_hooks_exit },		/* waits for packets in the hooks */
	{ .init = natflow_door_net_init, .down[CLOSE] = natflow_door_net_exit },
	{ .init = natflow_proc_net_init, .down[CLOSE] = natflow_proc_net_exit },
	{ .init = natflow_users_net_init, .down[CLOSE] = natflow_users_net_exit },
	{ .init = natflow_queue_net_init, .down[CLOSE] = natflow_queue_net_exit },
#ifndef NATFLOW_WITHOUT_NAMES
	{ .init = natflow_urls_net_init, .down[CLOSE] = natflow_urls_net_exit },
#endif
};

/* One beat of the first @n rooms, the last one first. */
static void take_down(struct natflow_net *nn, enum beat beat, unsigned int n)
{
	while (n--)
		if (rooms[n].down[beat])
			rooms[n].down[beat](nn);
}

/* Twice: the callback of a killed egress may queue the one that frees it. */
static void wait_for_callbacks(void)
{
	rcu_barrier();
	rcu_barrier();
}

static struct natflow_net **place_of(const struct net *net)
{
	return net_generic(net, natflow_net_id);
}

static void net_free(struct net *net)
{
	kfree(natflow_net(net));
	*place_of(net) = NULL;
}

static int __net_init net_init(struct net *net)
{
	struct natflow_net *nn = kzalloc(sizeof(*nn), GFP_KERNEL_ACCOUNT);
	unsigned int n;
	int err = 0;

	if (!nn)
		return -ENOMEM;
	*place_of(net) = nn;
	net_setup(nn, net);
	for (n = 0; n < ARRAY_SIZE(rooms) && !err; n++)
		if (rooms[n].init)
			err = rooms[n].init(nn);
	if (!err)
		return 0;
	/* The last room is not up. Those below may have been used already. */
	n--;
	take_down(nn, CLOSE, n);
	take_down(nn, STOP, n);
	take_down(nn, DRAIN, n);
	wait_for_callbacks();
	take_down(nn, FREE, n);
	net_free(net);
	return err;
}

static void __net_exit net_pre_exit(struct net *net)
{
	natflow_rules_close(natflow_net(net));
}

/*
 * Conntrack's own exit, which comes later, waits until nothing holds a
 * conntrack: all flows are ended and freed here.
 */
static void __net_exit net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list) {
		take_down(natflow_net(net), CLOSE, ARRAY_SIZE(rooms));
		take_down(natflow_net(net), STOP, ARRAY_SIZE(rooms));
	}
	list_for_each_entry(net, nets, exit_list)
		take_down(natflow_net(net), DRAIN, ARRAY_SIZE(rooms));
	wait_for_callbacks();
	list_for_each_entry(net, nets, exit_list) {
		take_down(natflow_net(net), FREE, ARRAY_SIZE(rooms));
		net_free(net);
	}
}

static struct pernet_operations net_ops = {
	.init		= net_init,
	.pre_exit	= net_pre_exit,
	.exit_batch	= net_exit_batch,
	.id		= &natflow_net_id,
	.size		= sizeof(struct natflow_net *),
};

static int __init natflow_init(void)
{
	int err;

	natflow_xmit_init();
	natflow_quic_init();
	err = natflow_note_init();
	if (err)
		return err;
	err = natflow_flow_init();
	if (err)
		goto err_note;
	err = natflow_users_cache_init();
	if (err)
		goto err_flow;
	err = natflow_sets_init();
	if (err)
		goto err_users;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_sets;
	err = natflow_events_init();
	if (err)
		goto err_net;
	err = natflow_zone_init();
	if (err)
		goto err_events;
	err = natflow_qdisc_init();
	if (err)
		goto err_zone;
	err = natflow_link_init();
	if (err)
		goto err_qdisc;
	err = natflow_proc_init();
	if (err)
		goto err_link;
	err = natflow_ctl_init();
	if (err)
		goto err_proc;
	err = natflow_queue_init();
	if (err)
		goto err_ctl;
	err = natflow_store_init();
	if (err)
		goto err_queue;
	err = natflow_netlink_init();
	if (err)
		goto err_store;
	pr_info("natflow " NATFLOW_VERSION ": iptables -I FORWARD 1 -j FLOWOFFLOAD\n");
	return 0;

err_store:
	natflow_store_exit();
err_queue:
	natflow_queue_exit();
err_ctl:
	natflow_ctl_exit();
err_proc:
	natflow_proc_exit();
err_link:
	natflow_link_exit();
err_qdisc:
	natflow_qdisc_exit();
err_zone:
	natflow_zone_exit();
err_events:
	natflow_events_exit();
err_net:
	unregister_pernet_subsys(&net_ops);
err_sets:
	natflow_sets_exit();
err_users:
	rcu_barrier();
	natflow_users_cache_exit();
err_flow:
	natflow_flow_exit();
err_note:
	natflow_note_exit();
	return err;
}

static void __exit natflow_exit(void)
{
	natflow_netlink_exit();
	natflow_store_exit();
	natflow_queue_exit();
	natflow_ctl_exit();
	natflow_proc_exit();
	natflow_link_exit();
	natflow_qdisc_exit();
	natflow_zone_exit();
	natflow_events_exit();
	unregister_pernet_subsys(&net_ops);
	tracepoint_synchronize_unregister();
	natflow_sets_exit();
	rcu_barrier();
	natflow_users_cache_exit();
	natflow_flow_exit();
	natflow_note_exit();
}

module_init(natflow_init);
module_exit(natflow_exit);
/* So that listening for rule sets never has to wait for a module to be loaded. */
MODULE_SOFTDEP("pre: nfnetlink");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forwarding fast path: established flows without the network stack");
MODULE_VERSION(NATFLOW_VERSION);
