// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-128-GCM (NIST SP 800-38D) with 96-bit nonces. It decrypts QUIC
 * Initial packets, whose keys every observer can compute. No input is secret, so
 * tables that are indexed by data leak nothing.
 */
#include "gcm.h"

/* An element of GF(2^128), bit 0 of the standard being the highest of @hi. */
struct block {
	u64 hi, lo;
};

/* Multiples of the hash key by each 4-bit value, and the hash so far. */
struct ghash {
	struct block multiple[16];
	struct block sum;
};

static u64 get64(const u8 *p)
{
	u64 v = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void put64(u8 *p, u64 v)
{
	unsigned int i;

	for (i = 8; i--; v >>= 8)
		p[i] = v;
}

static struct block add(struct block a, struct block b)
{
	return (struct block){ a.hi ^ b.hi, a.lo ^ b.lo };
}

/* Multiply by x: shift right by one; a carry adds the polynomial of section 6.3. */
static struct block times_x(struct block b)
{
	u64 carry = b.lo & 1 ? 0xe1ULL << 56 : 0;

	return (struct block){ b.hi >> 1 ^ carry, b.lo >> 1 | b.hi << 63 };
}

static void ghash_init(struct ghash *g, const u8 *key)
{
	struct block v = { get64(key), get64(key + 8) };
	unsigned int i, j;

	memset(g, 0, sizeof(*g));
	for (i = 8; i; i >>= 1, v = times_x(v))
		g->multiple[i] = v;
	for (i = 2; i < 16; i <<= 1)
		for (j = 1; j < i; j++)
			g->multiple[i + j] = add(g->multiple[i], g->multiple[j]);
}

/* Reduction of the four bits shifted out at the low end, for the high 16 bits. */
static u64 reduce4(unsigned int bits)
{
	static const u16 back[16] = {
		0x0000, 0x1c20, 0x3840, 0x2460, 0x7080, 0x6ca0, 0x48c0, 0x54e0,
		0xe100, 0xfd20, 0xd940, 0xc560, 0x9180, 0x8da0, 0xa9c0, 0xb5e0,
	};

	return (u64)back[bits] << 48;
}

/* Multiply by the hash key, four bits at a time, from the last. */
static struct block multiply(const struct ghash *g, struct block x)
{
	struct block z = { 0, 0 };
	unsigned int i;

	for (i = 0; i < 32; i++) {
		unsigned int bits = (i < 16 ? x.lo >> 4 * i : x.hi >> 4 * (i - 16)) & 15;
		u64 back = i ? reduce4(z.lo & 15) : 0;

		if (i) {
			z.lo = z.lo >> 4 | z.hi << 60;
			z.hi = z.hi >> 4 ^ back;
		}
		z = add(z, g->multiple[bits]);
	}
	return z;
}

/* Hash @len bytes; the last block is padded with zeros. */
static void ghash_add(struct ghash *g, const u8 *data, size_t len)
{
	u8 last[NATFLOW_AES_BLOCK] = {};

	for (; len >= sizeof(last); data += sizeof(last), len -= sizeof(last))
		g->sum = multiply(g, add(g->sum, (struct block){ get64(data), get64(data + 8) }));
	if (len) {
		memcpy(last, data, len);
		g->sum = multiply(g, add(g->sum, (struct block){ get64(last), get64(last + 8) }));
	}
}

static void counter_block(const struct natflow_aes *aes, const u8 *nonce, u32 count, u8 *out)
{
	u8 in[NATFLOW_AES_BLOCK];

	memcpy(in, nonce, NATFLOW_GCM_NONCE);
	in[12] = count >> 24;
	in[13] = count >> 16;
	in[14] = count >> 8;
	in[15] = count;
	natflow_aes_encrypt(aes, out, in);
}

static bool tag_is_right(const struct natflow_aes *aes, const u8 *nonce, const u8 *aad,
			 size_t aad_len, const u8 *text, size_t len)
{
	u8 hash_key[NATFLOW_AES_BLOCK] = {}, mask[NATFLOW_AES_BLOCK], tag[NATFLOW_GCM_TAG];
	unsigned int i, wrong = 0;
	struct ghash g;

	natflow_aes_encrypt(aes, hash_key, hash_key);
	ghash_init(&g, hash_key);
	ghash_add(&g, aad, aad_len);
	ghash_add(&g, text, len);
	g.sum = multiply(&g, add(g.sum, (struct block){ (u64)aad_len * 8, (u64)len * 8 }));
	put64(tag, g.sum.hi);
	put64(tag + 8, g.sum.lo);
	counter_block(aes, nonce, 1, mask);
	for (i = 0; i < sizeof(tag); i++)
		wrong |= tag[i] ^ mask[i] ^ text[len + i];
	return !wrong;
}

/**
 * natflow_gcm_open() - check the tag, then decrypt
 * @aes: key
 * @nonce: NATFLOW_GCM_NONCE bytes
 * @aad: data that is authenticated but not encrypted
 * @aad_len: bytes
 * @sealed: ciphertext, then the tag
 * @len: bytes of both
 * @plain: @len - NATFLOW_GCM_TAG bytes
 *
 * Return: false, with @plain untouched, if the tag is wrong or missing.
 */
bool natflow_gcm_open(const struct natflow_aes *aes, const u8 *nonce, const u8 *aad, size_t aad_len,
		      const u8 *sealed, size_t len, u8 *plain)
{
	size_t at, i;
	u32 count = 2;

	if (len < NATFLOW_GCM_TAG)
		return false;
	len -= NATFLOW_GCM_TAG;
	if (!tag_is_right(aes, nonce, aad, aad_len, sealed, len))
		return false;
	for (at = 0; at < len; at += NATFLOW_AES_BLOCK) {
		u8 mask[NATFLOW_AES_BLOCK];

		counter_block(aes, nonce, count++, mask);
		for (i = 0; i < sizeof(mask) && at + i < len; i++)
			plain[at + i] = sealed[at + i] ^ mask[i];
	}
	return true;
}
