/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How packets looked when they came in. Learning compares this with how they
 * leave: only what the stack leaves alone may be left alone by the packet path.
 */
#ifndef _NATFLOW_CORE_BASE_NOTE_H
#define _NATFLOW_CORE_BASE_NOTE_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>

struct natflow_net;

/*
 * Packets are handed up in lists: a hook sees all of a list before the next hook
 * sees its first (net/ipv4/ip_input.c:ip_sublist_rcv()). So there are many notes.
 */
#define NATFLOW_NOTES_SHIFT	6

/* Lengths from here on count as one: rules by length tell small packets from others. */
#define NATFLOW_LENGTH_MAX	1280

struct natflow_note {
	const struct sk_buff *of;	/* may be gone, only compared */
	u64 look;			/* natflow_look_ip4(), natflow_look_ip6() */
	u32 mark, priority;
	u16 len;			/* L3 bytes, at most NATFLOW_LENGTH_MAX */
};

static inline u16 natflow_note_length(unsigned int len)
{
	return min_t(unsigned int, len, NATFLOW_LENGTH_MAX);
}

void natflow_note_arrival(struct natflow_net *nn, const struct sk_buff *skb,
			  const struct nf_hook_state *state);
const struct natflow_note *natflow_note_find(const struct natflow_net *nn,
					     const struct sk_buff *skb);

#endif /* _NATFLOW_CORE_BASE_NOTE_H */
