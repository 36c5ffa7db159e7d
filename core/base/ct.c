// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conntrack stays correct although packets bypass it: timeouts are the protocol's
 * own, counters are what the stack would have added, and TCP's window is what it
 * would be if conntrack had seen all packets.
 */
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_timeout.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include "ct.h"

/**
 * natflow_ct_track() - make conntrack track a namespace's packets, whatever its rules are
 * @net: namespace
 *
 * Conntrack's hooks are registered only while a user of conntrack asks for them.
 * On a gateway without rules natflow is the only user.
 *
 * Context: process, may sleep, without RTNL.
 * Return: 0 or an errno.
 */
int natflow_ct_track(struct net *net)
{
	return nf_ct_netns_get(net, NFPROTO_INET);
}

/**
 * natflow_ct_untrack() - the reverse
 * @net: namespace
 */
void natflow_ct_untrack(struct net *net)
{
	nf_ct_netns_put(net, NFPROTO_INET);
}

/* What speaks against a conntrack of this status, if anything does. */
#define STATUS_ASKED (IPS_TEMPLATE | IPS_CONFIRMED | IPS_DYING | IPS_OFFLOAD | IPS_SEQ_ADJUST | \
		      IPS_NAT_CLASH | IPS_SEEN_REPLY)
#define STATUS_GOOD (IPS_CONFIRMED | IPS_SEEN_REPLY)

static noinline enum natflow_reason check_status(const struct nf_conn *ct, unsigned long status)
{
	if (status & IPS_TEMPLATE)
		return NATFLOW_LEARN_NO_CONNTRACK;
	if (!(status & IPS_CONFIRMED))
		return NATFLOW_LEARN_UNCONFIRMED;
	if (status & IPS_DYING)
		return NATFLOW_LEARN_DYING;
	if (status & IPS_OFFLOAD)
		return NATFLOW_LEARN_OFFLOADED;
	if (status & IPS_SEQ_ADJUST)
		return NATFLOW_LEARN_SEQADJ;
	if (status & IPS_NAT_CLASH)
		return NATFLOW_LEARN_CLASH;
	return nfct_help(ct) ? NATFLOW_LEARN_HELPER : NATFLOW_LEARN_UNREPLIED;
}

/**
 * natflow_ct_eligible() - may this conntrack's packets be forwarded by natflow
 * @ct: conntrack of a packet in hand
 *
 * Return: NATFLOW_OK, or the learn reason that speaks against it now.
 */
enum natflow_reason natflow_ct_eligible(const struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);
	u8 proto = nf_ct_protonum(ct);

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return NATFLOW_LEARN_PROTOCOL;
	if (unlikely((status & STATUS_ASKED) != STATUS_GOOD))
		return check_status(ct, status);
	if (nfct_help(ct))
		return NATFLOW_LEARN_HELPER;
	if (proto == IPPROTO_TCP && (!(status & IPS_ASSURED) ||
				     READ_ONCE(ct->proto.tcp.state) != TCP_CONNTRACK_ESTABLISHED))
		return NATFLOW_LEARN_TCP_STATE;
	return NATFLOW_OK;
}

/**
 * natflow_ct_get() - take a reference unless the conntrack is being freed
 * @ct: conntrack found under RCU or owned by a packet
 *
 * Return: true if the caller owns a reference now.
 */
bool natflow_ct_get(struct nf_conn *ct)
{
	return refcount_inc_not_zero(&ct->ct_general.use);
}

/**
 * natflow_ct_put() - drop a reference
 * @ct: conntrack
 */
void natflow_ct_put(struct nf_conn *ct)
{
	nf_ct_put(ct);
}

/**
 * natflow_ct_attach() - a packet carries its conntrack, as behind the stack's hooks
 * @skb: packet that carries none
 * @ct: its conntrack, which the caller's flow holds
 * @d: direction of the packet, IP_CT_DIR_*
 *
 * Context: RCU read side.
 */
void natflow_ct_attach(struct sk_buff *skb, struct nf_conn *ct, unsigned int d)
{
	nf_conntrack_get(&ct->ct_general);
	nf_ct_set(skb, ct, d ? IP_CT_ESTABLISHED_REPLY : IP_CT_ESTABLISHED);
}

