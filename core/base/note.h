/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fields of packets as they arrived. Learning compares them with the fields at
 * POST_ROUTING: the packet path leaves a field unchanged only if the stack does.
 */
#ifndef _NATFLOW_CORE_BASE_NOTE_H
#define _NATFLOW_CORE_BASE_NOTE_H

#include <linux/init.h>
#include <linux/netfilter.h>
#include "pcpu.h"

static inline u16 natflow_note_length(unsigned int len)
{
	return min_t(unsigned int, len, NATFLOW_LENGTH_MAX);
}

int natflow_note_init(void);
void natflow_note_exit(void);
void natflow_note_arrival(const struct sk_buff *skb, const struct nf_hook_state *state);
bool natflow_note_is_kept(const struct sk_buff *skb, u8 family);
bool natflow_note_find(const struct sk_buff *skb, struct natflow_note *copy);

#endif /* _NATFLOW_CORE_BASE_NOTE_H */
