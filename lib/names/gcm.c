// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-128-GCM (NIST SP 800-38D) with 96-bit nonces. It decrypts QUIC
 * Initial packets, whose keys every observer can compute. No input is secret, so
 * tables that are indexed by data leak nothing.
 */
#include "gcm.h"

static u32 get32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static u64 get64(const u8 *p)
{
	return (u64)get32(p) << 32 | get32(p + 4);
}

static void put64(u8 *p, u64 v)
{
	unsigned int i;

	for (i = 8; i--; v >>= 8)
		p[i] = v;
}

static struct natflow_gcm_block add(struct natflow_gcm_block a, struct natflow_gcm_block b)
{
	return (struct natflow_gcm_block){ a.hi ^ b.hi, a.lo ^ b.lo };
}

/* Multiply by x: shift right by one; a carry adds the polynomial of section 6.3. */
static struct natflow_gcm_block times_x(struct natflow_gcm_block b)
{
	u64 carry = b.lo & 1 ? 0xe1ULL << 56 : 0;

	return (struct natflow_gcm_block){ b.hi >> 1 ^ carry, b.lo >> 1 | b.hi << 63 };
}

/* Multiples of the hash key by each byte. */
static void multiply_key(struct natflow_gcm *gcm)
{
	struct natflow_gcm_block v, *m = gcm->multiple;
	u8 key[NATFLOW_AES_BLOCK] = {};
	unsigned int i, j;

	natflow_aes_encrypt(&gcm->aes, key, key);
	v = (struct natflow_gcm_block){ get64(key), get64(key + 8) };
	m[0] = (struct natflow_gcm_block){};
	for (i = 128; i; i >>= 1, v = times_x(v))
		m[i] = v;
	for (i = 2; i < 256; i <<= 1)
		for (j = 1; j < i; j++)
			m[i + j] = add(m[i], m[j]);
}

/* Reduce @high * x^128 by the polynomial: what it becomes, above the 64 bits of @low. */
static u64 reduce(u64 high, u64 *low)
{
	*low ^= high << 63 ^ high << 62 ^ high << 57;
	return high ^ high >> 1 ^ high >> 2 ^ high >> 7;
}

/*
 * Multiply by the hash key: the bytes of both halves side by side, from the last, into
 * a product of 256 bits, which is reduced at the end.
 */
static struct natflow_gcm_block multiply(const struct natflow_gcm *gcm, struct natflow_gcm_block x)
{
	u64 a = 0, b = 0, c = 0, d = 0;
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		struct natflow_gcm_block hi = gcm->multiple[x.hi >> i & 255];
		struct natflow_gcm_block lo = gcm->multiple[x.lo >> i & 255];

		d = d >> 8 | c << 56;
		c = (c >> 8 | b << 56) ^ lo.lo;
		b = (b >> 8 | a << 56) ^ lo.hi ^ hi.lo;
		a = a >> 8 ^ hi.hi;
	}
	b ^= reduce(d, &c);
	a ^= reduce(c, &b);
	return (struct natflow_gcm_block){ a, b };
}

static struct natflow_gcm_block hash_block(const struct natflow_gcm *gcm,
					   struct natflow_gcm_block sum, const u8 *data)
{
	return multiply(gcm, add(sum, (struct natflow_gcm_block){ get64(data), get64(data + 8) }));
}

/* Hash @len bytes; the last block is padded with zeros. */
static struct natflow_gcm_block hash(const struct natflow_gcm *gcm, struct natflow_gcm_block sum,
				     const u8 *data, size_t len)
{
	u8 last[NATFLOW_AES_BLOCK] = {};

	for (; len >= sizeof(last); data += sizeof(last), len -= sizeof(last))
		sum = hash_block(gcm, sum, data);
	if (len) {
		memcpy(last, data, len);
		sum = hash_block(gcm, sum, last);
	}
	return sum;
}

