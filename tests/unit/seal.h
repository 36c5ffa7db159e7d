/* SPDX-License-Identifier: GPL-2.0-only */
/* The other side of lib/names/quic: a client's Initial packets, sealed by nettle. */
#ifndef _NATFLOW_TEST_SEAL_H
#define _NATFLOW_TEST_SEAL_H

#include <nettle/gcm.h>
#include "../../lib/names/gather.h"
#include "../../lib/names/hkdf.h"
#include "../../lib/names/quic.h"

struct seal_version {
	u32 number;
	u8 first;		/* of an Initial, without the length of the packet number */
	u8 salt[20];
	const char *key, *nonce, *mask;
};

static const struct seal_version seal_versions[] = {
	{ 1, 0xc0, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
		     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	  "quic key", "quic iv", "quic hp" },
	{ 0x6b3343cf, 0xd0, { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	  "quicv2 key", "quicv2 iv", "quicv2 hp" },
};

struct seal_keys {
	u8 key[16], nonce[12], mask[16];
};

static inline struct seal_keys seal_keys(const struct seal_version *v, const u8 *id, size_t id_len)
{
	struct natflow_hmac salt, secret;
	u8 bytes[32];
	struct seal_keys k;

	natflow_hmac_set(&salt, v->salt, 20);
	natflow_hkdf_extract(&salt, id, id_len, &secret, bytes);
	natflow_hkdf_label(&secret, "client in", bytes, 32);
	natflow_hmac_set(&secret, bytes, 32);
	natflow_hkdf_label(&secret, v->key, k.key, 16);
	natflow_hkdf_label(&secret, v->nonce, k.nonce, 12);
	natflow_hkdf_label(&secret, v->mask, k.mask, 16);
	return k;
}

struct seal_packet {
	const struct seal_version *version;
	struct seal_keys keys;
	const u8 *id;			/* on the wire; may be another than the keys' */
	u8 id_len, number_len;
	u32 number;
	const u8 *token;
	u8 token_len;			/* below 64 */
};

/* The packet in @out; its size. @out holds 64 bytes more than @len, @id_len and @token_len. */
static inline size_t seal(const struct seal_packet *p, const u8 *plain, size_t len, u8 *out)
{
	size_t at = 0, number_at, i, rest = p->number_len + len + 16;
	struct gcm_aes128_ctx gcm;
	struct aes128_ctx aes;
	u8 nonce[12], mask[16];

	out[at++] = p->version->first | (p->number_len - 1);
	for (i = 4; i--;)
		out[at++] = p->version->number >> 8 * i;
	out[at++] = p->id_len;
	memcpy(out + at, p->id, p->id_len);
	at += p->id_len;
	out[at++] = 0;				/* no source id */
	out[at++] = p->token_len;
	if (p->token_len)
		memcpy(out + at, p->token, p->token_len);
	at += p->token_len;
	out[at++] = 0x40 | rest >> 8;
	out[at++] = rest;
	number_at = at;
	for (i = p->number_len; i--;)
		out[at++] = p->number >> 8 * i;
	memcpy(nonce, p->keys.nonce, 12);
	for (i = 0; i < 4; i++)
		nonce[11 - i] ^= p->number >> 8 * i;
	gcm_aes128_set_key(&gcm, p->keys.key);
	gcm_aes128_set_iv(&gcm, 12, nonce);
	gcm_aes128_update(&gcm, at, out);
	gcm_aes128_encrypt(&gcm, len, out + at, plain);
	gcm_aes128_digest(&gcm, 16, out + at + len);
	aes128_set_encrypt_key(&aes, p->keys.mask);
	aes128_encrypt(&aes, 16, mask, out + number_at + 4);
	out[0] ^= mask[0] & 15;
	for (i = 0; i < p->number_len; i++)
		out[number_at + i] ^= mask[1 + i];
	return at + len + 16;
}

/* The frames of a packet that was opened. */
static inline enum natflow_parsed natflow_quic_gather(struct natflow_gather *gather, struct natflow_quic_work *work)
{
	enum natflow_parsed state, all = NATFLOW_PARSED;
	struct natflow_quic_crypto c;

	while ((state = natflow_quic_crypto(work, &c)) == NATFLOW_PARSED)
		if (c.len && natflow_gather_put(gather, c.at, c.data, c.len))
			all = NATFLOW_PARSE_ROOM;
	return state == NATFLOW_PARSE_MALFORMED ? state : all;
}

/* All of a datagram, whatever connections it is of, into one stream. */
static inline enum natflow_parsed natflow_quic_receive(struct natflow_quic *quic, struct natflow_gather *gather,
						       struct natflow_quic_work *work, const u8 *data, u32 len)
{
	enum natflow_parsed state, found = NATFLOW_PARSE_OTHER;

	natflow_quic_begin(work, data, len);
	for (;;) {
		state = natflow_quic_next(quic, work);
		if (state != NATFLOW_PARSED && state != NATFLOW_PARSE_UNTRUSTED)
			return found == NATFLOW_PARSE_OTHER ? state : found;
		if (state == NATFLOW_PARSED) {
			state = natflow_quic_gather(gather, work);
			if (state != NATFLOW_PARSED)
				return state;
		}
		if (found != NATFLOW_PARSED)
			found = state;
	}
}

#endif /* _NATFLOW_TEST_SEAL_H */