/**
 * natflow_ct_alive() - would a slow packet still find this conntrack
 * @ct: conntrack with a reference
 *
 * Return: false once it was deleted, flushed or has timed out.
 */
bool natflow_ct_alive(const struct nf_conn *ct)
{
	return !nf_ct_is_dying(ct) && !nf_ct_is_expired(ct);
}

/* One conntrack tuple in the shape of a key. */
static void tuple_to_key(const struct nf_conntrack_tuple *t, u32 way, union natflow_key *key)
{
	struct natflow_key_tail *tail;

	memset(key, 0, sizeof(*key));
	tail = natflow_key_tail(key, t->src.l3num);
	if (t->src.l3num == NFPROTO_IPV4) {
		key->v4.addrs.saddr = t->src.u3.ip;
		key->v4.addrs.daddr = t->dst.u3.ip;
	} else {
		key->v6.addrs.saddr = t->src.u3.in6;
		key->v6.addrs.daddr = t->dst.u3.in6;
	}
	tail->ports.sport = t->src.u.all;
	tail->ports.dport = t->dst.u.all;
	tail->way = way | (t->dst.protonum == IPPROTO_TCP ? NATFLOW_KEY_TCP : 0);
}

/**
 * natflow_ct_key() - what packets of one direction look like when they arrive
 * @ct: conntrack
 * @dir: IP_CT_DIR_ORIGINAL or IP_CT_DIR_REPLY
 * @way: natflow_way.id of the ingress path
 * @key: filled in completely
 */
void natflow_ct_key(const struct nf_conn *ct, unsigned int dir, u32 way, union natflow_key *key)
{
	tuple_to_key(&ct->tuplehash[dir].tuple, way, key);
}

/**
 * natflow_ct_after() - what packets of one direction look like after NAT
 * @ct: conntrack
 * @dir: direction
 * @key: filled in completely; way 0
 */
void natflow_ct_after(const struct nf_conn *ct, unsigned int dir, union natflow_key *key)
{
	const struct nf_conntrack_tuple *back = &ct->tuplehash[!dir].tuple;
	struct nf_conntrack_tuple after = *back;

	after.src.u3 = back->dst.u3;
	after.src.u.all = back->dst.u.all;
	after.dst.u3 = back->src.u3;
	after.dst.u.all = back->src.u.all;
	tuple_to_key(&after, 0, key);
}

/* enum tcp_bit_set of net/netfilter/nf_conntrack_proto_tcp.c, the same from 6.1 to 7.3. */
#define TCP_ACK_SET 3
#define TCP_RST_SET 4

/**
 * natflow_ct_window() - what conntrack knows of a TCP window
 * @ct: conntrack about to be published
 * @w: filled in; unused for UDP
 *
 * Return: false if TCP has begun to close, or packets of one side are missing.
 */
bool natflow_ct_window(struct nf_conn *ct, struct natflow_window *w)
{
	bool known;
	u32 i;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return true;
	spin_lock_bh(&ct->lock);
	known = ct->proto.tcp.state == TCP_CONNTRACK_ESTABLISHED;
	for (i = 0; i < 2; i++) {
		const struct ip_ct_tcp_state *seen = &ct->proto.tcp.seen[i];

		w->side[i].end = seen->td_end;
		w->side[i].edge = seen->td_maxend;
		w->side[i].ack = seen->td_maxack;
		w->side[i].maxwin = seen->td_maxwin;
		w->told[i].end = seen->td_end;
		w->told[i].edge = seen->td_maxend;
		w->told[i].ack = seen->td_maxack;
		w->scale[i] = seen->td_scale;
		known &= !!seen->td_maxwin;
	}
	spin_unlock_bh(&ct->lock);
	return known;
}

/*
 * Both get the later number. If conntrack's has not moved since the last merge, then
 * natflow's is the later one, even 3 GiB on. It may be slightly older, see
 * natflow_window_pass().
 * Return: true if natflow's is later.
 */
static bool level(u32 *theirs, u32 *ours, u32 *told)
{
	const u32 number = READ_ONCE(*ours), ahead = number - *theirs;
	const bool news = ahead && ahead < (*theirs == *told ? 7U << 29 : 1U << 31);

	if (news)
		*theirs = number;
	else
		natflow_window_raise(ours, number, *theirs);
	*told = *theirs;
	return news;
}

