// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: the netfilter hooks that see packets, on and off, what is done to blocked
 * packets, and the tick. names/inspection.c owns the inspections.
 *
 * Locks: natflow_net.lock for settings and hooks.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "core/base/attach.h"
#include "core/base/charge.h"
#include "core/base/segment.h"
#include "core/base/share.h"
#include "core/flow/flow.h"
#include "lib/text/settings.h"
#include "names/dns.h"
#include "names/hints.h"
#include "names/inspection.h"
#include "names/names.h"
#include "names/questions.h"
#include "names/quic.h"
#include "natflow_urllogger.h"
#include "policy/acl.h"
#include "policy/answer.h"
#include "policy/client.h"

#define TICK		(HZ / 2)

/* A second and address. An entry (MAC or device) has twice as many, all have 8 times. */
#define TRIALS		500	/* datagrams of QUIC that are decrypted */
#define ANSWERS		1000	/* packets that natflow generates */

/* -- a packet of a flow */

/*
 * May a packet be answered? A server's is proof that the connection exists; a client's
 * only behind the handshake. The source of a datagram is never sure.
 */
static bool may_answer(struct natflow_urllogger *ul, const struct natflow_segment *s)
{
	if (s->proto == IPPROTO_TCP && s->dir == IP_CT_DIR_ORIGINAL && !natflow_ct_assured(s->ct))
		return false;
	return natflow_client_may(ul->answers, s);
}

/* Answer, drop or turn a packet of a blocked flow. @first: the packet that decided it. */
static unsigned int block(struct natflow_urllogger *ul, struct natflow_segment *s, u8 action,
			  bool first)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	char text[NATFLOW_ACL_URL_MAX + 128];
	int len;

	if (action == NATFLOW_URL_DROP || !may_answer(ul, s))
		return NF_DROP;
	if (s->proto != IPPROTO_TCP) {
		natflow_answer_prohibited(s);
		return NF_DROP;
	}
	if (action == NATFLOW_URL_REDIRECT && first && s->dir == IP_CT_DIR_ORIGINAL &&
	    *acl->redirect_url) {
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
	/* Conntrack sees neither the answer nor this packet. */
	natflow_ct_close(s->ct);
	return natflow_answer_turn(s) ? NF_ACCEPT : NF_DROP;
}

static void stop_flow(struct natflow_net *nn, const struct nf_conn *ct, enum natflow_reason reason)
{
	struct natflow_flow *flow;

	smp_mb();	/* inspection before flow; pairs with natflow_inspection_learn() */
	flow = natflow_flow_by_ct(nn, ct);
	if (flow)
		natflow_flow_end(flow, reason);
}

static unsigned int inspect_flow(struct natflow_urllogger *ul, struct natflow_segment *s)
{
	struct natflow_inspection_verdict v = natflow_inspection_packet(ul, s);

	if (v.end)
		stop_flow(ul->nn, s->ct, v.end);
	if (natflow_url_blocks(v.action))
		return block(ul, s, v.action, v.first);
	return v.doubtful ? NF_DROP : NF_ACCEPT;
}

/* Datagrams in flight before the first is confirmed bring conntracks of their own. */
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

/* QUIC may use port 53, too. */
static unsigned int inspect_dns(struct natflow_urllogger *ul, struct natflow_segment *s,
				const struct nf_hook_state *state)
{
	bool sought = natflow_quic_is_sought(s);
	unsigned int verdict = NF_ACCEPT;

	if (sought || natflow_inspection_exists(ul, s->ct))
		verdict = inspect(ul, s);
	if (verdict != NF_ACCEPT || sought)
		return verdict;
	return natflow_dns_inspect(ul, s, state);
}

static bool is_dns(const struct natflow_segment *s)
{
	return s->proto == IPPROTO_UDP && natflow_dns_is(s->ct);
}

