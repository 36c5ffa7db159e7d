// SPDX-License-Identifier: GPL-2.0-only
/*
 * natflow_hwnat.ko: flows in hardware, as a feature of natflow.ko in each network
 * namespace. Teardown of a namespace: natflow makes no call any more - the worker
 * stops - entries are deleted - ports are unbound.
 */
#include <linux/module.h>
#include "../control/api.h"
#include "room.h"

unsigned int natflow_hwnat_id __read_mostly;
struct workqueue_struct *natflow_hwnat_wq;
const struct natflow_hwnat_backend *natflow_hwnat_backend;

static char *backend = "flowblk";
module_param(backend, charp, 0444);
MODULE_PARM_DESC(backend, "flowblk: drivers with TC_SETUP_FT; ppe: MediaTek's driver with our patches; null: a dry run, which counts what would be in hardware");

static const struct natflow_hwnat_backend * const backends[] = {
	&natflow_hwnat_null,
	&natflow_hwnat_flowblk,
	&natflow_hwnat_ppe,
};

static int choose_backend(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(backends); i++) {
		if (!strcmp(backend, backends[i]->name)) {
			natflow_hwnat_backend = backends[i];
			return 0;
		}
	}
	pr_err("natflow_hwnat: no backend=%s\n", backend);
	return -EINVAL;
}

static int __net_init net_init(struct net *net)
{
	struct natflow_hwnat_room *room = net_generic(net, natflow_hwnat_id);
	unsigned int i;
	int err;

	room->net = net;
	room->config.hwnat = NATFLOW_HWNAT_DEFAULT;
	room->config.limit = NATFLOW_HWNAT_LIMIT;
	spin_lock_init(&room->lock);
	mutex_init(&room->drivers);
	INIT_LIST_HEAD(&room->offered);
	INIT_LIST_HEAD(&room->installing);
	INIT_LIST_HEAD(&room->live);
	INIT_LIST_HEAD(&room->doubted);
	INIT_LIST_HEAD(&room->removing);
	INIT_LIST_HEAD(&room->kept);
	INIT_LIST_HEAD(&room->polled);
	INIT_LIST_HEAD(&room->ports);
	INIT_LIST_HEAD(&room->struck);
	for (i = 0; i < NATFLOW_HWNAT_LEAVES; i++)
		INIT_LIST_HEAD(&room->leaves[i]);
	INIT_WORK(&room->install, natflow_hwnat_install);
	INIT_DELAYED_WORK(&room->poll, natflow_hwnat_poll);
	err = natflow_hwnat_control_net_init(room);
	if (err)
		return err;
	err = natflow_feature_attach(net, NATFLOW_SLOT_HW, &natflow_hwnat_attach);
	if (err)
		natflow_hwnat_control_net_exit(room);
	return err;
}

/* An offer that was entered before the detachment is withdrawn here, too. */
static void __net_exit net_exit(struct net *net)
{
	struct natflow_hwnat_room *room = net_generic(net, natflow_hwnat_id);

	natflow_feature_detach(net, NATFLOW_SLOT_HW);
	spin_lock_irq(&room->lock);
	room->closed = true;
	spin_unlock_irq(&room->lock);
	natflow_hwnat_withdraw_all(room);
	flush_work(&room->install);	/* an object that is being installed is removed, too */
	mutex_lock(&room->drivers);
	natflow_hwnat_drain(room);
	mutex_unlock(&room->drivers);
	WARN_ON_ONCE(room->total);
	/* Without flows neither queues the other. */
	cancel_delayed_work_sync(&room->poll);
	cancel_work_sync(&room->install);
	natflow_hwnat_ports_exit(room);
	natflow_hwnat_control_net_exit(room);
}

static struct pernet_operations net_ops = {
	.init	= net_init,
	.exit	= net_exit,
	.id	= &natflow_hwnat_id,
	.size	= sizeof(struct natflow_hwnat_room),
};

static int __init natflow_hwnat_init(void)
{
	int err = choose_backend();

	if (err)
		return err;
	/* In order: an offer of a flow that was withdrawn comes after its removal. */
	natflow_hwnat_wq = alloc_ordered_workqueue("natflow_hwnat", 0);
	if (!natflow_hwnat_wq)
		return -ENOMEM;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto err_wq;
	err = natflow_hwnat_ports_init();
	if (err)
		goto err_net;
	err = natflow_hwnat_control_init();
	if (err)
		goto err_ports;
	return 0;

err_ports:
	natflow_hwnat_ports_stop();
err_net:
	unregister_pernet_subsys(&net_ops);
err_wq:
	destroy_workqueue(natflow_hwnat_wq);
	return err;
}

static void __exit natflow_hwnat_exit(void)
{
	natflow_hwnat_control_exit();
	natflow_hwnat_ports_stop();
	unregister_pernet_subsys(&net_ops);
	destroy_workqueue(natflow_hwnat_wq);
	rcu_barrier();
}

module_init(natflow_hwnat_init);
module_exit(natflow_hwnat_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Hardware NAT for natflow");
