/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP's window of a flow: what conntrack would have noted if it had seen each packet.
 *
 * The packet path notes each packet that it sends, without a lock. Whoever gives a
 * packet to conntrack brings both up to date first: see natflow_ct_merge(). So
 * conntrack itself judges that packet, as if natflow were not there. The packet path
 * sends only packets that tcp_in_window() of net/netfilter/nf_conntrack_proto_tcp.c
 * would accept. It does not read SACK blocks: its window may be narrower than
 * conntrack's, by what the receiver has acknowledged so.
 */
#ifndef _NATFLOW_CORE_BASE_WINDOW_H
#define _NATFLOW_CORE_BASE_WINDOW_H

#include <linux/atomic.h>
#include <linux/tcp.h>
#include <asm/byteorder.h>

/* An ACK may always lag so far behind: MAXACKWINCONST of nf_conntrack_proto_tcp.c. */
#define NATFLOW_WINDOW_BEHIND	66000U

/* Packets of one direction; fields of struct ip_ct_tcp_state. */
struct natflow_window_side {
	u32 end;	/* td_end: behind the last byte that was sent */
	u32 edge;	/* td_maxend: it may send up to here */
	u32 ack;	/* td_maxack */
	u32 maxwin;	/* td_maxwin; 0: no packet passes any more */
};

struct natflow_window {
	struct natflow_window_side side[2];	/* by direction, IP_CT_DIR_* */
	struct {
		u32 end, edge, ack;	/* conntrack's at the last merge; ct->lock */
	} told[2];
	u8 scale[2];		/* td_scale, constant */
	u8 last;		/* direction of the last packet */
	bool closed;		/* the flow has ended */
};

static __always_inline bool natflow_window_after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

/* Several CPUs may note packets of one direction: the highest number stays. */
static __always_inline void natflow_window_raise(u32 *at, u32 old, u32 number)
{
	while (natflow_window_after(number, old))
		if (try_cmpxchg_relaxed(at, &old, number))
			break;
}

/* Conditions I, III, and II with IV of tcp_in_window(); a segment must not overshoot either. */
static __always_inline bool
natflow_window_has(const struct natflow_window_side *us, const struct natflow_window_side *them,
		   u32 end, u32 ack)
{
	return (s32)(READ_ONCE(us->edge) - end) >= 0 &&
	       (s32)(end - READ_ONCE(us->end) + READ_ONCE(them->maxwin)) >= 0 &&
	       READ_ONCE(them->end) - ack <= max(READ_ONCE(us->maxwin), NATFLOW_WINDOW_BEHIND);
}

/*
 * May the packet path send a segment with ACK, without SYN, FIN and RST? If so, note it.
 * @d: its direction
 * @tcp: its header, 20 bytes of it
 * @len: its payload
 *
 * @edge and @ack are stored without a lock: another CPU's older value may stay. Until
 * the next packet the window is then narrower, never wider.
 *
 * Context: BH disabled.
 * Return: false if it is not in the window, or offers none or more than ever.
 */
static __always_inline bool
natflow_window_pass(struct natflow_window *w, unsigned int d, const struct tcphdr *tcp, u32 len)
{
	struct natflow_window_side *us = &w->side[d], *them = &w->side[!d];
	const u32 end = ntohl(tcp->seq) + len, ack = ntohl(tcp->ack_seq);
	const u32 win = (u32)ntohs(tcp->window) << w->scale[d];

	if (unlikely(!natflow_window_has(us, them, end, ack) || win - 1 >= READ_ONCE(us->maxwin)))
		return false;
	natflow_window_raise(&us->end, READ_ONCE(us->end), end);
	if (natflow_window_after(ack, READ_ONCE(us->ack)))
		WRITE_ONCE(us->ack, ack);
	if (natflow_window_after(ack + win, READ_ONCE(them->edge)))
		WRITE_ONCE(them->edge, ack + win);
	WRITE_ONCE(w->last, d);
	return true;
}

static inline bool natflow_window_fits(const struct natflow_window *w, unsigned int d,
				       const struct tcphdr *tcp, u32 len)
{
	return natflow_window_has(&w->side[d], &w->side[!d], ntohl(tcp->seq) + len,
				  ntohl(tcp->ack_seq));
}

#endif /* _NATFLOW_CORE_BASE_WINDOW_H */
