// SPDX-License-Identifier: GPL-2.0-only
/* Slots for features: attach, detach, and the calls in the order of the slots. */
#include <linux/jump_label.h>
#include <linux/srcu.h>
#include "attach.h"

/* True while a namespace has a feature attached. */
static DEFINE_STATIC_KEY_FALSE(attached);

/* Read side: settle(), which may sleep. */
DEFINE_STATIC_SRCU(settling);

/* The feature in a slot, or NULL. Context: RCU read side. */
static const struct natflow_attach *ops_of(const struct natflow_net *nn, unsigned int slot)
{
	return rcu_dereference(nn->attached[slot].ops);
}

/* The same, if flow @number was selected after the feature attached. */
static const struct natflow_attach *owner_of(const struct natflow_net *nn, unsigned int slot,
					     u64 number)
{
	const struct natflow_attach *ops = ops_of(nn, slot);

	return ops && number > nn->attached[slot].since ? ops : NULL;
}

/**
 * natflow_attach_check() - may the flow of a packet be learned?
 * @nn: namespace
 * @ct: conntrack of the packet, which the stack is about to send
 * @watch: zeroed; features say here which packets they want to see nevertheless
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or the learn reason of the first feature that refuses.
 */
enum natflow_reason natflow_attach_check(struct natflow_net *nn, const struct nf_conn *ct,
					 struct natflow_watch *watch)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return NATFLOW_OK;
	for (slot = 0; slot < NATFLOW_SLOTS && !reason; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		if (ops && ops->check)
			reason = ops->check(nn, ct, watch);
	}
	return reason;
}

/**
 * natflow_attach_recheck() - do all features still agree to a published flow?
 * @nn: namespace
 * @flow: flow with a hit in a new tick
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or the refuse reason of the first feature that does not.
 */
enum natflow_reason natflow_attach_recheck(struct natflow_net *nn, struct natflow_flow *flow)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return NATFLOW_OK;
	for (slot = 0; slot < NATFLOW_SLOTS && !reason; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		if (ops && ops->recheck)
			reason = ops->recheck(nn, flow);
	}
	return reason;
}

/**
 * natflow_attach_urgent() - does a feature want to know a flow's hits now?
 * @nn: namespace
 * @flow: active flow
 *
 * Context: process.
 */
bool natflow_attach_urgent(struct natflow_net *nn, struct natflow_flow *flow)
{
	bool urgent = false;
	unsigned int slot;

	rcu_read_lock_bh();
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS && !urgent; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		urgent = ops && ops->urgent && ops->urgent(nn, flow);
	}
	rcu_read_unlock();
	rcu_read_unlock_bh();
	return urgent;
}

/**
 * natflow_attach_bind() - a flow was published
 * @nn: namespace
 * @flow: the flow
 * @number: its number
 *
 * Context: RCU read side, natflow_net.flows.lock held.
 */
void natflow_attach_bind(struct natflow_net *nn, struct natflow_flow *flow, u64 number)
{
	unsigned int slot;

	lockdep_assert_held(&nn->flows.lock);
	if (!static_branch_unlikely(&attached))
		return;
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = owner_of(nn, slot, number);

		if (ops && ops->bind)
			ops->bind(nn, flow);
	}
}

/**
 * natflow_attach_fold() - hits of a flow were moved from its hot line
 * @nn: namespace
 * @flow: the flow; published, or on its way to be freed
 * @number: its number
 * @dir: direction, IP_CT_DIR_*
 * @f: the hits
 *
 * Context: any but hard irq.
 */
void natflow_attach_fold(struct natflow_net *nn, struct natflow_flow *flow, u64 number,
			 unsigned int dir, const struct natflow_folded *f)
{
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return;
	local_bh_disable();
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = owner_of(nn, slot, number);

		if (ops && ops->fold)
			ops->fold(nn, flow, dir, f);
	}
	rcu_read_unlock();
	local_bh_enable();
}

/**
 * natflow_attach_dropped() - a packet of a flow was dropped over its rate
 * @nn: namespace
 * @flow: the flow
 * @dir: direction, IP_CT_DIR_*
 * @packets: on the wire
 * @bytes: of L3
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_attach_dropped(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
			    u64 packets, u64 bytes)
{
	unsigned int slot;

	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		if (ops && ops->dropped)
			ops->dropped(nn, flow, dir, packets, bytes);
	}
}

/**
 * natflow_attach_end() - a published flow was unlinked
 * @nn: namespace
 * @flow: the flow
 * @number: its number
 * @reason: one of NATFLOW_END_*
 *
 * Context: BH disabled, natflow_net.flows.lock not held.
 */
void natflow_attach_end(struct natflow_net *nn, struct natflow_flow *flow, u64 number,
			enum natflow_reason reason)
{
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return;
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = owner_of(nn, slot, number);

		if (ops && ops->end)
			ops->end(nn, flow, reason);
	}
	rcu_read_unlock();
}