static bool level_side(struct ip_ct_tcp_state *seen, struct natflow_window *w, unsigned int d)
{
	struct natflow_window_side *side = &w->side[d];
	bool news;

	news = level(&seen->td_end, &side->end, &w->told[d].end);
	news |= level(&seen->td_maxend, &side->edge, &w->told[d].edge);
	if (seen->flags & IP_CT_TCP_FLAG_MAXACK_SET)
		news |= level(&seen->td_maxack, &side->ack, &w->told[d].ack);
	if (w->closed)
		return news;
	if (seen->td_maxwin > side->maxwin)
		WRITE_ONCE(side->maxwin, seen->td_maxwin);
	seen->td_maxwin = side->maxwin;
	return news;
}

/* Packets passed that conntrack has not seen. The last one had data, or acknowledged some. */
static void note_last(struct ip_ct_tcp *tcp, const struct natflow_window *w)
{
	const u8 d = READ_ONCE(w->last);
	struct ip_ct_tcp_state *seen = tcp->seen;
	u32 i;

	for (i = 0; i < 2; i++) {
		seen[i].flags &= ~IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
		if (seen[i].td_end != seen[!i].td_maxack)
			seen[i].flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
	}
	tcp->last_index = TCP_ACK_SET;
	tcp->last_dir = d;
	tcp->last_seq = seen[d].td_end;
	tcp->last_end = seen[d].td_end;
	tcp->last_ack = seen[d].td_maxack;
	tcp->last_win = max(seen[d].td_maxwin >> seen[d].td_scale, 1U);
	tcp->retrans = 0;
}

/* Return: conntrack's state. */
static u8 merge(struct ip_ct_tcp *tcp, struct natflow_window *w)
{
	bool news;

	/* A new connection has begun with the same addresses and ports. */
	if (tcp->state == TCP_CONNTRACK_SYN_SENT || tcp->state == TCP_CONNTRACK_SYN_RECV)
		return tcp->state;
	news = level_side(&tcp->seen[0], w, 0);
	news |= level_side(&tcp->seen[1], w, 1);
	if (news && tcp->state == TCP_CONNTRACK_ESTABLISHED)
		note_last(tcp, w);
	return tcp->state;
}

/**
 * natflow_ct_merge() - conntrack and natflow tell each other which packets they have seen
 * @ct: conntrack of a published flow
 * @w: the flow's window
 *
 * Afterwards conntrack's window is what it would be if it had seen every packet.
 * core/ageing.c merges active flows twice a second, so natflow's numbers cannot be too
 * far ahead.
 *
 * Context: any but hard irq.
 * Return: false if TCP is not ESTABLISHED any more.
 */
bool natflow_ct_merge(struct nf_conn *ct, struct natflow_window *w)
{
	u8 state;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return true;
	spin_lock_bh(&ct->lock);
	state = merge(&ct->proto.tcp, w);
	spin_unlock_bh(&ct->lock);
	return state == TCP_CONNTRACK_ESTABLISHED;
}

/**
 * natflow_ct_close_window() - the flow ended: no packet passes its window any more
 * @ct: conntrack of the flow
 * @w: the flow's window
 *
 * A packet that another CPU has found the flow for goes up the stack now. If it has
 * just passed, the merge before the flow is freed tells conntrack.
 */
void natflow_ct_close_window(struct nf_conn *ct, struct natflow_window *w)
{
	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;
	spin_lock_bh(&ct->lock);
	merge(&ct->proto.tcp, w);
	w->closed = true;
	WRITE_ONCE(w->side[0].maxwin, 0);
	WRITE_ONCE(w->side[1].maxwin, 0);
	smp_mb();	/* closed before the last look at what passed */
	merge(&ct->proto.tcp, w);
	spin_unlock_bh(&ct->lock);
}

/**
 * natflow_ct_widen() - a segment offers a larger window than any before
 * @ct: conntrack of its flow
 * @w: the flow's window
 * @d: its direction
 * @win: what it offers
 */
