// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: which flows are looked into, and what becomes of them.
 *
 *   SEEKING ── its client began to speak; not accelerated, within a budget of
 *      │       packets, bytes and seconds
 *   DECIDED ── one outcome, counted under its name, and one action for all
 *              packets from here on; this is kept as long as the conntrack lives,
 *              or until another connection begins on it
 *
 * Locks: natflow_net.lock for settings and hooks; inspection.lock for one
 * flow's, inside it the ring's. Packets and the tick find inspections under RCU.
 */
#include <linux/hash.h>
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "core/base/attach.h"
#include "core/flow/flow.h"
#include "core/base/segment.h"
#include "natflow_urllogger.h"
#include "policy/acl.h"
#include "names/answer.h"
#include "policy/client.h"
#include "names/dns.h"
#include "names/hints.h"
#include "names/inspection.h"
#include "names/names.h"
#include "names/quic.h"
#include "names/record.h"
#include "names/tcp.h"

#define PACKETS_DEFAULT	64
#define FLOWS_MAX	65536
#define TICK		(HZ / 2)
#define UNCONFIRMED_MAX	(8 * HZ)

static const struct rhashtable_params flow_params = {
	.key_len = sizeof(struct nf_conn *),
	.key_offset = offsetof(struct natflow_inspection, ct),
	.head_offset = offsetof(struct natflow_inspection, node),
	.automatic_shrinking = true,
};

/* -- one flow's state */

static struct natflow_inspection *find(struct natflow_urllogger *ul, const struct nf_conn *ct)
{
	return rhashtable_lookup(&ul->flows, &ct, flow_params);
}

/* Nobody finds @in from here on. Context: the tick, or nobody else is left. */
static void forget(struct natflow_inspection *in)
{
	struct natflow_urllogger *ul = in->ul;

	if (rhashtable_remove_fast(&ul->flows, &in->node, flow_params))
		return;
	atomic_dec(&ul->count);
	call_rcu(&in->rcu, natflow_inspection_free);
}

/* Context: RCU read side, BH disabled. Return: NULL if there is no room. */
static struct natflow_inspection *begin(struct natflow_urllogger *ul, struct nf_conn *ct)
{
	struct natflow_inspection *in, *old;

	if (atomic_inc_return(&ul->count) > FLOWS_MAX)
		goto err_count;
	in = kzalloc(sizeof(*in), GFP_ATOMIC | __GFP_NOWARN);
	if (!in)
		goto err_count;
	if (!natflow_ct_get(ct))
		goto err_free;
	in->ct = ct;
	in->ul = ul;
	in->born = jiffies;
	spin_lock_init(&in->lock);
	old = rhashtable_lookup_get_insert_fast(&ul->flows, &in->node, flow_params);
	if (!old)
		return in;
	natflow_ct_put(ct);
	kfree(in);
	atomic_dec(&ul->count);
	return IS_ERR(old) ? NULL : old;

err_free:
	kfree(in);
err_count:
	atomic_dec(&ul->count);
	return NULL;
}

/* -- a packet of a flow */

/* May a flow that carries a name begin with this packet? */
static bool may_begin(const struct natflow_segment *s)
{
	if (s->proto != IPPROTO_TCP)
		return s->dir == IP_CT_DIR_ORIGINAL && natflow_quic_may_begin(s);
	if (s->flags & NATFLOW_TCP_RST)
		return false;
	if (s->dir == IP_CT_DIR_REPLY)
		return natflow_tcp_is_answer(s);
	return !(s->flags & NATFLOW_TCP_SYN) || s->len;
}

/* What is done to each packet of a flow whose name is not to be visited. */
static unsigned int block(struct natflow_urllogger *ul, struct natflow_segment *s, u8 action,
			  bool first)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	char text[NATFLOW_ACL_URL_MAX + 128];
	int len;

	if (s->proto != IPPROTO_TCP) {
		if (action != NATFLOW_URL_DROP)
			natflow_answer_prohibited(s);
		return NF_DROP;
	}
	if (action == NATFLOW_URL_DROP)
		return NF_DROP;
	if (action == NATFLOW_URL_REDIRECT && first && *acl->redirect_url) {
		len = scnprintf(text, sizeof(text), "HTTP/1.1 302 Found\r\nLocation: %s\r\n"
				"Content-Length: 0\r\nConnection: close\r\n\r\n",
				acl->redirect_url);
		natflow_answer_tcp(s, NATFLOW_TCP_PSH | NATFLOW_TCP_ACK | NATFLOW_TCP_FIN,
				   text, len);
	} else if (action == NATFLOW_URL_RESET || s->len || s->flags & NATFLOW_TCP_FIN) {
		natflow_answer_tcp(s, NATFLOW_TCP_RST | NATFLOW_TCP_ACK, NULL, 0);
	} else {
		return NF_DROP;
	}
	/* Conntrack sees neither of these packets. */
	natflow_ct_close(s->ct);
	return natflow_answer_turn(s) ? NF_ACCEPT : NF_DROP;
}

