// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conntrack stays correct although packets bypass it: timeouts are the protocol's
 * own, counters are what the stack would have added, and TCP window tracking
 * accepts the packets that come after the bypassed ones.
 */
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_timeout.h>
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
	if (nfct_help(ct))
		return NATFLOW_LEARN_HELPER;
	if (!(status & IPS_SEEN_REPLY))
		return NATFLOW_LEARN_UNREPLIED;
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

/**
 * natflow_ct_unblind() - prepare TCP tracking for packets it will not see
 * @ct: conntrack about to be published
 *
 * From now on the sequence numbers of this flow's slow packets (a FIN, a fragment)
 * are far from the last ones tracked. They must not become INVALID.
 *
 * Return: false if TCP has begun to close meanwhile.
 */
bool natflow_ct_unblind(struct nf_conn *ct)
{
	bool established;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return true;
	spin_lock_bh(&ct->lock);
	ct->proto.tcp.seen[0].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
	ct->proto.tcp.seen[1].flags |= IP_CT_TCP_FLAG_BE_LIBERAL;
	established = ct->proto.tcp.state == TCP_CONNTRACK_ESTABLISHED;
	spin_unlock_bh(&ct->lock);
	return established;
}

/**
 * natflow_ct_return() - the stack takes over again
 * @ct: conntrack of a flow that was published
 *
 * After more than 2 GiB of bypassed data even a liberal window check compares
 * with the wrong sign. td_maxwin 0 makes tcp_in_window() initialise from the next
 * packet. Without MAXACK_SET it does not compare an RST with an old ACK.
 */
void natflow_ct_return(struct nf_conn *ct)
{
	unsigned int i;

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return;
	spin_lock_bh(&ct->lock);
	for (i = 0; i < 2; i++) {
		ct->proto.tcp.seen[i].td_maxwin = 0;
		ct->proto.tcp.seen[i].flags &= ~IP_CT_TCP_FLAG_MAXACK_SET;
	}
	spin_unlock_bh(&ct->lock);
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
	unsigned int timeout;
	u8 state;

	if (!natflow_ct_alive(ct) || test_bit(IPS_FIXED_TIMEOUT_BIT, &ct->status))
		return;
	if (nf_ct_protonum(ct) == IPPROTO_TCP) {
		state = READ_ONCE(ct->proto.tcp.state);
		if (state != TCP_CONNTRACK_ESTABLISHED)
			return;
		timeout = timeout_of(ct, true, state);
	} else {
		timeout = udp_timeout(ct);
	}
	WRITE_ONCE(ct->timeout, nfct_time_stamp + timeout);
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