void natflow_ct_widen(struct nf_conn *ct, struct natflow_window *w, unsigned int d, u32 win)
{
	spin_lock_bh(&ct->lock);
	if (!w->closed && win > w->side[d].maxwin)
		WRITE_ONCE(w->side[d].maxwin, win);
	spin_unlock_bh(&ct->lock);
}

/**
 * natflow_ct_is_liberal() - does conntrack accept segments that are not in the window
 * @ct: conntrack
 * @dir: direction
 *
 * It does so by a sysctl, and for connections whose SYN it has not seen.
 */
bool natflow_ct_is_liberal(const struct nf_conn *ct, unsigned int dir)
{
	/* data_race(): flags change under ct->lock, this one is never cleared. */
	return data_race(ct->proto.tcp.seen[dir].flags) & IP_CT_TCP_FLAG_BE_LIBERAL ||
	       READ_ONCE(nf_tcp_pernet(nf_ct_net(ct))->tcp_be_liberal);
}

/** natflow_ct_id() - a conntrack's CTA_ID of ctnetlink */
__be32 natflow_ct_id(const struct nf_conn *ct)
{
	return (__force __be32)nf_ct_get_id(ct);
}

/**
 * natflow_ct_be_liberal() - packets will pass that neither conntrack nor natflow sees
 * @ct: conntrack
 *
 * From now on segments may be far ahead of the window that is known. Nobody can say
 * later where the window is, so the connection stays liberal, as one that was in
 * hardware by nf_flow_table (net/netfilter/nft_flow_offload.c:flow_offload_ct_tcp()).
 */
void natflow_ct_be_liberal(struct nf_conn *ct)
{
	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;
	spin_lock_bh(&ct->lock);
	ct->proto.tcp.seen[0].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
	ct->proto.tcp.seen[1].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
	spin_unlock_bh(&ct->lock);
}

/* The number of its zone, 0: the default one. */
u16 natflow_ct_zone(const struct nf_conn *ct)
{
	return nf_ct_zone(ct)->id;
}

/**
 * natflow_ct_find_tcp() - the conntrack that conntrack's hook will find for a TCP packet
 * @net: namespace
 * @skb: packet right before that hook, defragmented
 * @family: of the packet
 *
 * Context: RCU read side, BH disabled.
 * Return: the conntrack with a reference; NULL for another protocol or a new connection.
 */
struct nf_conn *natflow_ct_find_tcp(struct net *net, const struct sk_buff *skb, u8 family)
{
	const u8 proto = family == NFPROTO_IPV4 ? ip_hdr(skb)->protocol : ipv6_hdr(skb)->nexthdr;
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_tuple tuple;
	struct nf_conntrack_zone zone;
	enum ip_conntrack_info info;
	struct nf_conn *tmpl = nf_ct_get(skb, &info);

	if (proto == IPPROTO_UDP || info == IP_CT_UNTRACKED || (tmpl && !nf_ct_is_template(tmpl)))
		return NULL;
	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), family, net, &tuple) ||
	    tuple.dst.protonum != IPPROTO_TCP)
		return NULL;
	hash = nf_conntrack_find_get(net, nf_ct_zone_tmpl(tmpl, skb, &zone), &tuple);
	return hash ? nf_ct_tuplehash_to_ctrack(hash) : NULL;
}

/**
 * natflow_ct_find_bare() - the conntrack of a packet that carries none
 * @net: namespace
 * @skb: packet of zone 0
 * @family: NFPROTO_*
 * @changed: NAT has changed the packet: then the reply's tuple is its own, inverted
 * @dir: set: direction of the packet, IP_CT_DIR_*
 *
 * Context: RCU read side, BH disabled.
 * Return: the conntrack with a reference, or NULL.
 */
struct nf_conn *natflow_ct_find_bare(struct net *net, const struct sk_buff *skb, u8 family,
				     bool changed, unsigned int *dir)
{
	struct nf_conntrack_tuple own, reply;
	struct nf_conntrack_tuple_hash *hash;

	if (!nf_ct_get_tuplepr(skb, skb_network_offset(skb), family, net, &own) ||
	    !nf_ct_invert_tuple(&reply, &own))
		return NULL;
	hash = nf_conntrack_find_get(net, &nf_ct_zone_dflt, changed ? &reply : &own);
	if (!hash)
		return NULL;
	*dir = NF_CT_DIRECTION(hash) ^ changed;
	return nf_ct_tuplehash_to_ctrack(hash);
}

