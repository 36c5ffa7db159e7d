// SPDX-License-Identifier: GPL-2.0-only
/*
 * Initial packets. Everyone who sees a flow's first packet can compute its keys. A
 * packet that decrypts is intact, and its sender has seen that first packet.
 */
#include "hkdf.h"
#include "quic.h"

/* RFC 9000 section 17.2 */
#define TYPE_SHIFT 4
#define RESERVED 0x0c		/* zero below the header protection */
#define SAMPLE 16		/* bytes, taken as if the packet number had 4 */
#define ID_MIN 8		/* bytes of a client's first choice, section 7.2 */

/* Clients count from 0 by small steps; a larger one may be a decoy's. */
#define JUMP_MAX 65536

/* Initials per datagram that are tried; clients send one or two. */
#define TRIES_MAX 4

/*
 * A datagram can be made so that many keys seem to fit. Its cost is bound by the keys that
 * are tried, and by the bytes that are hashed in vain, in lengths of the datagram. Others
 * need at most four connections' keys and one for the first Initial, one for each later.
 */
#define KEY_TRIES_MAX 8
#define VAIN_MAX 2

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
	{ NATFLOW_QUIC_V1, 0, 3, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
		     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	  "quic key", "quic iv", "quic hp" },
	{ NATFLOW_QUIC_V2, 1, 0, { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	  "quicv2 key", "quicv2 iv", "quicv2 hp" },
	{ NATFLOW_QUIC_DRAFT, 0, 3, { 0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
			      0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99 },
	  "quic key", "quic iv", "quic hp" },
};

static struct natflow_hmac salts[ARRAY_SIZE(versions)];	/* read-only behind init */

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

static bool get_long_varint(const u8 *data, u32 len, u32 *at, u64 *value)
{
	u32 i = *at, end;

	if (i >= len)
		return false;
	end = i + (1 << (data[i] >> 6));
	if (end > len)
		return false;
	for (*value = data[i] & 0x3f; ++i < end;)
		*value = *value << 8 | data[i];
	*at = end;
	return true;
}

/*
 * Variable-length integer, RFC 9000 section 16; most have one byte.
 * Return: false if cut off.
 */
