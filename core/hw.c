// SPDX-License-Identifier: GPL-2.0-only
/* What a hardware back end learns of a flow, and what it tells the flow. */
#include <linux/if_arp.h>
#include <linux/module.h>
#include "ask.h"
#include "base/attach.h"
#include "base/clock.h"
#include "base/ct.h"
#include "flow/flow.h"
#include "hw.h"
#include "topo/descend.h"
#include "topo/egress.h"

#define TRIES 4	/* to describe a flow while events come */

static void copy_tuple(const union natflow_key *key, u8 family, struct natflow_hw_tuple *t)
{
	const struct natflow_key_tail *tail = family == NFPROTO_IPV4 ? &key->v4.tail :
								       &key->v6.tail;

	if (family == NFPROTO_IPV4) {
		t->src[0] = key->v4.addrs.saddr;
		t->dst[0] = key->v4.addrs.daddr;
	} else {
		memcpy(t->src, &key->v6.addrs.saddr, sizeof(t->src));
		memcpy(t->dst, &key->v6.addrs.daddr, sizeof(t->dst));
	}
	t->sport = tail->ports.sport;
	t->dport = tail->ports.dport;
}

static void copy_tuples(const struct nf_conn *ct, unsigned int d, u8 family,
			struct natflow_hw_dir *to)
{
	union natflow_key key;

	natflow_ct_key(ct, d, 0, &key);
	copy_tuple(&key, family, &to->before);
	natflow_ct_after(ct, d, &key);
	copy_tuple(&key, family, &to->after);
}

static void copy_next_hop(struct natflow_egress *eg, u8 *mac)
{
	char ha[ALIGN(MAX_ADDR_LEN, sizeof(unsigned long))];

	if (eg->out->type != ARPHRD_ETHER || eg->out->flags & IFF_NOARP)
		return;
	neigh_ha_snapshot(ha, eg->neigh, eg->out);
	memcpy(mac, ha, ETH_ALEN);
}

/* May each packet of this direction take the egress of the last one? */
static bool is_steady(struct natflow_flow *flow, const struct natflow_dir *dir,
		      const struct natflow_egress *eg)
{
	const struct natflow_meta *meta = &flow->meta[dir->flags & NATFLOW_DIR_REPLY];

	return !(READ_ONCE(dir->look) & (NATFLOW_DIR_REWRITTEN | NATFLOW_DIR_VARIES)) &&
	       READ_ONCE(flow->ct->mark) == READ_ONCE(meta->ct_mark) &&
	       natflow_egress_mtu_holds(eg) && natflow_bypass_holds(&eg->down.bypass);
}

/* Would the packet path send the direction's packets now? Context: RCU read side, BH disabled. */
static bool describe_dir(struct natflow_flow *flow, unsigned int d, struct natflow_hw_flow *to)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	struct natflow_hw_dir *out = &to->dir[d];
	struct natflow_egress *eg;

	if (!natflow_ask_unseen(flow, d))
		return false;
	/* As the packet path reads them; pairs with the release in write_dir(). */
	if (smp_load_acquire(&dir->clock) != natflow_clock(flow->nn, family))
		return false;
	eg = rcu_dereference(dir->egress);
	if (!eg || !READ_ONCE(eg->alive) || !is_steady(flow, dir, eg))
		return false;
	copy_tuples(flow->ct, d, family, out);
	out->in = READ_ONCE(flow->iif[d]);
	out->in_l3 = READ_ONCE(flow->l3[d]);
	out->out_l3 = eg->out->ifindex;
	out->egress = eg;
	out->mtu = READ_ONCE(eg->mtu);
	copy_next_hop(eg, out->next_hop);
	if (READ_ONCE(dir->treat) & NATFLOW_DIR_TREATED)
		to->limited = true;
	/* data_race(): a concurrent lesson is seen at the next look. */
	if (data_race(flow->meta[d].watched || flow->meta[d].strict))
		to->watched = true;
	/* Neither a lesson nor an event came between. */
	smp_rmb();
	return READ_ONCE(dir->clock) == natflow_clock(flow->nn, family) && READ_ONCE(eg->alive);
}

/* Was it selected by --hw, or by a setting instead of a rule? */
static bool is_asked(const struct natflow_flow *flow)
{
	const struct natflow_config *c = &flow->nn->config;
	const u8 select = READ_ONCE(c->select);

	if (test_bit(NATFLOW_FLOW_HW, &flow->bits))
		return true;
	return select == NATFLOW_SELECT_AUTO ? !atomic_read(&flow->nn->rules) :
					       select != NATFLOW_SELECT_RULES;
}

static bool may_be_unseen(struct natflow_flow *flow)
{
	return test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits) &&
	       !test_bit(NATFLOW_FLOW_DEAD, &flow->bits) &&
	       !test_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits) &&
	       natflow_ct_alive(flow->ct) && !natflow_ct_eligible(flow->ct);
}

