/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QUIC client's first flight, versions 1 (RFC 9000, 9001), 2 (RFC 9369) and draft 29:
 * decrypts Initial packets and assembles their CRYPTO frames.
 */
#ifndef _NATFLOW_LIB_NAMES_QUIC_H
#define _NATFLOW_LIB_NAMES_QUIC_H

#include "gather.h"
#include "gcm.h"
#include "hostname.h"

#define NATFLOW_QUIC_ID_MAX 20		/* RFC 9000 section 17.2 */
#define NATFLOW_QUIC_DATAGRAM_MIN 1200	/* RFC 9000 section 14.1: below, servers drop Initials */
#define NATFLOW_QUIC_PACKET_MAX 2048	/* longest Initial that is decrypted */

/* State of a flow; all zero before the first datagram. */
struct natflow_quic {
	u32 version;			/* 0: nothing could be decrypted yet */
	u8 id_len;
	u8 id[NATFLOW_QUIC_ID_MAX];	/* destination ID of the keys */
	u8 key[16], nonce[NATFLOW_GCM_NONCE], mask_key[16];
	u64 next;			/* the packet number behind the largest so far */
};

/* Buffers for one call, too large for the stack. */
struct natflow_quic_work {
	struct natflow_quic keys;
	struct natflow_aes aes;
	u8 header[NATFLOW_QUIC_PACKET_MAX];
	u8 plain[NATFLOW_QUIC_PACKET_MAX];
};

enum natflow_parsed natflow_quic_receive(struct natflow_quic *quic, struct natflow_gather *gather,
					 struct natflow_quic_work *work, const u8 *data, u32 len);

#endif /* _NATFLOW_LIB_NAMES_QUIC_H */