static __always_inline bool get_varint(const u8 *data, u32 len, u32 *at, u64 *value)
{
	if (*at >= len || data[*at] >> 6)
		return get_long_varint(data, len, at, value);
	*value = data[(*at)++];
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

	if (len < at || !(data[0] & NATFLOW_QUIC_LONG))
		return NATFLOW_PARSE_OTHER;
	p->version = find_version(natflow_quic_version(data));
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
static void derive(struct natflow_quic_conn *keys, const struct version *version, const u8 *id,
		   u8 len)
{
	u8 bytes[NATFLOW_SHA256_SIZE];
	struct natflow_hmac secret;

	natflow_hkdf_extract(&salts[version - versions], id, len, &secret, bytes);
	natflow_hkdf_label(&secret, "client in", bytes, sizeof(bytes));
	natflow_hmac_set(&secret, bytes, sizeof(bytes));
	natflow_hkdf_label(&secret, version->key, keys->key, sizeof(keys->key));
	natflow_hkdf_label(&secret, version->nonce, keys->nonce, sizeof(keys->nonce));
	natflow_hkdf_label(&secret, version->mask, keys->mask_key, sizeof(keys->mask_key));
	keys->last = 0;
	keys->next = 0;
	keys->done = false;
	keys->version = version->number;
	memcpy(keys->id, id, len);
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

static void set_nonce(u8 *nonce, const struct natflow_quic_conn *keys, u64 number)
{
	unsigned int i;

	memcpy(nonce, keys->nonce, NATFLOW_GCM_NONCE);
	for (i = 0; i < 8; i++)
		nonce[NATFLOW_GCM_NONCE - 1 - i] ^= number >> 8 * i;
}

/*
 * By a key that does not fit, one packet in 40 begins with the type of a frame. The key is
 * in @work->gcm.
 */
static bool is_likely(const struct natflow_quic_conn *keys, u64 number, const u8 *sealed, u32 len,
		      struct natflow_quic_work *work)
{
	u8 nonce[NATFLOW_GCM_NONCE];
	u32 at = 0;
	u64 kind;

	set_nonce(nonce, keys, number);
	len -= NATFLOW_GCM_TAG;
	if (len > NATFLOW_AES_BLOCK)
		len = NATFLOW_AES_BLOCK;
	natflow_gcm_peek(&work->gcm, nonce, sealed, work->plain, len);
	return get_varint(work->plain, len, &at, &kind) &&
	       (kind <= FRAME_ACK_ECN || kind == FRAME_CRYPTO || kind == FRAME_CLOSE);
}

/* The key and the packet's hash are in @work->gcm. */
static bool open_numbered(const struct natflow_quic_conn *keys, u64 number, const u8 *sealed,
			  u32 len, struct natflow_quic_work *work)
{
	u8 nonce[NATFLOW_GCM_NONCE];

	set_nonce(nonce, keys, number);
	return natflow_gcm_open(&work->gcm, nonce, sealed, len, work->plain);
}

/*
 * A packet that did not reach the server may have had any number, so a number is also
 * read as if that packet had not been. The number's @bytes end the header of
 * @header bytes in @work->header. Return: is the packet open?
 */
static bool open_body(struct natflow_quic_conn *keys, const u8 *data, u32 header, u32 end,
		      u32 bytes, struct natflow_quic_work *work)
{
	const u8 *sealed = data + header;
	u64 number = 0, last, next;
	u32 i, len = end - header;

	for (i = header - bytes; i < header; i++)
		number = number << 8 | work->header[i];
	last = full_number(keys->last, number, 8 * bytes);
	next = full_number(keys->next, number, 8 * bytes);
	natflow_aes_set(&work->gcm.aes, keys->key);
	if (!is_likely(keys, last, sealed, len, work) &&
	    (next == last || !is_likely(keys, next, sealed, len, work)))
		return false;
	work->spent = len > work->vain;
	if (work->spent)
		return false;
	natflow_gcm_hash(&work->gcm, work->header, header, sealed, len);
	if (!open_numbered(keys, last, sealed, len, work)) {
		if (next == last || !open_numbered(keys, next, sealed, len, work)) {
			work->vain -= len;
			return false;
		}
		last = next;
	}
	keys->last = last + 1;
	if (last >= keys->next && last - keys->next < JUMP_MAX)
		keys->next = last + 1;
	return true;
}

/*
 * RFC 9001 sections 5.3, 5.4.
 * Return: bytes in @work->plain; 0 if these keys do not fit, or @work->spent.
 */
static u32 open_with(struct natflow_quic_conn *keys, const u8 *data, const struct packet *p,
		     struct natflow_quic_work *work)
{
	u32 i, bytes, header, body = p->end - p->number_at;
	u8 mask[NATFLOW_AES_BLOCK];

	if (body < 4 + SAMPLE || work->spent)
		return 0;
	work->spent = work->key_tries++ >= KEY_TRIES_MAX;
	if (work->spent)
		return 0;
	natflow_aes_set(&work->gcm.aes, keys->mask_key);
	natflow_aes_encrypt(&work->gcm.aes, mask, data + p->number_at + 4);
	bytes = ((data[0] ^ mask[0]) & 3) + 1;
	header = p->number_at + bytes;
	memcpy(work->header, data, header);
	work->header[0] ^= mask[0] & 0x0f;
	if (work->header[0] & RESERVED)
		return 0;
	for (i = 0; i < bytes; i++)
		work->header[p->number_at + i] ^= mask[1 + i];
	if (!open_body(keys, data, header, p->end, bytes, work))
		return 0;
	return p->end - header - NATFLOW_GCM_TAG;
}

static bool has_id(const struct natflow_quic_conn *c, const struct packet *p)
{
	return c->id_len == p->id_len && !memcmp(c->id, p->id, p->id_len);
}

/* A version agreed on during the handshake uses the same ID (RFC 9369 section 4.1). */
static u32 open_in_version(struct natflow_quic_conn *c, const u8 *data, const struct packet *p,
			   struct natflow_quic_work *work)
{
	struct natflow_quic_conn *other = &work->other;
	u32 len;

	if (c->version == p->version->number)
		return open_with(c, data, p, work);
	if (other->version && (other->version != p->version->number || other->turn != c->turn))
		return 0;	/* one derivation a datagram is enough */
	if (!other->version)
		derive(other, p->version, c->id, c->id_len);
	other->last = c->last;
	other->next = c->next;
	other->turn = c->turn;
	len = open_with(other, data, p, work);
	if (len)
		*c = *other;
	return len;
}

/* A free place, or the one of the connection that is least worth keeping. */
static unsigned int find_place(const struct natflow_quic *quic)
{
	unsigned int i, best = 0;

	for (i = 1; i < NATFLOW_QUIC_CONNS; i++) {
		const struct natflow_quic_conn *c = &quic->conn[i], *b = &quic->conn[best];

		if (!b->version)
			break;
		if (!c->version || (c->done && !b->done) ||
		    (c->done == b->done && c->turn < b->turn))
			best = i;
	}
	return best;
}

/* The keys of connections that are known. @known: set if this packet's own keys are one's. */
static u32 open_known(struct natflow_quic *quic, const u8 *data, const struct packet *p,
		      struct natflow_quic_work *work, bool *known)
{
	unsigned int i;
	u32 len = 0;

	for (i = 0; i < NATFLOW_QUIC_CONNS && !len && !work->spent; i++) {
		struct natflow_quic_conn *c = &quic->conn[i];

		if (!c->version || (work->opened && work->conn != i))
			continue;
		/* The client uses the ID that the server chose as soon as it knows that one. */
		if (c->done && !has_id(c, p))
			continue;
		*known |= has_id(c, p) && c->version == p->version->number;
		len = open_in_version(c, data, p, work);
		if (len)
			work->conn = i;
	}
	return len;
}

/*
 * The keys come from the destination ID of the first packet, even if the server
 * chooses another ID later. A Retry, a Version Negotiation or a new connection makes
 * new keys. All packets of a datagram are of one connection (RFC 9000 section 12.2),
 * so that keys are derived once.
 */
static u32 open_packet(struct natflow_quic *quic, const u8 *data, const struct packet *p,
		       struct natflow_quic_work *work)
{
	bool known = work->opened;
	u32 len = open_known(quic, data, p, work, &known);

	/* RFC 9000 section 7.2; after a Retry the server chose the ID. */
	if (!len && !known && !work->spent && (p->id_len >= ID_MIN || p->has_token)) {
		if (!work->keys.version)
			derive(&work->keys, p->version, p->id, p->id_len);
		else if (!has_id(&work->keys, p) || work->keys.version != p->version->number)
			return 0;
		len = open_with(&work->keys, data, p, work);
		if (len) {
			work->fresh = true;
			work->conn = find_place(quic);
			quic->conn[work->conn] = work->keys;
		}
	}
	if (len) {
		work->opened = true;
		quic->conn[work->conn].turn = ++quic->turn;
	}
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

static enum natflow_parsed take_crypto(struct natflow_quic_crypto *crypto, const u8 *data, u32 len,
				       u32 *at)
{
	u64 offset, n;

	if (!get_varint(data, len, at, &offset) || !get_varint(data, len, at, &n) || n > len - *at)
		return NATFLOW_PARSE_MALFORMED;
	if (offset > ~0U - n)
		return NATFLOW_PARSE_MALFORMED;		/* too long for a hello */
	crypto->at = offset;
	crypto->len = n;
	crypto->data = data + *at;
	*at += n;
	return NATFLOW_PARSED;
}

/**
 * natflow_quic_init() - hash the versions' salts, which are the same for every packet
 *
 * Context: once, before any other function of this file.
 */
void natflow_quic_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(versions); i++)
		natflow_hmac_set(&salts[i], versions[i].salt, sizeof(versions[i].salt));
}

/**
 * natflow_quic_begin() - begin to read a client's datagram
 * @work: buffers
 * @data: the UDP payload
 * @len: bytes; too few for a server: the datagram holds nothing
 */
void natflow_quic_begin(struct natflow_quic_work *work, const u8 *data, u32 len)
{
	work->data = data;
	work->len = len < NATFLOW_QUIC_DATAGRAM_MIN ? 0 : len;
	work->tries = 0;
	work->key_tries = 0;
	work->spent = false;
	work->vain = VAIN_MAX * len;
	work->opened = false;
	work->fresh = false;
	work->keys.version = 0;
	work->other.version = 0;
}

/**
 * natflow_quic_next() - open the datagram's next Initial packet
 * @quic: state of the flow
 * @work: as natflow_quic_begin() set it; @work->conn is the packet's connection
 *
 * Return: NATFLOW_PARSED if it is open; NATFLOW_PARSE_UNTRUSTED if no keys open it;
 * NATFLOW_PARSE_MALFORMED, also if it is longer than NATFLOW_QUIC_PACKET_MAX, or if the
 * datagram has cost too much;
 * NATFLOW_PARSE_OTHER if there is none any more.
 */
enum natflow_parsed natflow_quic_next(struct natflow_quic *quic, struct natflow_quic_work *work)
{
	enum natflow_parsed state;
	struct packet p;

	/* No packet follows a short header or a header of an unknown version. */
	while (work->len && work->tries < TRIES_MAX) {
		const u8 *data = work->data;

		state = read_header(data, work->len, &p);
		if (state != NATFLOW_PARSED) {
			work->len = 0;
			return state;
		}
		work->data += p.end;
		work->len -= p.end;
		if (p.type != p.version->initial)
			continue;
		if (p.end > sizeof(work->header))
			return NATFLOW_PARSE_MALFORMED;
		work->tries++;
		work->retry = p.has_token;
		work->plain_at = 0;
		work->plain_len = open_packet(quic, data, &p, work);
		if (work->spent)
			return NATFLOW_PARSE_MALFORMED;
		return work->plain_len ? NATFLOW_PARSED : NATFLOW_PARSE_UNTRUSTED;
	}
	return NATFLOW_PARSE_OTHER;
}

/**
 * natflow_quic_crypto() - find the next CRYPTO frame of the packet that was opened
 * @work: as natflow_quic_next() left it
 * @crypto: the frame: natflow_tls_hello() without records reads what all of them hold
 *
 * Return: NATFLOW_PARSED; NATFLOW_PARSE_OTHER if there is none any more;
 * NATFLOW_PARSE_MALFORMED.
 */
enum natflow_parsed natflow_quic_crypto(struct natflow_quic_work *work,
					struct natflow_quic_crypto *crypto)
{
	const u8 *data = work->plain;
	const u32 len = work->plain_len;
	u32 *at = &work->plain_at;
	u64 kind;

	while (*at < len) {
		if (!get_varint(data, len, at, &kind))
			return NATFLOW_PARSE_MALFORMED;
		switch (kind) {
		case FRAME_PADDING:
			while (*at < len && data[*at] == FRAME_PADDING)
				(*at)++;
			break;
		case FRAME_PING:
			break;
		case FRAME_ACK:
		case FRAME_ACK_ECN:
			if (!skip_ack(data, len, at, kind == FRAME_ACK_ECN))
				return NATFLOW_PARSE_MALFORMED;
			break;
		case FRAME_CRYPTO:
			return take_crypto(crypto, data, len, at);
		case FRAME_CLOSE:
			return NATFLOW_PARSE_OTHER;	/* nothing useful follows */
		default:
			return NATFLOW_PARSE_MALFORMED;
		}
	}
	return NATFLOW_PARSE_OTHER;
}