/**
 * natflow_ct_source() - the address that packets of a direction come from, before NAT
 * @ct: conntrack
 * @dir: direction, IP_CT_DIR_*
 */
const union nf_inet_addr *natflow_ct_source(const struct nf_conn *ct, unsigned int dir)
{
	return &ct->tuplehash[dir].tuple.src.u3;
}

/**
 * natflow_ct_account() - add what the stack would have counted
 * @ct: conntrack
 * @dir: direction
 * @packets: skbs
 * @bytes: their L3 bytes
 */
void natflow_ct_account(struct nf_conn *ct, unsigned int dir, u64 packets, u64 bytes)
{
	struct nf_conn_acct *acct = nf_conn_acct_find(ct);

	if (!acct)
		return;
	atomic64_add(packets, &acct->counter[dir].packets);
	atomic64_add(bytes, &acct->counter[dir].bytes);
}

/* The timeout table in force: a policy of this conntrack, else the namespace's. */
static unsigned int timeout_of(struct nf_conn *ct, bool tcp, unsigned int state)
{
	unsigned int *table, timeout;

	rcu_read_lock();
	table = nf_ct_timeout_lookup(ct);
	if (!table)
		table = tcp ? nf_tcp_pernet(nf_ct_net(ct))->timeouts :
			      nf_udp_pernet(nf_ct_net(ct))->timeouts;
	timeout = READ_ONCE(table[state]);
	rcu_read_unlock();
	return timeout;
}

/*
 * Was a RST the last packet that conntrack saw, and not believed? A liberal connection's
 * flow ended with it: what passed unseen, and is counted now, came before.
 */
static bool is_reset(const struct nf_conn *ct)
{
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;

	return tcp->last_index == TCP_RST_SET && natflow_ct_is_liberal(ct, tcp->last_dir);
}

/*
 * As nf_conntrack_tcp_packet() chooses it. A packet that passed unseen is newer than
 * the last one that conntrack saw, and natflow_ct_merge() has told so.
 */
static unsigned int tcp_timeout(struct nf_conn *ct)
{
	const u8 retrans = READ_ONCE(nf_tcp_pernet(nf_ct_net(ct))->tcp_max_retrans);
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;
	unsigned int state = TCP_CONNTRACK_ESTABLISHED;

	lockdep_assert_held(&ct->lock);
	if (tcp->retrans >= retrans)
		state = TCP_CONNTRACK_RETRANS;
	else if (is_reset(ct))
		state = TCP_CONNTRACK_CLOSE;
	else if ((tcp->seen[0].flags | tcp->seen[1].flags) & IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED)
		state = TCP_CONNTRACK_UNACK;
	else if (!tcp->last_win)
		state = TCP_CONNTRACK_RETRANS;
	return min(timeout_of(ct, true, TCP_CONNTRACK_ESTABLISHED), timeout_of(ct, true, state));
}

/* Under the lock, so that conntrack's own choice for a packet that it sees now comes later. */
static void refresh_tcp(struct nf_conn *ct)
{
	spin_lock_bh(&ct->lock);
	if (ct->proto.tcp.state == TCP_CONNTRACK_ESTABLISHED)
		WRITE_ONCE(ct->timeout, nfct_time_stamp + tcp_timeout(ct));
	spin_unlock_bh(&ct->lock);
}

/**
 * natflow_ct_suspect() - a connection may have ended: what segments without answers wait
 * @ct: conntrack of TCP with a reference
 *
 * The next packet moves the timeout again.
 */
void natflow_ct_suspect(struct nf_conn *ct)
{
	u32 soon = nfct_time_stamp + timeout_of(ct, true, TCP_CONNTRACK_UNACK);

	if (natflow_ct_alive(ct) && !test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status) &&
	    (s32)(READ_ONCE(ct->timeout) - soon) > 0)
		WRITE_ONCE(ct->timeout, soon);
}

/*
 * UDP becomes a stream, and ASSURED, with traffic two seconds after it began
 * (net/netfilter/nf_conntrack_proto_udp.c:nf_conntrack_udp_packet()).
 */