/* Out of line: forward() needs no stack frame. */
static noinline unsigned int look(struct natflow_urllogger *ul, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct natflow_segment s;
	unsigned int verdict = NF_ACCEPT;
	struct mem_cgroup *before;

	local_bh_disable();
	before = natflow_charge_begin(ul->nn);
	if (natflow_segment_read(&s, skb, state->pf))
		verdict = is_dns(&s) ? inspect_dns(ul, &s, state) : inspect(ul, &s);
	natflow_charge_end(before);
	local_bh_enable();
	return verdict;
}

/*
 * May this packet begin another connection on its conntrack? The conntrack state
 * does not tell: if another SYN came in between, conntrack takes the SYN-ACK for
 * the old connection's (net/netfilter/nf_conntrack_proto_tcp.c).
 */
static bool may_sync(const struct sk_buff *skb, u8 pf)
{
	unsigned int at = pf == NFPROTO_IPV4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr);
	const struct tcphdr *th = (const void *)(skb->data + at);

	if (pf == NFPROTO_IPV6 && ipv6_hdr(skb)->nexthdr != IPPROTO_TCP)
		return true;
	return skb_headlen(skb) < at + sizeof(*th) || th->syn;
}

/* May this datagram open a QUIC connection? Only large ones do. */
static bool may_open(const struct sk_buff *skb, u8 pf)
{
	const unsigned int head = sizeof(struct udphdr) +
				  (pf == NFPROTO_IPV4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr));

	if (skb->len < head + NATFLOW_QUIC_DATAGRAM_MIN)
		return false;
	return skb_is_gso(skb) || skb_headlen(skb) < head + NATFLOW_QUIC_HEAD ||
	       (pf == NFPROTO_IPV6 && ipv6_hdr(skb)->nexthdr != IPPROTO_UDP) ||
	       natflow_quic_is_long(skb->data + head);
}

static bool may_begin(const struct nf_conn *ct, const struct sk_buff *skb, u8 pf)
{
	return natflow_ct_proto(ct) == IPPROTO_TCP ? may_sync(skb, pf) : may_open(skb, pf);
}

/* FORWARD, after the firewall's rules, both families. */
static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct nf_conn *ct = (const struct nf_conn *)skb_nfct(skb);

	if (natflow_inspection_passes(priv, ct) && !may_begin(ct, skb, state->pf))
		return NF_ACCEPT;
	return look(priv, skb, state);
}

/* LOCAL_IN and LOCAL_OUT: questions to a DNS server on this host, and its answers. */
static unsigned int local(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const struct net_device *dev = state->in ?: state->out;
	u8 dir = state->in ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY;
	unsigned int verdict = NF_ACCEPT;
	struct natflow_urllogger *ul = priv;
	struct mem_cgroup *before;
	struct natflow_segment s;

	if (dev->flags & IFF_LOOPBACK)
		return NF_ACCEPT;
	local_bh_disable();
	before = natflow_charge_begin(ul->nn);
	if (natflow_segment_read(&s, skb, state->pf) && s.dir == dir && natflow_dns_is(s.ct))
		verdict = s.proto == IPPROTO_UDP ? natflow_dns_inspect(ul, &s, state) :
						   inspect(ul, &s);
	natflow_charge_end(before);
	local_bh_enable();
	return verdict;
}

/* For natflow_attach.check: a flow that is undecided or blocked stays on the stack. */
static enum natflow_reason check(struct natflow_net *nn, const struct nf_conn *ct,
				 struct natflow_watch *watch)
{
	if (natflow_ct_proto(ct) == IPPROTO_UDP && natflow_dns_is(ct))
		return NATFLOW_LEARN_INSPECT;	/* each question is inspected */
	return natflow_inspection_learn(natflow_urllogger(nn), ct, watch);
}

static const struct natflow_attach attachment = { .check = check };

/* -- the tick */

