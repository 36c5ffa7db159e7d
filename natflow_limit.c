// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates of rules, users and policies: attached to flows, and charged on the stack.
 *
 * A flow is classified once, when it is published; the packet path charges its packets. A
 * hook in FORWARD, behind the firewall's rules, charges the packets that the stack
 * forwards. When rules change, flows that others are for now end: their next packets take
 * the stack, and the flow is published with what is in force.
 *
 * Locks: natflow_net.lock for on and off; the door's lock for rules and users.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "core/base/attach.h"
#include "core/base/charge.h"
#include "core/base/clock.h"
#include "core/base/ct.h"
#include "core/base/segment.h"
#include "core/dscp.h"
#include "core/flow/flow.h"
#include "natflow_limit.h"
#include "natflow_user.h"
#include "policy/access.h"
#include "policy/limits.h"
#include "policy/paced.h"
#include "policy/wire.h"
#include "shape/dscp.h"

#define SWEEP	(10 * HZ)	/* between two looks for buckets of devices that can go */

/* One per namespace; lives as long as its struct natflow_net. */
struct room {
	struct natflow_net *nn;
	struct natflow_limits __rcu *rules;	/* NULL until the first line */
	struct rhashtable users;
	struct natflow_paceds devices;
	struct delayed_work sweep;		/* while a device has a bucket */
	bool on;				/* natflow_net.lock */
	struct nf_hook_ops ops[NATFLOW_FAMILIES];
	atomic_t bound;				/* flows that have a limit */
	u32 zones;				/* natflow_zone_generation() of the last walk */
	u32 paced;				/* natflow_access.paced of it */
	bool halves;				/* flows may have learned another prio= */
	struct work_struct changed;
};

static struct room *room_of(const struct natflow_net *nn)
{
	return nn->room[NATFLOW_SLOT_QOS];
}

/* The record of a user behind a LAN device, or NULL. */
static struct natflow_user *user_of(struct room *room, const struct natflow_limit_flow *f,
				    unsigned int e)
{
	struct natflow_users *users = natflow_user_table(room->nn);
	struct natflow_user_key key;

	if (!users)
		return NULL;
	natflow_user_key_set(&key, f->end[e].addr, f->family);
	key.zone = f->end[e].zone.id;
	return natflow_users_find(users, &key);
}

/* The bucket of the device at an end, if its policy has a rate. */
static void pace(struct room *room, const struct natflow_limit_flow *f, unsigned int e,
		 struct natflow_limit_class *class)
{
	const struct net_device *dev = f->end[e].dev;
	struct natflow_paced_key key;
	struct natflow_user_key who;
	struct mem_cgroup *before;

	natflow_user_key_set(&who, f->end[e].addr, f->family);
	who.zone = f->end[e].zone.id;
	if (!natflow_access_pace(room->nn->access, f->end[e].user ?: user_of(room, f, e), &who,
				 dev ? dev->name : "", &key))
		return;
	before = natflow_charge_begin(room->nn);
	class->device[e] = natflow_paceds_get(&room->devices, &key);
	natflow_charge_end(before);
	class->lacks |= !class->device[e];
	if (!delayed_work_pending(&room->sweep))
		schedule_delayed_work(&room->sweep, SWEEP);
}

/* Context: RCU read side, BH disabled. Return: is anything for it? */
static bool classify(struct room *room, const struct natflow_limits *rules,
		     const struct natflow_limit_flow *flow, struct natflow_limit_class *class)
{
	unsigned int e;

	natflow_limits_classify(rules, &room->users, flow, class);
	for (e = 0; e < 2 && READ_ONCE(room->nn->access->paces); e++)
		if (flow->end[e].zone.lan)
			pace(room, flow, e, class);
	return class->rule >= 0 || class->user[0] || class->user[1] || class->device[0] ||
	       class->device[1] || class->lacks;
}

/* What a flow of this class is charged to, without references. */
static void gather(const struct natflow_limits *rules, const struct natflow_limit_class *class,
		   struct natflow_limit *limit)
{
	const struct natflow_limit_rule *rule =
		class->rule >= 0 && !rules->classid ? &rules->rule[class->rule] : NULL;
	unsigned int e;

	memset(limit, 0, sizeof(*limit));
	if (rule) {
		natflow_limit_add(limit, rule->own.meters, class->rule_end);
		limit->dscp = rule->args.dscp;
		limit->prio = rule->args.prio;
	}
	for (e = 0; e < 2; e++) {
		if (class->user[e])
			natflow_limit_add(limit, class->user[e], e);
		if (class->device[e])
			natflow_limit_add(limit, class->device[e], e);
	}
	if (rule && rule->group)
		natflow_limit_add(limit, rules->group[rule->group - 1].own.meters,
				  class->rule_end);
	for (e = 0; e < 2; e++)
		limit->plain[e] = limit->count[e] == 1 && !limit->dscp && !limit->prio;
}

