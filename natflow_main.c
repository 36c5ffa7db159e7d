// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: one ladder up, the same ladder down, and the birth and death of
 * its part of a network namespace. Teardown goes in five beats:
 *
 *   unpublish (hooks, doors) - synchronize_net() - stop workers, end flows -
 *   rcu_barrier() - free
 */
#include <linux/module.h>
#include <linux/tracepoint.h>
#include <net/net_namespace.h>
#include "control/ctl.h"
#include "control/door.h"
#include "control/proc.h"
#include "control/queue.h"
#include "control/settings.h"
#include "control/store.h"
#include "core/ageing.h"
#include "core/topo/egress.h"
#include "core/events.h"
#include "core/flow/flow.h"
#include "core/hooks.h"
#include "core/base/log.h"
#include "core/base/netns.h"
#include "core/rules.h"
#include "lib/text/settings.h"
#include "natflow_path.h"
#include "natflow_urllogger.h"
#include "policy/sets.h"

unsigned int natflow_net_id __read_mostly;

static void net_setup(struct natflow_net *nn, struct net *net)
{
	nn->net = net;
	nn->ingress = natflow_path_ingress;
	nn->arrival = natflow_path_arrival;
	nn->config.flow_limit = NATFLOW_DEFAULT_flow_limit;
	nn->config.debug = NATFLOW_DEFAULT_debug;
	mutex_init(&nn->lock);
	spin_lock_init(&nn->egress_lock);
	hash_init(nn->ports);
	hash_init(nn->egresses);
	INIT_WORK(&nn->sync, natflow_hooks_work);
	INIT_DELAYED_WORK(&nn->tick, natflow_ageing_tick);
}

static int __net_init net_init(struct net *net)
{
	struct natflow_net *nn = natflow_net(net);
	int err;

	net_setup(nn, net);
	nn->pcpu = natflow_stats_alloc();
	if (!nn->pcpu)
		return -ENOMEM;
	err = natflow_flow_net_init(nn);
	if (err)
		goto err_pcpu;
	err = natflow_log_init(nn);
	if (err)
		goto err_flow;
	err = natflow_urllogger_net_init(nn);
	if (err)
		goto err_log;
	err = natflow_door_net_init(nn);
	if (err)
		goto err_urllogger;
	err = natflow_store_net_init(nn);
	if (err)
		goto err_door;
	err = natflow_proc_net_init(nn);
	if (err)
		goto err_store;
	return 0;

err_store:
	natflow_store_net_exit(nn);
	natflow_urllogger_net_stop(nn);		/* somebody may have been quick */
	rcu_barrier();
err_door:
	natflow_door_net_exit(nn);
err_urllogger:
	natflow_urllogger_net_exit(nn);
err_log:
	natflow_log_exit(nn);
err_flow:
	natflow_flow_net_exit(nn);
err_pcpu:
	free_percpu(nn->pcpu);
	return err;
}

static void __net_exit net_pre_exit(struct net *net)
{
	natflow_rules_close(natflow_net(net));
}

/*
 * Conntrack's own exit, which comes later, waits until nobody holds a
 * conntrack: all flows are ended and freed here. Two barriers, because the
 * callback of a killed egress may queue the one that frees it.
 */
static void __net_exit net_exit_batch(struct list_head *nets)
{
	struct net *net;

	list_for_each_entry(net, nets, exit_list) {
		struct natflow_net *nn = natflow_net(net);

		natflow_proc_net_exit(nn);
		natflow_store_net_exit(nn);
		natflow_door_net_exit(nn);
		natflow_hooks_exit(nn);
		natflow_urllogger_net_stop(nn);
		natflow_flow_flush(nn, NATFLOW_END_NETNS, NULL, NULL);
		natflow_ageing_stop(nn);
		cancel_work_sync(&nn->sync);	/* the tick may have queued it once more */
	}
	list_for_each_entry(net, nets, exit_list) {
		flush_work(&natflow_net(net)->undertaker);
		natflow_egress_exit(natflow_net(net));
	}
	rcu_barrier();
	rcu_barrier();
	list_for_each_entry(net, nets, exit_list) {
		struct natflow_net *nn = natflow_net(net);

		natflow_flow_net_exit(nn);
		natflow_urllogger_net_exit(nn);
		natflow_log_exit(nn);
		free_percpu(nn->pcpu);
	}
}

static struct pernet_operations net_ops = {
	.init		= net_init,
	.pre_exit	= net_pre_exit,
	.exit_batch	= net_exit_batch,
	.id		= &natflow_net_id,
	.size		= sizeof(struct natflow_net),
};

static int __init natflow_init(void)
{
	int err;

	err = natflow_flow_init();
	if (err)
		return err;
	err = natflow_sets_init();
	if (err)
		goto err_flow;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_sets;
	err = natflow_events_init();
	if (err)
		goto err_net;
	err = natflow_proc_init();
	if (err)
		goto err_events;
	err = natflow_ctl_init();
	if (err)
		goto err_proc;
	err = natflow_queue_init();
	if (err)
		goto err_ctl;
	pr_info("natflow " NATFLOW_VERSION ": iptables -I FORWARD 1 -j FLOWOFFLOAD\n");
	return 0;

err_ctl:
	natflow_ctl_exit();
err_proc:
	natflow_proc_exit();
err_events:
	natflow_events_exit();
err_net:
	unregister_pernet_subsys(&net_ops);
err_sets:
	natflow_sets_exit();
err_flow:
	rcu_barrier();
	natflow_flow_exit();
	return err;
}

static void __exit natflow_exit(void)
{
	natflow_queue_exit();
	natflow_ctl_exit();
	natflow_proc_exit();
	natflow_events_exit();
	unregister_pernet_subsys(&net_ops);
	tracepoint_synchronize_unregister();
	natflow_sets_exit();
	rcu_barrier();
	natflow_flow_exit();
}

module_init(natflow_init);
module_exit(natflow_exit);
/* So that listening for rule sets never has to wait for a module to be loaded. */
MODULE_SOFTDEP("pre: nfnetlink");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Forwarding fast path: established flows without the network stack");
MODULE_VERSION(NATFLOW_VERSION);