static unsigned int udp_timeout(struct nf_conn *ct)
{
	unsigned long status = READ_ONCE(ct->status);

	if (!(status & IPS_SEEN_REPLY) || !time_after(jiffies, ct->proto.udp.stream_ts))
		return timeout_of(ct, false, UDP_CT_UNREPLIED);
	if (!(status & (IPS_ASSURED | IPS_NAT_CLASH)) &&
	    !test_and_set_bit(IPS_ASSURED_BIT, &ct->status))
		nf_conntrack_event(IPCT_ASSURED, ct);
	return timeout_of(ct, false, UDP_CT_REPLIED);
}

/**
 * natflow_ct_refresh() - the flow had traffic: move its timeout as the stack would
 * @ct: conntrack with a reference
 *
 * Leaves a dying, expired or fixed conntrack as it is.
 */
void natflow_ct_refresh(struct nf_conn *ct)
{
	if (!natflow_ct_alive(ct) || test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status))
		return;
	if (nf_ct_protonum(ct) == IPPROTO_TCP)
		refresh_tcp(ct);
	else
		WRITE_ONCE(ct->timeout, nfct_time_stamp + udp_timeout(ct));
}

/**
 * natflow_ct_close() - the connection was reset by us, with packets conntrack does not see
 * @ct: conntrack
 */
void natflow_ct_close(struct nf_conn *ct)
{
	nf_ct_set_closing(&ct->ct_general);
}

/**
 * natflow_ct_kill() - delete it; the next packet begins another one
 * @ct: conntrack with a reference
 *
 * Context: process or softirq.
 */
void natflow_ct_kill(struct nf_conn *ct)
{
	nf_ct_kill(ct);
}

/**
 * natflow_ct_sent() - the sequence numbers with which each side would go on
 * @ct: conntrack
 * @end: filled in, by direction
 *
 * Return: false if it is no TCP connection that both sides have begun and neither closed.
 */
bool natflow_ct_sent(struct nf_conn *ct, u32 end[2])
{
	u8 state;

	if (nf_ct_protonum(ct) != IPPROTO_TCP || !natflow_ct_assured(ct))
		return false;
	spin_lock_bh(&ct->lock);
	state = ct->proto.tcp.state;
	end[IP_CT_DIR_ORIGINAL] = ct->proto.tcp.seen[IP_CT_DIR_ORIGINAL].td_end;
	end[IP_CT_DIR_REPLY] = ct->proto.tcp.seen[IP_CT_DIR_REPLY].td_end;
	spin_unlock_bh(&ct->lock);
	return state >= TCP_CONNTRACK_ESTABLISHED && state <= TCP_CONNTRACK_CLOSE_WAIT;
}

/* Of one piece of a walk. conntrack lets no chain grow beyond 80. */
#define WALK_FOUND	256
#define WALK_CHAIN	80
#define WALK_BUCKETS	1024

static unsigned int take_chain(const struct net *net, unsigned int bucket, struct nf_conn **found,
			       unsigned int n)
{
	struct nf_conntrack_tuple_hash *hash;
	struct hlist_nulls_node *node;

	hlist_nulls_for_each_entry(hash, node, &nf_conntrack_hash[bucket], hnnode) {
		struct nf_conn *ct = nf_ct_tuplehash_to_ctrack(hash);

		if (n < WALK_FOUND && NF_CT_DIRECTION(hash) == IP_CT_DIR_ORIGINAL &&
		    net_eq(nf_ct_net(ct), net) && natflow_ct_get(ct))
			found[n++] = ct;
	}
	return n;
}

/*
 * The table is replaced under all locks of its buckets, so one of them holds it still
 * (net/netfilter/nf_conntrack_core.c:nf_conntrack_hash_resize()).
 * Return: is there more behind this piece?
 */
