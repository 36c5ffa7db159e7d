// SPDX-License-Identifier: GPL-2.0-only
/*
 * Initial packets. Everyone who sees a flow's first packet can compute its keys. A
 * packet that decrypts is intact, and its sender has seen that first packet.
 */
#include "hkdf.h"
#include "quic.h"

/* RFC 9000 section 17.2 */
#define LONG_HEADER 0x80
#define TYPE_SHIFT 4
#define SAMPLE 16		/* bytes, taken as if the packet number had 4 */
#define ID_MIN 8		/* bytes of a client's first choice, section 7.2 */

/* Initials per datagram that are tried; clients send one or two. */
#define TRIES_MAX 4

/* RFC 9000 section 12.4: the frames that an Initial may carry */
enum { FRAME_PADDING, FRAME_PING, FRAME_ACK, FRAME_ACK_ECN, FRAME_CRYPTO = 6, FRAME_CLOSE = 0x1c };

/* How versions differ: RFC 9001 sections 5.1 and 5.2, RFC 9369 section 3. */
struct version {
	u32 number;
	u8 initial, retry;	/* packet types of the long header */
	u8 salt[20];
	const char *key, *nonce, *mask;
};

static const struct version versions[] = {
	{ 1, 0, 3, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
		     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	  "quic key", "quic iv", "quic hp" },
	{ 0x6b3343cf, 1, 0, { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	  "quicv2 key", "quicv2 iv", "quicv2 hp" },
	/* the last draft, used by captures and old clients */
	{ 0xff00001d, 0, 3, { 0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
			      0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99 },
	  "quic key", "quic iv", "quic hp" },
};

/* The unprotected part of a long header. */
struct packet {
	const struct version *version;
	u8 type;
	u8 id_len;
	bool has_token;
	const u8 *id;
	u32 number_at;		/* where the packet number begins */
	u32 end;
};

static const struct version *find_version(u32 number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].number == number)
			return &versions[i];
	return NULL;
}

/* Variable-length integer, RFC 9000 section 16. Return: false if cut off. */
static bool get_varint(const u8 *data, u32 len, u32 *at, u64 *value)
{
	u32 bytes;

	if (*at >= len)
		return false;
	bytes = 1 << (data[*at] >> 6);
	if (len - *at < bytes)
		return false;
	*value = data[(*at)++] & 0x3f;
	while (--bytes)
		*value = *value << 8 | data[(*at)++];
	return true;
}

/* A connection ID: one byte of length, then the bytes. */
static bool get_id(const u8 *data, u32 len, u32 *at, const u8 **id, u8 *id_len)
{
	if (*at >= len || data[*at] > NATFLOW_QUIC_ID_MAX || len - *at - 1 < data[*at])
		return false;
	*id_len = data[(*at)++];
	*id = data + *at;
	*at += *id_len;
	return true;
}

/* RFC 9000 sections 17.2.2 to 17.2.4 */
static enum natflow_parsed read_header(const u8 *data, u32 len, struct packet *p)
{
	const u8 *source;
	u8 source_len;
	u64 token, rest;
	u32 at = 5;

	if (len < at || !(data[0] & LONG_HEADER))
		return NATFLOW_PARSE_OTHER;
	p->version = find_version((u32)data[1] << 24 | data[2] << 16 | data[3] << 8 | data[4]);
	if (!p->version)
		return NATFLOW_PARSE_OTHER;
	p->type = data[0] >> TYPE_SHIFT & 3;
	if (p->type == p->version->retry)
		return NATFLOW_PARSE_OTHER;	/* no client sends that */
	if (!get_id(data, len, &at, &p->id, &p->id_len) ||
	    !get_id(data, len, &at, &source, &source_len))
		return NATFLOW_PARSE_MALFORMED;
	if (p->type == p->version->initial) {
		if (!get_varint(data, len, &at, &token) || token > len - at)
			return NATFLOW_PARSE_MALFORMED;
		at += token;
		p->has_token = token;
	}
	if (!get_varint(data, len, &at, &rest) || rest > len - at)
		return NATFLOW_PARSE_MALFORMED;
	p->number_at = at;
	p->end = at + rest;
	return NATFLOW_PARSED;
}