/**
 * natflow_attach_gone() - a flow that was published is about to be freed
 * @nn: namespace
 * @flow: the flow, folded for the last time
 * @number: its number
 *
 * Context: process.
 */
void natflow_attach_gone(struct natflow_net *nn, struct natflow_flow *flow, u64 number)
{
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return;
	local_bh_disable();
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = owner_of(nn, slot, number);

		if (ops && ops->gone)
			ops->gone(nn, flow);
	}
	rcu_read_unlock();
	local_bh_enable();
}

/**
 * natflow_attach_egress_changed() - an egress was killed or rewritten
 * @nn: namespace
 * @eg: the egress
 *
 * Context: natflow_net.topo.egress_lock held, BH disabled.
 */
void natflow_attach_egress_changed(struct natflow_net *nn, struct natflow_egress *eg)
{
	unsigned int slot;

	lockdep_assert_held(&nn->topo.egress_lock);
	if (!static_branch_unlikely(&attached))
		return;
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		if (ops && ops->egress_changed)
			ops->egress_changed(nn, eg);
	}
	rcu_read_unlock();
}

/**
 * natflow_attach_doubt() - an event made learned flows doubtful
 * @nn: namespace
 * @what: bits of enum natflow_doubt
 * @dev: device that the event is about, or NULL
 *
 * Context: atomic or process, interrupts may be off.
 */
void natflow_attach_doubt(struct natflow_net *nn, unsigned int what,
			  const struct net_device *dev)
{
	unsigned int slot;

	if (!static_branch_unlikely(&attached))
		return;
	rcu_read_lock();
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops = ops_of(nn, slot);

		if (ops && ops->doubt)
			ops->doubt(nn, what, dev);
	}
	rcu_read_unlock();
}

/**
 * natflow_attach_settle() - a command or a change of a device is about to return
 * @nn: namespace
 *
 * Context: process, may sleep; natflow_net.lock not held, RTNL may be.
 */
void natflow_attach_settle(struct natflow_net *nn)
{
	unsigned int slot;
	int idx;

	if (!static_branch_unlikely(&attached))
		return;
	idx = srcu_read_lock(&settling);
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops =
			srcu_dereference(nn->attached[slot].ops, &settling);

		if (ops && ops->settle)
			ops->settle(nn);
	}
	srcu_read_unlock(&settling, idx);
}

/* Is a feature in this slot? Context: any. */
bool natflow_attach_has(const struct natflow_net *nn, enum natflow_slot slot)
{
	return rcu_access_pointer(nn->attached[slot].ops);
}

/**
 * natflow_attach_listens() - does a feature need every event
 * @nn: namespace
 *
 * Context: natflow_net.lock held.
 * Return: true if a feature has doubt() or egress_changed().
 */
bool natflow_attach_listens(const struct natflow_net *nn)
{
	unsigned int slot;

	lockdep_assert_held(&nn->lock);
	for (slot = 0; slot < NATFLOW_SLOTS; slot++) {
		const struct natflow_attach *ops =
			rcu_dereference_protected(nn->attached[slot].ops,
						  lockdep_is_held(&nn->lock));

		if (ops && (ops->doubt || ops->egress_changed))
			return true;
	}
	return false;
}

/**
 * natflow_attach_add() - plug a feature into its slot
 * @nn: namespace
 * @slot: which
 * @ops: its calls; stay as they are until natflow_attach_remove() has returned
 *
 * The feature is removed before its namespace goes.
 *
 * Context: process, may sleep, natflow_net.lock held.
 * Return: 0, -EBUSY if the slot is taken, -ENODEV if the namespace goes.
 */
int natflow_attach_add(struct natflow_net *nn, enum natflow_slot slot,
		       const struct natflow_attach *ops)
{
	struct natflow_attached *at = &nn->attached[slot];

	lockdep_assert_held(&nn->lock);
	if (nn->dead)
		return -ENODEV;
	if (rcu_access_pointer(at->ops))
		return -EBUSY;
	/* The key first: a flow whose end is told was bound before. */
	static_branch_inc(&attached);
	spin_lock_bh(&nn->flows.lock);
	at->since = ops->earlier ? 0 : nn->flows.seq;
	rcu_assign_pointer(at->ops, ops);
	spin_unlock_bh(&nn->flows.lock);
	return 0;
}

/**
 * natflow_attach_remove() - empty a slot
 * @nn: namespace
 * @slot: which; one that is empty stays so
 *
 * No CPU is in a call of the feature when this returns, and none will be.
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_attach_remove(struct natflow_net *nn, enum natflow_slot slot)
{
	struct natflow_attached *at = &nn->attached[slot];

	lockdep_assert_held(&nn->lock);
	if (!rcu_access_pointer(at->ops))
		return;
	RCU_INIT_POINTER(at->ops, NULL);
	synchronize_net();	/* also before the next feature's @since */
	synchronize_srcu(&settling);
	static_branch_dec(&attached);
}