/* Once a minute: schedules of lists may begin or end. */
static void review_time(struct natflow_urllogger *ul)
{
	unsigned int minute = natflow_acl_minute(ul->nn);
	bool scheduled;

	rcu_read_lock();
	scheduled = rcu_dereference(ul->acl)->scheduled;
	rcu_read_unlock();
	if (scheduled && minute != ul->minute)
		natflow_inspection_review(ul);
	ul->minute = minute;
}

static void tick(struct work_struct *work)
{
	struct natflow_urllogger *ul = container_of(to_delayed_work(work),
						    struct natflow_urllogger, tick);

	natflow_inspection_age(ul);
	natflow_questions_age(ul->questions);
	review_time(ul);
	schedule_delayed_work(&ul->tick, TICK);
}

/**
 * natflow_urllogger_refused() - what clients were refused beyond their share
 * @nn: namespace
 * @answers: packets that natflow did not send
 * @trials: datagrams of QUIC that it did not decrypt
 *
 * Context: process.
 */
void natflow_urllogger_refused(const struct natflow_net *nn, u64 *answers, u64 *trials)
{
	const struct natflow_urllogger *ul = natflow_urllogger(nn);

	/* What they point to is initialized before: see share_out(). */
	*answers = natflow_rate_refused(READ_ONCE(ul->answers));
	*trials = natflow_rate_refused(READ_ONCE(ul->trials));
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
	return natflow_names_setting(natflow_urllogger(nn), which);
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
	WRITE_ONCE(natflow_urllogger(nn)->setting[which], value);
}

/**
 * natflow_urllogger_log() - the log of names
 * @nn: namespace
 *
 * Context: any. Return: never NULL; it lives as long as @nn.
 */
struct natflow_names_log *natflow_urllogger_log(const struct natflow_net *nn)
{
	return &natflow_urllogger(nn)->log;
}

/**
 * natflow_urllogger_hints() - how full the table of hints is
 * @nn: namespace
 * @gone: hints that gave way before they had expired
 *
 * Context: process.
 * Return: hints.
 */
u32 natflow_urllogger_hints(const struct natflow_net *nn, u64 *gone)
{
	return natflow_hints_count(READ_ONCE(natflow_urllogger(nn)->hints), gone);
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
	return rcu_dereference_protected(natflow_urllogger(nn)->skip, true);
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
	struct natflow_log_skip *old = rcu_replace_pointer(natflow_urllogger(nn)->skip, skip, true);

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
	return rcu_dereference_protected(natflow_urllogger(nn)->acl, true);
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
	struct natflow_urllogger *ul = natflow_urllogger(nn);
	struct natflow_acl *old = rcu_replace_pointer(ul->acl, acl, true);

	synchronize_rcu();	/* no packet is judged by the old rules any more */
	natflow_inspection_review(ul);
	natflow_acl_free(old);
}

/**
 * natflow_urllogger_review() - policies changed: judge every flow's name again
 * @nn: namespace
 *
 * Context: process, may sleep; no packet is judged by the old policies any more.
 */
void natflow_urllogger_review(struct natflow_net *nn)
{
	natflow_inspection_review(natflow_urllogger(nn));
}

/**
 * natflow_urllogger_bytes() - memory that came with the first switching on
 * @nn: namespace
 *
 * Context: any.
 */
