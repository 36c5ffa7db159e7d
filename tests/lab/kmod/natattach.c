// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two features that count what natflow asks and tells them, in the network
 * namespace of insmod:
 *
 *   /proc/natlab_attach	one line a counter, "SLOT.COUNTER N"; SLOT is user or hw
 *   SLOT_check=R		parameter: refuse each flow with reason number R, 0: none
 *   SLOT_recheck=R		the same for each packet that is rechecked
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include "control/api.h"

enum counter { CHECK, BIND, END, RECHECK, EGRESS, REASON, PACKETS, BYTES = PACKETS + 2,
	       WIRE_PACKETS = BYTES + 2, WIRE_BYTES = WIRE_PACKETS + 2, GONE = WIRE_BYTES + 2,
	       COUNTERS };

static const char * const names[COUNTERS] = {
	"check", "bind", "end", "recheck", "egress", "reason",
	"packets0", "packets1", "bytes0", "bytes1",
	"wire_packets0", "wire_packets1", "wire_bytes0", "wire_bytes1", "gone",
};

struct feature {
	const char *name;
	enum natflow_slot slot;
	atomic64_t counter[COUNTERS];
	int refuse[RECHECK + 1];	/* the answer to CHECK and RECHECK */
	struct natflow_attach ops;
};

static struct net *net;

static enum natflow_reason answer(struct feature *f, enum counter which)
{
	atomic64_inc(&f->counter[which]);
	return READ_ONCE(f->refuse[which]);
}

static void fold(struct feature *f, unsigned int dir, const struct natflow_folded *hits)
{
	atomic64_add(hits->packets, &f->counter[PACKETS + dir]);
	atomic64_add(hits->bytes, &f->counter[BYTES + dir]);
	atomic64_add(hits->wire_packets, &f->counter[WIRE_PACKETS + dir]);
	atomic64_add(hits->wire_bytes, &f->counter[WIRE_BYTES + dir]);
}

/* A call has no argument that tells features apart: each has functions of its own. */
#define FEATURE(f, number)									\
static struct feature f;									\
static enum natflow_reason f##_check(struct natflow_net *nn, const struct nf_conn *ct,		\
					   struct natflow_watch *watch)				\
{												\
	return answer(&f, CHECK);								\
}												\
static enum natflow_reason f##_recheck(struct natflow_net *nn, struct natflow_flow *flow)	\
{												\
	return answer(&f, RECHECK);								\
}												\
static void f##_bind(struct natflow_net *nn, struct natflow_flow *flow)				\
{												\
	atomic64_inc(&f.counter[BIND]);								\
}												\
static void f##_fold(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,	\
			   const struct natflow_folded *hits)					\
{												\
	fold(&f, dir, hits);									\
}												\
static void f##_end(struct natflow_net *nn, struct natflow_flow *flow,				\
			  enum natflow_reason reason)						\
{												\
	atomic64_inc(&f.counter[END]);								\
	atomic64_set(&f.counter[REASON], reason);						\
}												\
static void f##_gone(struct natflow_net *nn, struct natflow_flow *flow)				\
{												\
	atomic64_inc(&f.counter[GONE]);								\
}												\
static void f##_egress(struct natflow_net *nn, struct natflow_egress *eg)			\
{												\
	atomic64_inc(&f.counter[EGRESS]);							\
}												\
static struct feature f = {									\
	.name = #f, .slot = number,								\
	.ops = {										\
		.check = f##_check, .recheck = f##_recheck,					\
		.bind = f##_bind, .fold = f##_fold, .end = f##_end,				\
		.gone = f##_gone,								\
		.egress_changed = f##_egress,							\
	},											\
};												\
module_param_named(f##_check, f.refuse[CHECK], int, 0600);					\
module_param_named(f##_recheck, f.refuse[RECHECK], int, 0600)

FEATURE(user, NATFLOW_SLOT_USER);
FEATURE(hw, NATFLOW_SLOT_HW);

static struct feature * const features[] = { &user, &hw };

static int show(struct seq_file *m, void *unused)
{
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(features); i++)
		for (n = 0; n < COUNTERS; n++)
			seq_printf(m, "%s.%s %lld\n", features[i]->name, names[n],
				   atomic64_read(&features[i]->counter[n]));
	return 0;
}

static struct proc_dir_entry *door;

static int __init natattach_init(void)
{
	int err;

	net = get_net(current->nsproxy->net_ns);
	err = natflow_feature_attach(net, user.slot, &user.ops);
	if (err)
		goto err_net;
	err = natflow_feature_attach(net, hw.slot, &hw.ops);
	if (err)
		goto err_user;
	err = -ENOMEM;
	door = proc_create_single_data("natlab_attach", 0600, NULL, show, NULL);
	if (!door)
		goto err_hw;
	return 0;

err_hw:
	natflow_feature_detach(net, hw.slot);
err_user:
	natflow_feature_detach(net, user.slot);
err_net:
	put_net(net);
	return err;
}

static void __exit natattach_exit(void)
{
	proc_remove(door);
	natflow_feature_detach(net, hw.slot);
	natflow_feature_detach(net, user.slot);
	put_net(net);
}

module_init(natattach_init);
module_exit(natattach_exit);
MODULE_DESCRIPTION("Features that count what natflow tells them, for the lab");
MODULE_LICENSE("GPL");