static void stop_flow(struct natflow_net *nn, const struct nf_conn *ct, enum natflow_reason reason)
{
	struct natflow_flow *flow = natflow_flow_by_ct(nn, ct);

	if (flow)
		natflow_flow_end(flow, reason);
}

/* The first datagram of a flow that nobody looks into. */
static void tell_hint(struct natflow_urllogger *ul, const struct natflow_segment *s)
{
	struct natflow_site_client client;

	natflow_client_note(&client, s, NULL);
	natflow_record_hint(ul, s->ct, &client, NATFLOW_URL_RECORD);
}

static unsigned int inspect_flow(struct natflow_urllogger *ul, struct natflow_segment *s)
{
	struct natflow_inspection *in = find(ul, s->ct);
	enum natflow_reason over = NATFLOW_OK;
	bool was_decided, believed = true;
	u8 action;

	if (!in) {
		natflow_tcp_note_syn(ul, s);
		if (!may_begin(s)) {
			if (s->proto == IPPROTO_UDP && !natflow_ct_confirmed(s->ct))
				tell_hint(ul, s);
			return NF_ACCEPT;
		}
		in = begin(ul, s->ct);
		if (!in) {
			natflow_stats_reason(ul->nn->pcpu, NATFLOW_NAME_MEMORY);
			return natflow_names_without(ul, NATFLOW_NAME_MEMORY) ? NF_DROP :
										NF_ACCEPT;
		}
	}
	spin_lock(&in->lock);
	was_decided = natflow_inspection_decided(in);
	if (natflow_tcp_is_answer(s) && natflow_tcp_sync(in, s))
		over = NATFLOW_END_TCP;
	else if (natflow_inspection_decided(in) && natflow_tcp_next(in, s))
		over = NATFLOW_END_INSPECT;
	if (!natflow_inspection_decided(in))
		believed = natflow_inspection_seek(in, s);
	action = natflow_inspection_decided(in) ? in->action : NATFLOW_URL_RECORD;
	natflow_inspection_pass(in);
	spin_unlock(&in->lock);
	if (over)
		stop_flow(ul->nn, s->ct, over);
	if (natflow_url_blocks(action))
		return block(ul, s, action, !was_decided);
	return believed ? NF_ACCEPT : NF_DROP;
}

/* A packet of a flow, whichever conntrack it brings along. */
static unsigned int inspect(struct natflow_urllogger *ul, struct natflow_segment *s)
{
	struct nf_conn *first = s->proto == IPPROTO_UDP ? natflow_ct_get_first(s->ct) : NULL;
	unsigned int verdict;

	if (first)
		s->ct = first;
	verdict = inspect_flow(ul, s);
	if (first)
		natflow_ct_put(first);
	return verdict;
}

static bool is_dns(const struct natflow_segment *s)
{
	return s->proto == IPPROTO_UDP && natflow_dns_is(s->ct);
}

/* Out of line, for forward() to need no stack. */
static noinline unsigned int look(struct natflow_urllogger *ul, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct natflow_segment s;
	unsigned int verdict = NF_ACCEPT;

	local_bh_disable();
	if (natflow_segment_read(&s, skb, state->pf))
		verdict = is_dns(&s) ? natflow_dns_inspect(ul, &s, state->out) : inspect(ul, &s);
	local_bh_enable();
	return verdict;
}

/*
 * Might this begin another connection on its conntrack? Of that the state says
 * nothing: conntrack takes a SYN-ACK for one of the old connection's if another
 * SYN came in between (net/netfilter/nf_conntrack_proto_tcp.c).
 */
static bool may_sync(const struct sk_buff *skb, u8 pf)
{
	unsigned int at = pf == NFPROTO_IPV4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr);
	const struct tcphdr *th = (const void *)(skb->data + at);

	if (pf == NFPROTO_IPV6 && ipv6_hdr(skb)->nexthdr != IPPROTO_TCP)
		return true;
	return skb_headlen(skb) < at + sizeof(*th) || th->syn;
}

