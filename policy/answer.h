/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that natflow sends or rewrites in place of the other side's. */
#ifndef _NATFLOW_POLICY_ANSWER_H
#define _NATFLOW_POLICY_ANSWER_H

#include "../core/base/segment.h"
#include "../lib/key.h"

/* A RST that nobody asked for, as it is on the wire. */
struct natflow_reset {
	u8 family;
	union natflow_key key;
	u32 seq, ack;
	u32 mark;
};

bool natflow_answer_tcp(const struct natflow_segment *s, u8 flags, const char *text,
			unsigned int len);
bool natflow_answer_turn(struct natflow_segment *s);
void natflow_answer_udp(const struct natflow_segment *s, const u8 *data, unsigned int len);
bool natflow_answer_replace(struct natflow_segment *s, const u8 *data, unsigned int len);
void natflow_answer_syn(const struct natflow_segment *s, u32 seq);
void natflow_answer_reset(struct net *net, struct dst_entry *dst,
			  const struct natflow_reset *reset);
void natflow_answer_forbidden(const struct natflow_segment *s);
void natflow_answer_prohibited(const struct natflow_segment *s);

#endif /* _NATFLOW_POLICY_ANSWER_H */
