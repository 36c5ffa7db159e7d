// SPDX-License-Identifier: GPL-2.0-only
/* A client's QUIC datagrams. */
#include "../core/base/segment.h"
#include "quic.h"
#include "stream.h"

#define ROOM_MIN	2048	/* a datagram is decrypted again when the buffer has grown */

/**
 * natflow_quic_may_begin() - may a client's datagram open a QUIC connection
 * @s: datagram
 *
 * QUIC is recognized by a long header with a version (RFC 8999) and the fixed bit
 * (RFC 9000). On port 443 any first datagram counts: otherwise another one in front
 * would hide the Initial.
 */
bool natflow_quic_may_begin(const struct natflow_segment *s)
{
	u8 buffer[5];
	const u8 *head;

	if (natflow_ct_serves(s->ct, 443))
		return true;
	head = skb_header_pointer(s->skb, s->data, sizeof(buffer), buffer);
	return s->len >= NATFLOW_QUIC_DATAGRAM_MIN && head && (head[0] & 0xc0) == 0xc0 &&
	       (head[1] | head[2] | head[3] | head[4]);
}

/* One datagram. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason seek_datagram(struct natflow_inspection *in,
					 const struct natflow_segment *s, u32 at, u32 len,
					 struct natflow_workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;
	enum natflow_parsed parsed;
	const u8 *data = NULL;

	if (len <= NATFLOW_DATAGRAM_MAX)
		data = skb_header_pointer(s->skb, s->data + at, len, w->datagram);
	if (!data) {
		in->doubts++;
		return NATFLOW_OK;
	}
	do {
		parsed = natflow_quic_receive(in->quic, &in->gather, &w->quic, data, len);
		if (parsed == NATFLOW_PARSE_ROOM)
			reason = natflow_stream_grow(&in->place, &in->gather, ROOM_MIN);
	} while (parsed == NATFLOW_PARSE_ROOM && !reason);
	if (reason)
		return reason;
	if (parsed == NATFLOW_PARSED)
		return natflow_reading_try(in, w, NATFLOW_ACK_PENDING);
	in->doubts++;	/* the next datagram may be valid */
	return NATFLOW_OK;
}

/**
 * natflow_quic_seek() - inspect a client's packet: one datagram, or several by GRO
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 * @s: packet
 * @w: workspace
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or the outcome for natflow_outcome_without().
 */
enum natflow_reason natflow_quic_seek(struct natflow_inspection *in,
				      const struct natflow_segment *s,
				      struct natflow_workspace *w)
{
	u32 step = skb_is_gso(s->skb) ? skb_shinfo(s->skb)->gso_size : s->len;
	enum natflow_reason reason = NATFLOW_OK;
	u32 at;

	if (!in->quic) {
		in->quic = natflow_stream_alloc(&in->place, sizeof(*in->quic));
		if (!in->quic)
			return natflow_stream_lack(&in->place);
	}
	if (s->extended || !natflow_segment_sound(s)) {
		in->doubts++;
		return NATFLOW_OK;
	}
	for (at = 0; at < s->len && step && !reason && !natflow_inspection_is_decided(in) &&
	     !natflow_inspection_is_spent(in); at += step) {
		in->packets++;
		reason = seek_datagram(in, s, at, min(step, s->len - at), w);
	}
	return reason;
}