static void set_end(struct natflow_limit_flow *flow, unsigned int e, const struct natflow_net *nn,
		    const void *addr, __be16 port, const struct net_device *dev)
{
	memset(&flow->end[e], 0, sizeof(flow->end[e]));
	memcpy(flow->end[e].addr, addr, flow->family == NFPROTO_IPV4 ? 4 : 16);
	flow->end[e].port = ntohs(port);
	flow->end[e].dev = dev;
	if (dev)
		flow->end[e].zone = natflow_zone_of(nn, dev);
}

/* -- flows */

static void describe(struct natflow_net *nn, struct natflow_flow *flow,
		     struct natflow_limit_flow *f)
{
	const u8 family = natflow_flow_family(flow);
	unsigned int d;

	f->net = nn->net;
	f->family = family;
	f->proto = natflow_ct_proto(flow->ct);
	for (d = 0; d < 2; d++) {
		const u64 *key = natflow_dir_key(natflow_flow_dir(flow, d, family));

		set_end(f, d, nn, key, natflow_key_tail((void *)key, family)->ports.sport,
			dev_get_by_index_rcu(nn->net, READ_ONCE(flow->l3[d])));
		f->end[d].user = flow->user[d];
	}
}

/* What is in force for a flow. Return: false if there is no bucket for it. */
static bool find(struct room *room, struct natflow_flow *flow, struct natflow_limit *limit)
{
	const struct natflow_limits *rules = rcu_dereference(room->rules);
	struct natflow_limit_class class;
	struct natflow_limit_flow f;

	memset(limit, 0, sizeof(*limit));
	if (!rules)
		return true;
	describe(room->nn, flow, &f);
	if (classify(room, rules, &f, &class))
		gather(rules, &class, limit);
	return !class.lacks;
}

/* Whoever removes buckets meanwhile looks at all flows behind it. */
static bool hold(struct natflow_limit *limit)
{
	unsigned int i;

	for (i = 0; i < limit->owners; i++)
		if (!refcount_inc_not_zero(&limit->owner[i]->ref)) {
			while (i--)
				natflow_meters_put(limit->owner[i]);
			return false;
		}
	return true;
}

/* A copy that the flow keeps, or NULL. */
static struct natflow_limit *keep(struct room *room, const struct natflow_limit *found)
{
	struct mem_cgroup *before = natflow_charge_begin(room->nn);
	struct natflow_limit *limit = kmemdup(found, sizeof(*found), NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	if (limit && hold(limit)) {
		atomic_inc(&room->bound);
		return limit;
	}
	kfree(limit);
	return NULL;
}

/* What the flow keeps, NULL, or an error pointer: then recheck() leaves it to the stack. */
static struct natflow_limit *find_and_keep(struct room *room, struct natflow_flow *flow)
{
	struct natflow_limit found, *limit;
	unsigned int tries;

	/* A bucket of a device may have gone since it was found. */
	for (tries = 0; tries < 2; tries++) {
		if (!find(room, flow, &found))
			break;
		limit = found.owners ? keep(room, &found) : NULL;
		if (limit || !found.owners)
			return limit;
	}
	return ERR_PTR(-ENOMEM);
}

static u8 way_of(const struct natflow_limit *limit, const struct natflow_dir *dir, unsigned int d)
{
	return limit->plain[d] && !(dir->treat & NATFLOW_DIR_MORE) ? NATFLOW_DIR_PLAIN :
								     NATFLOW_DIR_MORE;
}

static void bind(struct natflow_net *nn, struct natflow_flow *flow)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_limit *limit;
	struct natflow_dir *dir;
	unsigned int d;

	smp_mb();	/* behind what bound the flow to its users; pairs with note() in access.c */
	limit = find_and_keep(room_of(nn), flow);
	if (!limit)
		return;
	WRITE_ONCE(flow->limit, limit);
	for (d = 0; d < 2; d++) {
		dir = natflow_flow_dir(flow, d, family);
		if (IS_ERR(limit))
			WRITE_ONCE(dir->tick, natflow_tick_now() - 1);	/* recheck() is asked */
		else if (limit->count[d] || limit->dscp || limit->prio)
			/* pairs with smp_rmb() in natflow_path.c */
			smp_store_release(&dir->treat, dir->treat | way_of(limit, dir, d));
	}
}