/* FORWARD, behind the firewall's own rules, both families. */
static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	if (READ_ONCE(*natflow_url_passing(priv, ct)) == ct && ct &&
	    (natflow_ct_proto(ct) != IPPROTO_TCP || !may_sync(skb, state->pf)))
		return NF_ACCEPT;
	return look(priv, skb, state);
}

/* LOCAL_IN and LOCAL_OUT: questions to a server on this host, and its answers. */
static unsigned int local(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct net_device *dev = state->in ?: state->out;
	u8 dir = state->in ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY;
	unsigned int verdict = NF_ACCEPT;
	struct natflow_segment s;

	if (dev->flags & IFF_LOOPBACK)
		return NF_ACCEPT;
	local_bh_disable();
	if (natflow_segment_read(&s, skb, state->pf) && s.dir == dir && natflow_dns_is(s.ct))
		verdict = s.proto == IPPROTO_UDP ? natflow_dns_inspect(priv, &s, state->out) :
						   inspect(priv, &s);
	local_bh_enable();
	return verdict;
}

/* For natflow_attach.check: a flow whose name is sought, or that is blocked, takes the stack. */
static enum natflow_reason check(struct natflow_net *nn, const struct nf_conn *ct,
				 struct natflow_watch *watch)
{
	const struct natflow_inspection *in = find(nn->urllogger, ct);
	u8 state = in ? smp_load_acquire(&in->state) : NATFLOW_INSPECTION_DECIDED;

	if (natflow_ct_proto(ct) == IPPROTO_UDP && natflow_dns_is(ct))
		return NATFLOW_LEARN_INSPECT;	/* each question is looked at */
	/* @from and @action are written before the state. */
	if (state < NATFLOW_INSPECTION_DECIDED || (in && natflow_url_blocks(READ_ONCE(in->action))))
		return NATFLOW_LEARN_INSPECT;
	watch->on = state == NATFLOW_INSPECTION_WATCHED;
	watch->from = in ? READ_ONCE(in->from) : 0;
	return NATFLOW_OK;
}

static const struct natflow_attach attachment = { .check = check };

/* -- all flows */

/* Do @what to every inspection. Context: process, may sleep. */
static void for_each(struct natflow_urllogger *ul, void (*what)(struct natflow_inspection *in))
{
	struct rhashtable_iter iter;
	struct natflow_inspection *in;

	/* A walker is put out of step when another one removes what it stands on. */
	mutex_lock(&ul->walk);
	rhashtable_walk_enter(&ul->flows, &iter);
	do {
		unsigned int n = 0;

		rhashtable_walk_start(&iter);
		while (n++ < 256 && (in = rhashtable_walk_next(&iter)) && !IS_ERR(in))
			what(in);
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (in);
	rhashtable_walk_exit(&iter);
	mutex_unlock(&ul->walk);
}

/* One that was never confirmed has no timeout yet: its packet is under way, or was dropped. */
static bool is_over(const struct natflow_inspection *in)
{
	return natflow_ct_confirmed(in->ct) ? !natflow_ct_alive(in->ct) :
		time_after(jiffies, in->born + UNCONFIRMED_MAX);
}

static void age(struct natflow_inspection *in)
{
	if (is_over(in))
		forget(in);
	else
		natflow_inspection_age(in);
}

/* A flow that is blocked from now on is not accelerated any more. */
static void review(struct natflow_inspection *in)
{
	if (natflow_inspection_review(in))
		stop_flow(in->ul->nn, in->ct, NATFLOW_END_BLOCKED);
}

/* A minute is over: lists may begin or end to be for somebody. */
static void review_time(struct natflow_urllogger *ul)
{
	unsigned int minute = natflow_acl_minute();
	bool scheduled;

	rcu_read_lock();
	scheduled = rcu_dereference(ul->acl)->scheduled;
	rcu_read_unlock();
	if (scheduled && minute != ul->minute)
		for_each(ul, review);
	ul->minute = minute;
}

static void tick(struct work_struct *work)
{
	struct natflow_urllogger *ul = container_of(to_delayed_work(work),
						    struct natflow_urllogger, tick);

	for_each(ul, age);
	review_time(ul);
	schedule_delayed_work(&ul->tick, TICK);
}

/* -- settings, for control/ */

/**
 * natflow_urllogger_get() - the value of a setting
 * @nn: namespace
 * @which: setting
 *
 * Context: any.
 */
u32 natflow_urllogger_get(const struct natflow_net *nn, enum natflow_names_setting which)
{
	return natflow_names_setting(nn->urllogger, which);
}

/**
 * natflow_urllogger_set() - change a setting; it applies to the next packet
 * @nn: namespace
 * @which: setting
 * @value: within the setting's bounds
 *
 * Context: any; writers exclude each other.
 */
void natflow_urllogger_set(struct natflow_net *nn, enum natflow_names_setting which, u32 value)
{
	WRITE_ONCE(nn->urllogger->setting[which], value);
}

/**
 * natflow_urllogger_ring() - the log of names
 * @nn: namespace
 *
 * Context: any. Return: never NULL; it lives as long as @nn.
 */
struct natflow_ring *natflow_urllogger_ring(const struct natflow_net *nn)
{
	return &nn->urllogger->ring;
}

/**
 * natflow_urllogger_skip() - clients whose names are not logged
 * @nn: namespace
 *
 * Context: the lock that excludes writers.
 * Return: the clients, or NULL: every name is logged.
 */
const struct natflow_log_skip *natflow_urllogger_skip(const struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->urllogger->skip, true);
}

