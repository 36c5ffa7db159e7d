// SPDX-License-Identifier: GPL-2.0-only
/*
 * A feature that does nothing but count what the engine tells it, in the slot of
 * hardware back ends, in every namespace.
 *
 *   cat /proc/net/natlab_told: one line, "KEY=COUNT ..." since the module was loaded
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "control/api.h"
#include "core/base/netns.h"
#include "core/topo/egress.h"

enum told {
	IP4, IP6, PATHS, BRIDGES, DEVICE, CARRIER,	/* by the bit in enum natflow_doubt */
	KILLED, REWRITTEN, BOUND, ENDED, TOLD
};

static const char * const told_name[TOLD] = {
	"ip4", "ip6", "paths", "bridges", "device", "carrier",
	"killed", "rewritten", "bound", "ended",
};

struct listener {
	atomic_t told[TOLD];
};

static unsigned int listener_id;

static void count(const struct natflow_net *nn, enum told what)
{
	struct listener *listener = net_generic(nn->net, listener_id);

	atomic_inc(&listener->told[what]);
}

static void bind(struct natflow_net *nn, struct natflow_flow *flow)
{
	count(nn, BOUND);
}

static void end(struct natflow_net *nn, struct natflow_flow *flow, enum natflow_reason reason)
{
	count(nn, ENDED);
}

static void egress_changed(struct natflow_net *nn, struct natflow_egress *eg)
{
	count(nn, eg->alive ? REWRITTEN : KILLED);
}

static void doubt(struct natflow_net *nn, unsigned int what, const struct net_device *dev)
{
	unsigned int bit;

	for (bit = IP4; bit <= CARRIER; bit++)
		if (what & BIT(bit))
			count(nn, bit);
	WARN_ON(!dev != !(what & (NATFLOW_DOUBT_DEVICE | NATFLOW_DOUBT_CARRIER)));
}

static const struct natflow_attach ops = {
	.bind = bind, .end = end, .egress_changed = egress_changed, .doubt = doubt,
};

static int told_show(struct seq_file *m, void *unused)
{
	struct listener *listener = net_generic(seq_file_single_net(m), listener_id);
	unsigned int i;

	for (i = 0; i < TOLD; i++)
		seq_printf(m, "%s=%u ", told_name[i], atomic_read(&listener->told[i]));
	seq_putc(m, '\n');
	return 0;
}

static int __net_init listener_init(struct net *net)
{
	int err = natflow_feature_attach(net, NATFLOW_SLOT_HW, &ops);

	if (err)
		return err;
	if (proc_create_net_single("natlab_told", 0400, net->proc_net, told_show, NULL))
		return 0;
	natflow_feature_detach(net, NATFLOW_SLOT_HW);
	return -ENOMEM;
}

static void __net_exit listener_exit(struct net *net)
{
	remove_proc_entry("natlab_told", net->proc_net);
	natflow_feature_detach(net, NATFLOW_SLOT_HW);
}

static struct pernet_operations net_ops = {
	.init = listener_init,
	.exit = listener_exit,
	.id = &listener_id,
	.size = sizeof(struct listener),
};

static int __init natlisten_init(void)
{
	BUILD_BUG_ON(BIT(CARRIER) != NATFLOW_DOUBT_CARRIER);
	return register_pernet_subsys(&net_ops);
}

static void __exit natlisten_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}

module_init(natlisten_init);
module_exit(natlisten_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("The lab's listener of natflow's events");