static void gone(struct natflow_net *nn, struct natflow_flow *flow)
{
	if (IS_ERR_OR_NULL(flow->limit))
		return;
	natflow_limit_release(flow->limit);
	kfree(flow->limit);
	atomic_dec(&room_of(nn)->bound);
}

static enum natflow_reason recheck(struct natflow_net *nn, struct natflow_flow *flow)
{
	struct room *room = room_of(nn);

	if (unlikely(READ_ONCE(room->zones) != natflow_zone_generation(nn) ||
		     READ_ONCE(room->paced) != READ_ONCE(nn->access->paced)))
		schedule_work(&room->changed);
	return IS_ERR(READ_ONCE(flow->limit)) ? NATFLOW_NO_MEMORY : NATFLOW_OK;
}

static const struct natflow_attach attachment = {
	.bind = bind, .gone = gone, .recheck = recheck,
};

/* Is another rule or user for a flow now? Context: RCU read side. */
static bool differs(struct natflow_flow *flow, const void *arg)
{
	const struct natflow_limit *has = READ_ONCE(flow->limit);
	struct room *room = (void *)arg;
	struct natflow_limit now;
	bool found;

	if (!test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits))
		return room->halves;
	if (IS_ERR(has))
		return true;
	local_bh_disable();
	found = find(room, flow, &now);
	local_bh_enable();
	if (!found)
		return true;
	return has ? memcmp(has, &now, sizeof(now)) : now.owners;
}

/* Flows that are published from here on read what is in force. */
static void review(struct room *room, bool all)
{
	struct natflow_net *nn = room->nn;

	spin_lock_bh(&nn->flows.lock);
	spin_unlock_bh(&nn->flows.lock);
	WRITE_ONCE(room->zones, natflow_zone_generation(nn));
	WRITE_ONCE(room->paced, READ_ONCE(nn->access->paced));
	natflow_flow_flush(nn, NATFLOW_END_LIMIT, all ? NULL : differs, room);
}

/* A device leads to users now, or no more; a user with flows has another rate. */
static void changed(struct work_struct *work)
{
	struct room *room = container_of(work, struct room, changed);

	if (!READ_ONCE(room->nn->dead))
		review(room, false);
}

static void sweep(struct work_struct *work)
{
	struct room *room = container_of(to_delayed_work(work), struct room, sweep);

	natflow_paceds_sweep(&room->devices);
	if (!natflow_paceds_none(&room->devices))
		schedule_delayed_work(&room->sweep, SWEEP);
}

/* -- packets of the stack */

/* The protocol and ports of a packet that conntrack has joined, or that is no fragment. */
static __be16 *read_ports(const struct sk_buff *skb, u8 family, u8 *proto, __be16 *buffer)
{
	int at = skb_network_offset(skb);
	__be16 fragment = 0;

	if (family == NFPROTO_IPV4) {
		*proto = ip_hdr(skb)->protocol;
		fragment = ip_hdr(skb)->frag_off & htons(IP_OFFSET);
		at += ip_hdrlen(skb);
	} else {
		*proto = ipv6_hdr(skb)->nexthdr;
		at = ipv6_skip_exthdr(skb, at + sizeof(struct ipv6hdr), proto, &fragment);
		fragment &= htons(IP6_OFFSET);
	}
	if (at < 0 || fragment || (*proto != IPPROTO_TCP && *proto != IPPROTO_UDP))
		return NULL;
	return skb_header_pointer(skb, at, 2 * sizeof(*buffer), buffer);
}

/* Return: the direction of the packet. */
static unsigned int describe_packet(struct room *room, const struct sk_buff *skb,
				    const struct nf_hook_state *state,
				    struct natflow_limit_flow *f)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);
	const unsigned int d = ct ? CTINFO2DIR(info) : IP_CT_DIR_ORIGINAL;
	__be16 buffer[2], *ports;

	f->net = room->nn->net;
	f->family = state->pf;
	ports = read_ports(skb, state->pf, &f->proto, buffer);
	set_end(f, d, room->nn, natflow_segment_address(skb, state->pf, true),
		ports ? ports[0] : 0, state->in);
	set_end(f, !d, room->nn, natflow_segment_address(skb, state->pf, false),
		ports ? ports[1] : 0, state->out);
	return d;
}

/* The users at both ends of a packet that is dropped. */
static void count_dropped(struct room *room, const struct natflow_limit_flow *f,
			  struct natflow_wire wire)
{
	struct natflow_user *user;
	unsigned int e;

	for (e = 0; e < 2; e++) {
		user = f->end[e].zone.lan ? user_of(room, f, e) : NULL;
		if (user)
			natflow_users_dropped(user, wire.packets, wire.bytes);
	}
}