/**
 * natflow_urllogger_set_skip() - replace the clients whose names are not logged
 * @nn: namespace
 * @skip: the clients, or NULL; taken over
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_urllogger_set_skip(struct natflow_net *nn, struct natflow_log_skip *skip)
{
	struct natflow_log_skip *old = rcu_replace_pointer(nn->urllogger->skip, skip, true);

	if (old)
		kfree_rcu(old, rcu);
}

/**
 * natflow_urllogger_acl() - the rules and lists in force
 * @nn: namespace
 *
 * Context: the lock that excludes writers. Return: never NULL.
 */
const struct natflow_acl *natflow_urllogger_acl(const struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->urllogger->acl, true);
}

/**
 * natflow_urllogger_set_acl() - replace rules and lists
 * @nn: namespace
 * @acl: the rules; taken over
 *
 * The new rules apply to the next packet of every flow.
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_urllogger_set_acl(struct natflow_net *nn, struct natflow_acl *acl)
{
	struct natflow_urllogger *ul = nn->urllogger;
	struct natflow_acl *old = rcu_replace_pointer(ul->acl, acl, true);

	synchronize_rcu();	/* nobody decides by the old rules any more */
	for_each(ul, review);
	natflow_acl_free(old);
}

/* -- on and off */

static int hook(struct natflow_urllogger *ul)
{
	static const struct {
		nf_hookfn *hook;
		u8 pf, number;
	} hooks[NATFLOW_URL_HOOKS] = {
		{ forward, NFPROTO_IPV4, NF_INET_FORWARD },
		{ forward, NFPROTO_IPV6, NF_INET_FORWARD },
		{ local, NFPROTO_IPV4, NF_INET_LOCAL_IN },
		{ local, NFPROTO_IPV6, NF_INET_LOCAL_IN },
		{ local, NFPROTO_IPV4, NF_INET_LOCAL_OUT },
		{ local, NFPROTO_IPV6, NF_INET_LOCAL_OUT },
	};
	unsigned int i;

	for (i = 0; i < NATFLOW_URL_HOOKS; i++) {
		ul->ops[i].hook = hooks[i].hook;
		ul->ops[i].priv = ul;
		ul->ops[i].pf = hooks[i].pf;
		ul->ops[i].hooknum = hooks[i].number;
		ul->ops[i].priority = NF_IP_PRI_FILTER + 5;
	}
	return nf_register_net_hooks(ul->nn->net, ul->ops, NATFLOW_URL_HOOKS);
}

static int switch_on(struct natflow_urllogger *ul)
{
	struct natflow_net *nn = ul->nn;
	int err = natflow_ring_start(&ul->ring);

	if (!ul->syn)
		ul->syn = kvcalloc(NATFLOW_URL_SYNS, sizeof(*ul->syn), GFP_KERNEL);
	if (!ul->hints)
		ul->hints = natflow_hints_alloc();
	if (!ul->passing)
		ul->passing = kvcalloc(NATFLOW_URL_PASSING, sizeof(*ul->passing), GFP_KERNEL);
	if (!ul->syn || !ul->hints || !ul->passing)
		err = -ENOMEM;
	if (!err)
		err = natflow_ct_track(nn->net);
	if (err)
		return err;
	err = natflow_attach_add(nn, NATFLOW_SLOT_NAMES, &attachment);
	if (err)
		goto err_untrack;
	err = hook(ul);
	if (err)
		goto err_remove;
	schedule_delayed_work(&ul->tick, TICK);
	WRITE_ONCE(ul->enabled, true);
	return 0;

err_remove:
	natflow_attach_remove(nn, NATFLOW_SLOT_NAMES);
err_untrack:
	natflow_ct_untrack(nn->net);
	return err;
}

