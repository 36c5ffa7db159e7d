/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All accesses to conntrack's internals. Other files include conntrack's headers
 * only for the pointer in the skb.
 */
#ifndef _NATFLOW_CORE_BASE_CT_H
#define _NATFLOW_CORE_BASE_CT_H

#include <net/netfilter/nf_conntrack.h>
#include "../../lib/key.h"
#include "../../include/uapi/linux/natflow_reason.h"
#include "window.h"

int natflow_ct_track(struct net *net);
void natflow_ct_untrack(struct net *net);
enum natflow_reason natflow_ct_eligible(const struct nf_conn *ct);
bool natflow_ct_get(struct nf_conn *ct);
void natflow_ct_put(struct nf_conn *ct);
void natflow_ct_attach(struct sk_buff *skb, struct nf_conn *ct, unsigned int d);
bool natflow_ct_alive(const struct nf_conn *ct);
void natflow_ct_key(const struct nf_conn *ct, unsigned int dir, u32 way, union natflow_key *key);
void natflow_ct_after(const struct nf_conn *ct, unsigned int dir, union natflow_key *key);
bool natflow_ct_window(struct nf_conn *ct, struct natflow_window *w);
bool natflow_ct_merge(struct nf_conn *ct, struct natflow_window *w);
void natflow_ct_close_window(struct nf_conn *ct, struct natflow_window *w);
void natflow_ct_widen(struct nf_conn *ct, struct natflow_window *w, unsigned int d, u32 win);
bool natflow_ct_is_liberal(const struct nf_conn *ct, unsigned int dir);
struct nf_conn *natflow_ct_find_tcp(struct net *net, const struct sk_buff *skb, u8 family);
struct nf_conn *natflow_ct_find_bare(struct net *net, const struct sk_buff *skb, u8 family,
				     bool changed, unsigned int *dir);
const union nf_inet_addr *natflow_ct_source(const struct nf_conn *ct, unsigned int dir);
void natflow_ct_account(struct nf_conn *ct, unsigned int dir, u64 packets, u64 bytes);
void natflow_ct_be_liberal(struct nf_conn *ct);
u16 natflow_ct_zone(const struct nf_conn *ct);
__be32 natflow_ct_id(const struct nf_conn *ct);
void natflow_ct_suspect(struct nf_conn *ct);
void natflow_ct_refresh(struct nf_conn *ct);
void natflow_ct_close(struct nf_conn *ct);
void natflow_ct_kill(struct nf_conn *ct);
bool natflow_ct_sent(struct nf_conn *ct, u32 end[2]);
void natflow_ct_walk(const struct net *net, void (*see)(struct nf_conn *ct, void *arg), void *arg);
void natflow_ct_set_mark(struct nf_conn *ct, u32 mark, u32 mask);
bool natflow_ct_serves(const struct nf_conn *ct, u16 port);
bool natflow_ct_confirmed(const struct nf_conn *ct);
bool natflow_ct_hides(const struct sk_buff *skb);
struct nf_conn *natflow_ct_get_first(const struct nf_conn *ct);

static inline u8 natflow_ct_family(const struct nf_conn *ct)
{
	return nf_ct_l3num(ct);
}

static inline u8 natflow_ct_proto(const struct nf_conn *ct)
{
	return nf_ct_protonum(ct);
}

/* Was the connection answered? Then rules see the state ESTABLISHED. */
static inline bool natflow_ct_answered(const struct nf_conn *ct)
{
	return test_bit(IPS_SEEN_REPLY_BIT, &ct->status);
}

/*
 * Did the client acknowledge what the server sent? Then its address is not forged. A
 * lone segment may create a conntrack (nf_conntrack_tcp_loose), but it is assured only
 * by an answer other than RST (nf_conntrack_proto_tcp.c:nf_conntrack_tcp_packet()).
 */
static inline bool natflow_ct_assured(const struct nf_conn *ct)
{
	return test_bit(IPS_ASSURED_BIT, &ct->status);
}

#ifdef CONFIG_NF_CONNTRACK_MARK
static inline u32 natflow_ct_mark(const struct nf_conn *ct)
{
	return READ_ONCE(ct->mark);
}
#else
static inline u32 natflow_ct_mark(const struct nf_conn *ct)
{
	return 0;
}
#endif

/* Do its ends still use the connection? For UDP this is unknown until it times out. */
static inline bool natflow_ct_open(const struct nf_conn *ct)
{
	return !nf_ct_is_dying(ct) && !nf_ct_is_expired(ct) &&
	       (nf_ct_protonum(ct) != IPPROTO_TCP ||
		READ_ONCE(ct->proto.tcp.state) <= TCP_CONNTRACK_CLOSE_WAIT);
}

/* Do connections that begin now have packet and byte counters? */
static inline bool natflow_ct_counts(const struct net *net)
{
	return READ_ONCE(net->ct.sysctl_acct);
}

static inline struct net *natflow_ct_net(const struct nf_conn *ct)
{
	return nf_ct_net(ct);
}

#endif /* _NATFLOW_CORE_BASE_CT_H */