/* @limit: NULL: there is no bucket for it, and nothing passes */
static unsigned int charge(struct room *room, const struct natflow_limit *limit,
			   const struct natflow_limit_flow *f, unsigned int d, struct sk_buff *skb)
{
	const struct natflow_wire wire = natflow_wire_arrived(skb, f->family);
	struct natflow_pcpu __percpu *pcpu = room->nn->pcpu;

	switch (limit ? natflow_limit_charge(room->nn, limit, d, skb, wire.bytes) :
			NATFLOW_LIMIT_OVER) {
	case NATFLOW_LIMIT_PASS:
		return NF_ACCEPT;
	case NATFLOW_LIMIT_MARKED:
		natflow_stats_reason(pcpu, NATFLOW_DROP_MARKED);
		this_cpu_write(pcpu->marked_of, skb);
		return NF_ACCEPT;
	case NATFLOW_LIMIT_EARLY:
		natflow_stats_reason(pcpu, NATFLOW_DROP_EARLY);
		break;
	default:
		natflow_stats_reason(pcpu, NATFLOW_DROP_OVER);
	}
	count_dropped(room, f, wire);
	return NF_DROP;
}

/* A packet that learning sees knows what it had before. */
static void paint(struct room *room, const struct natflow_limit *limit, struct sk_buff *skb)
{
	struct natflow_painted p = {
		.of = skb, .priority = skb->priority, .ruled = limit->dscp,
	};

	p.from = natflow_dscp_of(skb);
	p.to = limit->dscp ? limit->dscp - 1 : p.from;
	natflow_limit_paint(limit, skb);
	preempt_disable_nested();
	*this_cpu_ptr(&room->nn->pcpu->painted) = p;
	preempt_enable_nested();
}

static unsigned int look(struct room *room, const struct natflow_limits *rules,
			 struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct natflow_limit_class class;
	struct natflow_limit_flow f;
	struct natflow_limit limit;
	const unsigned int d = describe_packet(room, skb, state, &f);

	if (!classify(room, rules, &f, &class))
		return NF_ACCEPT;
	/* What the user receives has the odd number, what it sends the even one. */
	if (class.rule >= 0 && rules->classid)
		skb->mark = 2 * (class.rule + 1) - (d != class.rule_end);
	if (unlikely(class.lacks))
		return charge(room, NULL, &f, d, skb);
	gather(rules, &class, &limit);
	if (limit.dscp || limit.prio)
		paint(room, &limit, skb);
	return limit.count[d] ? charge(room, &limit, &f, d, skb) : NF_ACCEPT;
}

/* FORWARD, behind the firewall's rules, before users are counted. */
static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct room *room = priv;
	const struct natflow_limits *rules = rcu_dereference(room->rules);
	unsigned int verdict = NF_ACCEPT;

	/* An old packet's memory. */
	if (unlikely(this_cpu_read(room->nn->pcpu->painted.of) == skb))
		this_cpu_write(room->nn->pcpu->painted.of, NULL);
	if (natflow_segment_bridged(skb))
		return NF_ACCEPT;
	local_bh_disable();
	if (rules && (rules->count || !natflow_limit_users_none(&room->users) ||
		      READ_ONCE(room->nn->access->paces)))
		verdict = look(room, rules, skb, state);
	if (verdict == NF_ACCEPT)
		natflow_dscp_restore(room->nn, skb, state);
	local_bh_enable();
	return verdict;
}

/* -- on and off */

static int hook(struct room *room)
{
	static const u8 family[NATFLOW_FAMILIES] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i;

	for (i = 0; i < NATFLOW_FAMILIES; i++) {
		struct nf_hook_ops *ops = &room->ops[i];

		*ops = (struct nf_hook_ops) {
			.hook = forward, .priv = room, .pf = family[i],
			.hooknum = NF_INET_FORWARD, .priority = INT_MAX - 1,
		};
	}
	return nf_register_net_hooks(room->nn->net, room->ops, NATFLOW_FAMILIES);
}

/* An empty table, before any hook or flow reads it. */
static int make_rules(struct room *room)
{
	struct natflow_limits *rules;

	if (rcu_access_pointer(room->rules))
		return 0;
	rules = natflow_limits_alloc(NULL, 0);
	if (!rules)
		return -ENOMEM;
	rcu_assign_pointer(room->rules, rules);
	return 0;
}

static int switch_on(struct room *room)
{
	struct natflow_net *nn = room->nn;
	int err = make_rules(room);

	if (!err)
		err = natflow_attach_add(nn, NATFLOW_SLOT_QOS, &attachment);
	if (err)
		return err;
	err = hook(room);
	if (err)
		natflow_attach_remove(nn, NATFLOW_SLOT_QOS);
	room->on = !err;
	return err;
}