size_t natflow_urllogger_bytes(const struct natflow_net *nn)
{
	const struct natflow_urllogger *ul = natflow_urllogger(nn);

	return natflow_names_log_bytes(&ul->log) + natflow_inspection_bytes(ul) +
	       (READ_ONCE(ul->hints) ? natflow_hints_bytes() : 0) +
	       (READ_ONCE(ul->questions) ? natflow_questions_bytes() : 0) +
	       (READ_ONCE(ul->trials) ? PAGE_ALIGN(sizeof(*ul->trials)) : 0) +
	       (READ_ONCE(ul->answers) ? PAGE_ALIGN(sizeof(*ul->answers)) : 0);
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

/* A rate that lives as long as the namespace. */
static int share_out(struct natflow_rate **rate, u32 events)
{
	struct natflow_rate *new;

	if (*rate)
		return 0;
	new = natflow_rate_alloc(events, 2 * events, 8 * events);
	smp_store_release(rate, new);	/* pairs with READ_ONCE() of natflow_urllogger_refused() */
	return new ? 0 : -ENOMEM;
}

static int switch_on(struct natflow_urllogger *ul)
{
	struct natflow_net *nn = ul->nn;
	int err = natflow_charge_start(nn) ?: natflow_names_log_start(&ul->log);

	if (!ul->hints)
		ul->hints = natflow_hints_alloc();
	if (!ul->questions)
		ul->questions = natflow_questions_alloc();
	if (share_out(&ul->trials, TRIALS) || share_out(&ul->answers, ANSWERS))
		err = -ENOMEM;
	if (natflow_inspection_start(ul) || !ul->hints || !ul->questions)
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
	WRITE_ONCE(nn->quic, true);
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

	WRITE_ONCE(nn->quic, false);
	WRITE_ONCE(ul->enabled, false);
	nf_unregister_net_hooks(nn->net, ul->ops, NATFLOW_URL_HOOKS);
	natflow_ct_untrack(nn->net);
	natflow_attach_remove(nn, NATFLOW_SLOT_NAMES);	/* waits for packets in a hook, too */
	cancel_delayed_work_sync(&ul->tick);
	natflow_inspection_stop(ul);
}

/**
 * natflow_urllogger_enabled() - are flows inspected
 * @nn: namespace
 *
 * Context: any.
 */
bool natflow_urllogger_enabled(const struct natflow_net *nn)
{
	return READ_ONCE(natflow_urllogger(nn)->enabled);
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
	struct natflow_urllogger *ul = natflow_urllogger(nn);
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
	struct natflow_urllogger *ul = kzalloc(sizeof(*ul), GFP_KERNEL_ACCOUNT);
	struct natflow_acl *acl = natflow_acl_alloc(NULL, 0);
	int err = -ENOMEM;

	if (!ul || !acl)
		goto err_free;
	err = natflow_inspection_init(ul);
	if (err)
		goto err_free;
	ul->nn = nn;
	ul->setting[NATFLOW_NAMES_PACKETS] = NATFLOW_DEFAULT_inspect_packets;
	ul->setting[NATFLOW_NAMES_CLOSED] = NATFLOW_DEFAULT_inspect_fail;
	ul->setting[NATFLOW_NAMES_LEVEL] = NATFLOW_DEFAULT_log_level;
	ul->setting[NATFLOW_NAMES_QUERY] = NATFLOW_DEFAULT_log_query;
	ul->setting[NATFLOW_NAMES_ANSWERS] = NATFLOW_DEFAULT_log_answers;
	RCU_INIT_POINTER(ul->acl, acl);
	INIT_DELAYED_WORK(&ul->tick, tick);
	natflow_names_log_init(&ul->log);
	nn->room[NATFLOW_SLOT_NAMES] = ul;
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
	natflow_names_log_stop(&natflow_urllogger(nn)->log);
}

/**
 * natflow_urllogger_net_exit() - free the rest
 * @nn: namespace, stopped, an rcu_barrier() ago
 */
void natflow_urllogger_net_exit(struct natflow_net *nn)
{
	struct natflow_urllogger *ul = natflow_urllogger(nn);

	natflow_inspection_exit(ul);
	natflow_names_log_free(&ul->log);
	natflow_acl_free(rcu_dereference_protected(ul->acl, true));
	kfree(rcu_dereference_protected(ul->skip, true));
	natflow_questions_free(ul->questions);
	natflow_hints_free(ul->hints);
	kvfree(ul->trials);
	kvfree(ul->answers);
	kfree(ul);
}