static bool describe(struct natflow_flow *flow, struct natflow_hw_flow *d)
{
	return may_be_unseen(flow) && describe_dir(flow, 0, d) && describe_dir(flow, 1, d) &&
	       !natflow_attach_recheck(flow->nn, flow);
}

/**
 * natflow_hw_describe() - how hardware would have to forward a flow
 * @flow: flow with a reference
 * @d: filled in completely; two descriptions are equal byte by byte if nothing differs
 *
 * If the route clock moved, the flow asks for its routes first, as a packet would. It
 * asks again if the clock moves meanwhile, some times: events may come one after the
 * other.
 *
 * Context: any but hard irq.
 * Return: false if the next packet of the flow would take the stack: its route
 * changed, its next hop is dead, a feature does not agree, its conntrack ends.
 */
bool natflow_hw_describe(struct natflow_flow *flow, struct natflow_hw_flow *d)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_net *nn = flow->nn;
	unsigned int n = 0;
	u32 clock;
	bool ok;

	memset(d, 0, sizeof(*d));
	d->number = flow->number;
	d->family = family;
	d->proto = natflow_ct_proto(flow->ct);
	d->asked = is_asked(flow);
	d->zone = natflow_ct_zone(flow->ct);
	local_bh_disable();
	rcu_read_lock();
	do {
		clock = natflow_clock(nn, family);
		ok = describe(flow, d);
	} while (!ok && clock != natflow_clock(nn, family) && ++n < TRIES);
	rcu_read_unlock();
	local_bh_enable();
	if (ok && natflow_attach_urgent(nn, flow))
		d->watched = true;
	return ok;
}
EXPORT_SYMBOL_GPL(natflow_hw_describe);

/**
 * natflow_hw_mark() - what a flow keeps for the back end
 * @flow: flow, in one of the back end's calls or with a reference
 */
struct natflow_hw_mark *natflow_hw_mark(struct natflow_flow *flow)
{
	return &flow->hw;
}
EXPORT_SYMBOL_GPL(natflow_hw_mark);

/**
 * natflow_hw_hold() - take a reference
 * @flow: flow, in one of the back end's calls
 *
 * Return: false if the last reference is gone.
 */
bool natflow_hw_hold(struct natflow_flow *flow)
{
	return refcount_inc_not_zero(&flow->ref);
}
EXPORT_SYMBOL_GPL(natflow_hw_hold);

/**
 * natflow_hw_put() - drop the reference
 * @flow: flow; its natflow_attach.gone() may follow one grace period later
 *
 * Context: any.
 */
void natflow_hw_put(struct natflow_flow *flow)
{
	natflow_flow_put(flow);
}
EXPORT_SYMBOL_GPL(natflow_hw_put);

/**
 * natflow_hw_unseen() - from now on packets of the flow may pass unseen
 * @flow: flow with a reference
 *
 * Context: any but hard irq; before hardware knows the flow.
 */
void natflow_hw_unseen(struct natflow_flow *flow)
{
	natflow_ct_be_liberal(flow->ct);
}
EXPORT_SYMBOL_GPL(natflow_hw_unseen);

/* Hardware had packets: neighbours are confirmed, and the flow is not evicted. */
static void note_use(struct natflow_flow *flow, unsigned int d)
{
	struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));
	struct natflow_egress *eg;

	set_bit(NATFLOW_FLOW_SECOND_CHANCE, &flow->bits);
	rcu_read_lock();
	eg = rcu_dereference(dir->egress);
	if (eg)
		WRITE_ONCE(eg->used, natflow_tick_now());
	rcu_read_unlock();
	natflow_ct_refresh(flow->ct);
}

/**
 * natflow_hw_account() - hardware forwarded packets
 * @flow: flow with a reference
 * @dir: their direction, IP_CT_DIR_*
 * @packets: since the last call
 * @bytes: their L3 bytes
 *
 * They reach the flow, its users and its conntrack as those of the packet path do.
 *
 * Context: any but hard irq.
 */
void natflow_hw_account(struct natflow_flow *flow, unsigned int dir, u64 packets, u64 bytes)
{
	const struct natflow_folded f = {
		.packets = packets, .bytes = bytes,
		.wire_packets = packets, .wire_bytes = bytes, .hw = true,
	};

	natflow_flow_count(flow, dir, &f);
	note_use(flow, dir);
}
EXPORT_SYMBOL_GPL(natflow_hw_account);

/**
 * natflow_hw_alive() - hardware forwarded packets of a flow, and nobody counted them
 * @flow: flow with a reference
 * @dir: their direction, IP_CT_DIR_*
 *
 * Context: any but hard irq.
 */
void natflow_hw_alive(struct natflow_flow *flow, unsigned int dir)
{
	WRITE_ONCE(flow->used, jiffies);
	note_use(flow, dir);
}
EXPORT_SYMBOL_GPL(natflow_hw_alive);