/**
 * natflow_limit_start() - everything that can fail before rules or limits come into force
 * @nn: namespace
 *
 * Hooks stay until the namespace goes; without rules and limits they do nothing.
 *
 * Context: process, may sleep, neither natflow_net.lock nor RTNL held.
 * Return: 0 or an errno.
 */
int natflow_limit_start(struct natflow_net *nn)
{
	struct room *room = room_of(nn);
	int err = natflow_charge_start(nn) ?: natflow_zone_start(nn);

	if (err)
		return err;
	mutex_lock(&nn->lock);
	if (!room->on)
		err = switch_on(room);
	mutex_unlock(&nn->lock);
	return err;
}

/**
 * natflow_limit_rules() - rules in force
 * @nn: namespace
 *
 * Context: the lock that excludes writers. Return: NULL until natflow_limit_start().
 */
const struct natflow_limits *natflow_limit_rules(const struct natflow_net *nn)
{
	return rcu_dereference_protected(room_of(nn)->rules, true);
}

/**
 * natflow_limit_set_rules() - replace the rules
 * @nn: namespace, behind natflow_limit_start()
 * @limits: taken over
 *
 * They are in force for the next packet of every flow. Rules for the same flows keep
 * their buckets.
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_limit_set_rules(struct natflow_net *nn, struct natflow_limits *limits)
{
	struct natflow_limits *old = rcu_dereference_protected(room_of(nn)->rules, true);
	const bool marks = limits->classid || old->classid;

	room_of(nn)->halves = limits->paints || old->paints;
	natflow_limits_enact(limits);
	rcu_assign_pointer(room_of(nn)->rules, limits);
	review(room_of(nn), marks);
	synchronize_rcu_expedited();
	natflow_limits_free(old);
}

/**
 * natflow_limit_set_user() - limit an address, or no more
 * @nn: namespace, behind natflow_limit_start()
 * @args: address and rates
 *
 * Context: process, may sleep; writers exclude each other. natflow_limit_review() follows.
 * Return: 0 or an errno.
 */
int natflow_limit_set_user(struct natflow_net *nn, const struct natflow_token_args *args)
{
	return natflow_limit_users_set(&room_of(nn)->users, args);
}

/**
 * natflow_limit_review() - end flows that other limits are for now
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_limit_review(struct natflow_net *nn)
{
	review(room_of(nn), false);
}

/**
 * natflow_limit_net_init() - no rules
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_limit_net_init(struct natflow_net *nn)
{
	struct room *room = kzalloc(sizeof(*room), GFP_KERNEL_ACCOUNT);

	if (!room)
		return -ENOMEM;
	if (natflow_limit_users_init(&room->users))
		goto no_users;
	if (natflow_paceds_init(&room->devices))
		goto no_devices;
	room->nn = nn;
	INIT_DELAYED_WORK(&room->sweep, sweep);
	INIT_WORK(&room->changed, changed);
	nn->room[NATFLOW_SLOT_QOS] = room;
	return 0;

no_devices:
	natflow_limit_users_exit(&room->users);
no_users:
	kfree(room);
	return -ENOMEM;
}

/**
 * natflow_limit_net_stop() - no packet and no flow uses it from here on
 * @nn: namespace that is dead, without doors
 *
 * Context: process, may sleep.
 */
void natflow_limit_net_stop(struct natflow_net *nn)
{
	struct room *room = room_of(nn);

	mutex_lock(&nn->lock);
	if (room->on) {
		nf_unregister_net_hooks(nn->net, room->ops, NATFLOW_FAMILIES);
		synchronize_net();
		natflow_flow_flush(nn, NATFLOW_END_NETNS, NULL, NULL);
		/* The undertaker frees flows, and does not take the lock. */
		while (atomic_read(&room->bound))
			schedule_timeout_uninterruptible(1);
		natflow_attach_remove(nn, NATFLOW_SLOT_QOS);
	}
	room->on = false;
	mutex_unlock(&nn->lock);
	cancel_work_sync(&room->changed);
	cancel_delayed_work_sync(&room->sweep);
}

/**
 * natflow_limit_net_exit() - free it
 * @nn: namespace, stopped
 *
 * Buckets are freed behind the next rcu_barrier().
 */
void natflow_limit_net_exit(struct natflow_net *nn)
{
	struct room *room = room_of(nn);

	natflow_limits_free(rcu_dereference_protected(room->rules, true));
	natflow_limit_users_exit(&room->users);
	natflow_paceds_exit(&room->devices);
	kfree(room);
}