/* RFC 9001 section 5.2 */
static void derive(struct natflow_quic *keys, const struct version *version, const u8 *id, u8 len)
{
	u8 initial[NATFLOW_SHA256_SIZE], client[NATFLOW_SHA256_SIZE];

	natflow_hkdf_extract(version->salt, sizeof(version->salt), id, len, initial);
	natflow_hkdf_label(initial, "client in", client, sizeof(client));
	natflow_hkdf_label(client, version->key, keys->key, sizeof(keys->key));
	natflow_hkdf_label(client, version->nonce, keys->nonce, sizeof(keys->nonce));
	natflow_hkdf_label(client, version->mask, keys->mask_key, sizeof(keys->mask_key));
	keys->next = 0;
	keys->version = version->number;
	memmove(keys->id, id, len);
	keys->id_len = len;
}

/* RFC 9000 appendix A.3: the number nearest to the one expected that ends in these @bits. */
static u64 full_number(u64 next, u64 number, unsigned int bits)
{
	const u64 window = 1ULL << bits;

	number |= next & ~(window - 1);
	if (number + window / 2 <= next)
		number += window;
	else if (number > next + window / 2 && number >= window)
		number -= window;
	return number;
}

/* RFC 9001 sections 5.3, 5.4. Return: bytes in @work->plain; 0 if these keys do not fit. */
static u32 open_with(struct natflow_quic *keys, const u8 *data, const struct packet *p,
		     struct natflow_quic_work *work)
{
	u8 mask[NATFLOW_AES_BLOCK], nonce[NATFLOW_GCM_NONCE];
	u32 i, bytes, header, body = p->end - p->number_at;
	u64 number = 0;

	if (body < 4 + SAMPLE || p->end > sizeof(work->header))
		return 0;
	natflow_aes_set(&work->aes, keys->mask_key);
	natflow_aes_encrypt(&work->aes, mask, data + p->number_at + 4);
	bytes = ((data[0] ^ mask[0]) & 3) + 1;
	header = p->number_at + bytes;
	memcpy(work->header, data, header);
	work->header[0] ^= mask[0] & 0x0f;
	for (i = 0; i < bytes; i++) {
		work->header[p->number_at + i] ^= mask[1 + i];
		number = number << 8 | work->header[p->number_at + i];
	}
	number = full_number(keys->next, number, 8 * bytes);
	memcpy(nonce, keys->nonce, sizeof(nonce));
	for (i = 0; i < 8; i++)
		nonce[sizeof(nonce) - 1 - i] ^= number >> 8 * i;
	natflow_aes_set(&work->aes, keys->key);
	if (!natflow_gcm_open(&work->aes, nonce, work->header, header, data + header,
			      p->end - header, work->plain))
		return 0;
	if (number >= keys->next)
		keys->next = number + 1;
	return p->end - header - NATFLOW_GCM_TAG;
}

/*
 * The keys come from the destination ID of the first packet, even if the server
 * chooses another ID later. A version agreed on during the handshake uses the same
 * ID (RFC 9369 section 4.1). A Retry, a Version Negotiation or a new connection
 * makes new keys. The keys that last decrypted a packet are kept, so a decoy is
 * soon forgotten.
 */
static u32 open_packet(struct natflow_quic *quic, const u8 *data, const struct packet *p,
		       struct natflow_quic_work *work)
{
	u32 len = 0;

	if (quic->version) {
		work->keys = *quic;
		if (quic->version != p->version->number) {
			derive(&work->keys, p->version, quic->id, quic->id_len);
			work->keys.next = quic->next;
		}
		len = open_with(&work->keys, data, p, work);
	}
	/* RFC 9000 section 7.2; after a Retry the server chose the ID. */
	if (!len && (p->id_len >= ID_MIN || p->has_token)) {
		derive(&work->keys, p->version, p->id, p->id_len);
		len = open_with(&work->keys, data, p, work);
	}
	if (len)
		*quic = work->keys;
	return len;
}