/**
 * natflow_gcm_hash() - hash what the tag authenticates, whatever the nonce
 * @gcm: with @gcm->aes set; the hash is kept in it for natflow_gcm_open()
 * @aad: data that is authenticated but not encrypted
 * @aad_len: bytes
 * @sealed: ciphertext, then the tag
 * @len: bytes of both, at least NATFLOW_GCM_TAG
 */
void natflow_gcm_hash(struct natflow_gcm *gcm, const u8 *aad, size_t aad_len, const u8 *sealed,
		      size_t len)
{
	struct natflow_gcm_block sum = {}, bits;

	multiply_key(gcm);
	len -= NATFLOW_GCM_TAG;
	bits = (struct natflow_gcm_block){ (u64)aad_len * 8, (u64)len * 8 };
	sum = hash(gcm, sum, aad, aad_len);
	sum = hash(gcm, sum, sealed, len);
	sum = multiply(gcm, add(sum, bits));
	put64(gcm->hash, sum.hi);
	put64(gcm->hash + 8, sum.lo);
}

static void xor(u8 *out, const u8 *a, const u8 *b, size_t len)
{
	u64 v[2], w[2];
	size_t i;

	if (len >= sizeof(v)) {
		memcpy(v, a, sizeof(v));
		memcpy(w, b, sizeof(w));
		v[0] ^= w[0];
		v[1] ^= w[1];
		memcpy(out, v, sizeof(v));
	} else {
		for (i = 0; i < len; i++)
			out[i] = a[i] ^ b[i];
	}
}

/* The key stream's block @count; @counter begins with the nonce. */
static void stream(const struct natflow_gcm *gcm, u8 *counter, u32 count, u8 *out)
{
	counter[12] = count >> 24;
	counter[13] = count >> 16;
	counter[14] = count >> 8;
	counter[15] = count;
	natflow_aes_encrypt(&gcm->aes, out, counter);
}

/**
 * natflow_gcm_peek() - decrypt the first block, whatever the tag
 * @gcm: with @gcm->aes set
 * @nonce: NATFLOW_GCM_NONCE bytes
 * @sealed: ciphertext
 * @plain: as many bytes, at most NATFLOW_AES_BLOCK
 * @len: bytes of ciphertext
 */
void natflow_gcm_peek(const struct natflow_gcm *gcm, const u8 *nonce, const u8 *sealed, u8 *plain,
		      size_t len)
{
	u8 counter[NATFLOW_AES_BLOCK], mask[NATFLOW_AES_BLOCK];

	memcpy(counter, nonce, NATFLOW_GCM_NONCE);
	stream(gcm, counter, 2, mask);
	xor(plain, sealed, mask, len);
}

/**
 * natflow_gcm_open() - check the tag, then decrypt
 * @gcm: key and hash, as natflow_gcm_hash() left them for the same @sealed
 * @nonce: NATFLOW_GCM_NONCE bytes
 * @sealed: ciphertext, then the tag
 * @len: bytes of both
 * @plain: @len - NATFLOW_GCM_TAG bytes
 *
 * Return: false, with @plain untouched, if the tag is wrong.
 */
bool natflow_gcm_open(const struct natflow_gcm *gcm, const u8 *nonce, const u8 *sealed, size_t len,
		      u8 *plain)
{
	u8 counter[NATFLOW_AES_BLOCK], mask[NATFLOW_AES_BLOCK];
	u32 count = 1;
	size_t at;

	len -= NATFLOW_GCM_TAG;
	memcpy(counter, nonce, NATFLOW_GCM_NONCE);
	stream(gcm, counter, count, mask);
	xor(mask, mask, gcm->hash, sizeof(mask));
	if (memcmp(mask, sealed + len, NATFLOW_GCM_TAG))
		return false;
	for (at = 0; at < len; at += sizeof(mask)) {
		stream(gcm, counter, ++count, mask);
		xor(plain + at, sealed + at, mask, len - at);
	}
	return true;
}