static void switch_off(struct natflow_urllogger *ul)
{
	struct natflow_net *nn = ul->nn;

	WRITE_ONCE(ul->enabled, false);
	nf_unregister_net_hooks(nn->net, ul->ops, NATFLOW_URL_HOOKS);
	natflow_ct_untrack(nn->net);
	natflow_attach_remove(nn, NATFLOW_SLOT_NAMES);	/* waits for packets in a hook, too */
	cancel_delayed_work_sync(&ul->tick);
	while (atomic_read(&ul->count))
		for_each(ul, forget);
	rcu_barrier();		/* when this is on again no conntrack passes unseen */
}

/**
 * natflow_urllogger_enabled() - are flows inspected
 * @nn: namespace
 *
 * Context: any.
 */
bool natflow_urllogger_enabled(const struct natflow_net *nn)
{
	return READ_ONCE(nn->urllogger->enabled);
}

/**
 * natflow_urllogger_enable() - start or stop the inspection of flows
 * @nn: namespace
 * @on: which
 *
 * Context: process, may sleep, neither natflow_net.lock nor RTNL held.
 * Return: 0 or an errno.
 */
int natflow_urllogger_enable(struct natflow_net *nn, bool on)
{
	struct natflow_urllogger *ul = nn->urllogger;
	int err = 0;

	mutex_lock(&nn->lock);
	if (on && nn->dead)
		err = -ENODEV;
	else if (on && !ul->enabled)
		err = switch_on(ul);
	else if (!on && ul->enabled)
		switch_off(ul);
	mutex_unlock(&nn->lock);
	return err;
}

/**
 * natflow_urllogger_net_init() - off, without rules
 * @nn: namespace
 *
 * Return: 0 or an errno.
 */
int natflow_urllogger_net_init(struct natflow_net *nn)
{
	struct natflow_urllogger *ul = kzalloc(sizeof(*ul), GFP_KERNEL);
	struct natflow_acl *acl = natflow_acl_alloc(NULL, 0);
	int err = -ENOMEM;

	if (!ul || !acl)
		goto err_free;
	err = rhashtable_init(&ul->flows, &flow_params);
	if (err)
		goto err_free;
	ul->nn = nn;
	ul->setting[NATFLOW_NAMES_PACKETS] = PACKETS_DEFAULT;
	ul->setting[NATFLOW_NAMES_LEVEL] = NATFLOW_URL_LEVEL_URL;
	ul->setting[NATFLOW_NAMES_ANSWERS] = true;
	RCU_INIT_POINTER(ul->acl, acl);
	mutex_init(&ul->walk);
	INIT_DELAYED_WORK(&ul->tick, tick);
	natflow_ring_init(&ul->ring);
	nn->urllogger = ul;
	return 0;

err_free:
	natflow_acl_free(acl);
	kfree(ul);
	return err;
}

/**
 * natflow_urllogger_net_stop() - no packet and no worker uses it from here on
 * @nn: namespace that is dead, without doors
 *
 * Inspections are freed, and their conntracks put, before the next rcu_barrier()
 * returns.
 *
 * Context: process, may sleep.
 */
void natflow_urllogger_net_stop(struct natflow_net *nn)
{
	natflow_urllogger_enable(nn, false);
	natflow_ring_stop(&nn->urllogger->ring);
}

/**
 * natflow_urllogger_net_exit() - free the rest
 * @nn: namespace, stopped, an rcu_barrier() ago
 */
void natflow_urllogger_net_exit(struct natflow_net *nn)
{
	struct natflow_urllogger *ul = nn->urllogger;

	rhashtable_destroy(&ul->flows);
	natflow_ring_free(&ul->ring);
	natflow_acl_free(rcu_dereference_protected(ul->acl, true));
	kfree(rcu_dereference_protected(ul->skip, true));
	kvfree(ul->syn);
	kvfree(ul->passing);
	kvfree(ul->hints);
	kfree(ul);
}
