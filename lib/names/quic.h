/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QUIC client's first flight, versions 1 (RFC 9000, 9001), 2 (RFC 9369) and draft 29:
 * decrypts Initial packets and assembles their CRYPTO frames.
 */
#ifndef _NATFLOW_LIB_NAMES_QUIC_H
#define _NATFLOW_LIB_NAMES_QUIC_H

#include "../longhead.h"
#include "gcm.h"
#include "hostname.h"

#define NATFLOW_QUIC_ID_MAX 20		/* RFC 9000 section 17.2 */
#define NATFLOW_QUIC_PACKET_MAX 2048	/* longest Initial that is decrypted */
#define NATFLOW_QUIC_CONNS 4		/* connections of one flow that are told apart */

/* A connection: the keys of its client's Initial packets. */
struct natflow_quic_conn {
	u32 version;			/* 0: this place is free */
	u32 turn;			/* natflow_quic.turn of its last packet */
	bool done;			/* set by the caller: its hello was read */
	u8 id_len;
	u8 id[NATFLOW_QUIC_ID_MAX];	/* destination ID of the keys */
	u8 key[16], nonce[NATFLOW_GCM_NONCE], mask_key[16];
	u64 last;			/* the packet number behind that of the last packet */
	u64 next;			/* behind the largest so far, larger jumps excepted */
};

/* State of a flow; all zero before the first datagram. */
struct natflow_quic {
	struct natflow_quic_conn conn[NATFLOW_QUIC_CONNS];
	u32 turn;
};

/* One datagram that is read, and buffers too large for the stack. */
struct natflow_quic_work {
	const u8 *data;			/* what is not read yet */
	u32 len;
	u8 tries;			/* Initial packets that were tried */
	u8 key_tries;			/* with keys of connections, all together */
	bool spent;			/* no more is tried: see open_with() */
	u32 vain;			/* bytes that may be hashed in vain */
	bool opened;			/* one of them belongs to the connection @conn */
	bool fresh;			/* which took a place, maybe from another connection */
	bool retry;			/* the packet has a token: it may follow a Retry */
	u8 conn;
	u32 plain_len, plain_at;	/* of the packet that was opened; what is read of it */
	struct natflow_quic_conn keys;	/* by the datagram's own destination ID, if derived */
	struct natflow_quic_conn other;	/* a connection's keys in another version, likewise */
	struct natflow_gcm gcm;
	u8 header[NATFLOW_QUIC_PACKET_MAX];
	u8 plain[NATFLOW_QUIC_PACKET_MAX];
};

/* A CRYPTO frame: a piece of the connection's stream. */
struct natflow_quic_crypto {
	u32 at, len;
	const u8 *data;
};

#ifndef NATFLOW_WITHOUT_NAMES
void natflow_quic_init(void);
#else
static inline void natflow_quic_init(void)
{
}
#endif
void natflow_quic_begin(struct natflow_quic_work *work, const u8 *data, u32 len);
enum natflow_parsed natflow_quic_next(struct natflow_quic *quic, struct natflow_quic_work *work);
enum natflow_parsed natflow_quic_crypto(struct natflow_quic_work *work,
					struct natflow_quic_crypto *crypto);

#endif /* _NATFLOW_LIB_NAMES_QUIC_H */