static bool take_piece(const struct net *net, unsigned int *bucket, struct nf_conn **found,
		       unsigned int *n)
{
	const unsigned int stop = *bucket + WALK_BUCKETS;
	bool more = true;

	local_bh_disable();
	for (*n = 0; more && *bucket < stop && *n <= WALK_FOUND - WALK_CHAIN; ++*bucket) {
		spinlock_t *lock = &nf_conntrack_locks[*bucket % CONNTRACK_LOCKS];

		nf_conntrack_lock(lock);
		__acquire(lock);	/* for sparse: the kernel's function does not say it */
		more = *bucket < nf_conntrack_htable_size;
		if (more)
			*n = take_chain(net, *bucket, found, *n);
		spin_unlock(lock);
	}
	local_bh_enable();
	return more;
}

/**
 * natflow_ct_walk() - look at all confirmed conntracks of a namespace
 * @net: namespace
 * @see: called for each, without locks
 * @arg: for @see
 *
 * Those that are confirmed meanwhile may be missed, and all if there is no memory.
 *
 * Context: process, may sleep.
 */
void natflow_ct_walk(const struct net *net, void (*see)(struct nf_conn *ct, void *arg), void *arg)
{
	struct nf_conn **found = kmalloc_array(WALK_FOUND, sizeof(*found), GFP_KERNEL);
	unsigned int bucket = 0, n, i;
	bool more = found;

	while (more) {
		more = take_piece(net, &bucket, found, &n);
		for (i = 0; i < n; i++) {
			see(found[i], arg);
			nf_ct_put(found[i]);
		}
		cond_resched();
	}
	kfree(found);
}

/**
 * natflow_ct_set_mark() - as CONNMARK sets it
 * @ct: conntrack
 * @mark: new bits, inside @mask
 * @mask: bits that change
 *
 * Context: BH disabled.
 */
void natflow_ct_set_mark(struct nf_conn *ct, u32 mark, u32 mask)
{
#ifdef CONFIG_NF_CONNTRACK_MARK
	u32 old = READ_ONCE(ct->mark), new = (old & ~mask) | mark;

	if (new == old)
		return;
	WRITE_ONCE(ct->mark, new);
	nf_conntrack_event_cache(IPCT_MARK, ct);
#endif
}

/**
 * natflow_ct_serves() - is @port the server's port, before or after DNAT
 * @ct: conntrack
 * @port: host byte order
 */
bool natflow_ct_serves(const struct nf_conn *ct, u16 port)
{
	return ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.u.all == htons(port) ||
	       ct->tuplehash[IP_CT_DIR_REPLY].tuple.src.u.all == htons(port);
}

/* Is it confirmed: has its first packet passed all hooks? */
bool natflow_ct_confirmed(const struct nf_conn *ct)
{
	return nf_ct_is_confirmed(ct);
}

/**
 * natflow_ct_hides() - is it the first packet of a connection whose source is translated
 * @skb: packet
 *
 * Context: RCU read side.
 */
bool natflow_ct_hides(const struct sk_buff *skb)
{
	enum ip_conntrack_info info;
	const struct nf_conn *ct = nf_ct_get(skb, &info);

	return ct && info == IP_CT_NEW && test_bit(IPS_SRC_NAT_BIT, &ct->status);
}

/**
 * natflow_ct_get_first() - the confirmed conntrack of datagrams received in one batch
 * @ct: of a datagram
 *
 * A driver's batch passes PRE_ROUTING as a whole (NF_HOOK_LIST()), so each datagram
 * of a new flow creates a conntrack. The first is confirmed before the second
 * datagram reaches FORWARD. nf_ct_resolve_clash() in nf_conntrack_core.c drops the
 * others when they are confirmed.
 *
 * Context: RCU read side.
 * Return: the first one with a reference; NULL if that is @ct itself.
 */
struct nf_conn *natflow_ct_get_first(const struct nf_conn *ct)
{
	struct nf_conntrack_tuple_hash *hash;

	if (nf_ct_is_confirmed(ct))
		return NULL;
	hash = nf_conntrack_find_get(nf_ct_net(ct), nf_ct_zone(ct),
				     &ct->tuplehash[IP_CT_DIR_ORIGINAL].tuple);
	if (!hash)
		return NULL;
	if (NF_CT_DIRECTION(hash) == IP_CT_DIR_ORIGINAL)
		return nf_ct_tuplehash_to_ctrack(hash);
	nf_ct_put(nf_ct_tuplehash_to_ctrack(hash));
	return NULL;
}