/* Skip an ACK frame, RFC 9000 section 19.3. */
static bool skip_ack(const u8 *data, u32 len, u32 *at, bool ecn)
{
	u64 v, ranges;
	u32 n;

	if (!get_varint(data, len, at, &v) || !get_varint(data, len, at, &v) ||
	    !get_varint(data, len, at, &ranges) || !get_varint(data, len, at, &v))
		return false;
	if (ranges > len)
		return false;
	for (n = 2 * ranges + (ecn ? 3 : 0); n; n--)
		if (!get_varint(data, len, at, &v))
			return false;
	return true;
}

static enum natflow_parsed take_crypto(struct natflow_gather *gather, const u8 *data, u32 len,
				       u32 *at)
{
	u64 offset, n;

	if (!get_varint(data, len, at, &offset) || !get_varint(data, len, at, &n) || n > len - *at)
		return NATFLOW_PARSE_MALFORMED;
	data += *at;
	*at += n;
	if (offset > ~0U)
		return NATFLOW_PARSE_MALFORMED;		/* too long for a hello */
	return n && natflow_gather_put(gather, offset, data, n) ? NATFLOW_PARSE_ROOM :
								  NATFLOW_PARSED;
}

/* If there is no room for a frame, the frames behind it are still read. */
static enum natflow_parsed read_frames(struct natflow_gather *gather, const u8 *data, u32 len)
{
	enum natflow_parsed state = NATFLOW_PARSED, all = NATFLOW_PARSED;
	u64 kind;
	u32 at = 0;

	while (at < len && state != NATFLOW_PARSE_MALFORMED) {
		if (!get_varint(data, len, &at, &kind))
			return NATFLOW_PARSE_MALFORMED;
		switch (kind) {
		case FRAME_PADDING:
		case FRAME_PING:
			break;
		case FRAME_ACK:
		case FRAME_ACK_ECN:
			if (!skip_ack(data, len, &at, kind == FRAME_ACK_ECN))
				state = NATFLOW_PARSE_MALFORMED;
			break;
		case FRAME_CRYPTO:
			state = take_crypto(gather, data, len, &at);
			break;
		case FRAME_CLOSE:
			return all;	/* nothing useful follows */
		default:
			state = NATFLOW_PARSE_MALFORMED;
		}
		if (state != NATFLOW_PARSED)
			all = state;
	}
	return all;
}

/**
 * natflow_quic_receive() - process a client's datagram
 * @quic: state of the flow
 * @gather: the flow's CRYPTO stream: natflow_tls_hello() without records reads it
 * @work: buffers
 * @data: the UDP payload
 * @len: bytes
 *
 * Return: NATFLOW_PARSED if an Initial decrypted; NATFLOW_PARSE_OTHER if there is
 * none, or the datagram is too small for a server; NATFLOW_PARSE_UNTRUSTED if none
 * decrypted, or all are longer than NATFLOW_QUIC_PACKET_MAX;
 * NATFLOW_PARSE_MALFORMED; NATFLOW_PARSE_ROOM if @gather is too small: the caller
 * enlarges it (natflow_gather_put()) and repeats the call, or goes on without.
 */
enum natflow_parsed natflow_quic_receive(struct natflow_quic *quic, struct natflow_gather *gather,
					 struct natflow_quic_work *work, const u8 *data, u32 len)
{
	enum natflow_parsed state, found = NATFLOW_PARSE_OTHER;
	unsigned int tries = 0;
	struct packet p;

	if (len < NATFLOW_QUIC_DATAGRAM_MIN)
		return NATFLOW_PARSE_OTHER;
	/* No packet follows a short header or a header of an unknown version. */
	for (; len && tries < TRIES_MAX; data += p.end, len -= p.end) {
		u32 plain;

		state = read_header(data, len, &p);
		if (state != NATFLOW_PARSED)
			return found == NATFLOW_PARSE_OTHER ? state : found;
		if (p.type != p.version->initial)
			continue;
		tries++;
		plain = open_packet(quic, data, &p, work);
		if (!plain) {
			if (found == NATFLOW_PARSE_OTHER)
				found = NATFLOW_PARSE_UNTRUSTED;
			continue;
		}
		state = read_frames(gather, work->plain, plain);
		if (state != NATFLOW_PARSED)
			return state;
		found = NATFLOW_PARSED;
	}
	return found;
}
