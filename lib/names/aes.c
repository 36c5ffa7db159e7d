// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-128 by the kernel's tables, where aes_encrypt() computes each column: half
 * the instructions. The keys of Initial packets are public, so that time may depend on
 * them.
 */
#include "crypto.h"

#if defined(__KERNEL__) && NATFLOW_COMPAT_AES_TABLES

#define ROUNDS 10	/* of a key of 128 bits */

static u32 get32(const u8 *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (u32)p[3] << 24;
}

static void put32(u8 *p, u32 v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

/* SubBytes, ShiftRows and MixColumns (FIPS-197 section 5.1) for the column of @a. */
static __always_inline u32 mix(u32 a, u32 b, u32 c, u32 d)
{
	return crypto_ft_tab[0][a & 255] ^ crypto_ft_tab[1][b >> 8 & 255] ^
	       crypto_ft_tab[2][c >> 16 & 255] ^ crypto_ft_tab[3][d >> 24];
}

/* The same without MixColumns. */
static __always_inline u32 shift(u32 a, u32 b, u32 c, u32 d)
{
	return crypto_aes_sbox[a & 255] | crypto_aes_sbox[b >> 8 & 255] << 8 |
	       crypto_aes_sbox[c >> 16 & 255] << 16 | (u32)crypto_aes_sbox[d >> 24] << 24;
}

/**
 * natflow_aes_encrypt() - encrypt a block
 * @aes: key
 * @out: NATFLOW_AES_BLOCK bytes
 * @in: NATFLOW_AES_BLOCK bytes; may be @out
 */
void natflow_aes_encrypt(const struct natflow_aes *aes, u8 *out, const u8 *in)
{
	const u32 *key = aes->key.key_enc;
	u32 a = get32(in) ^ key[0], b = get32(in + 4) ^ key[1];
	u32 c = get32(in + 8) ^ key[2], d = get32(in + 12) ^ key[3];
	unsigned int round;

	for (round = 1; round < ROUNDS; round++) {
		u32 w, x, y, z;

		key += 4;
		w = mix(a, b, c, d) ^ key[0];
		x = mix(b, c, d, a) ^ key[1];
		y = mix(c, d, a, b) ^ key[2];
		z = mix(d, a, b, c) ^ key[3];
		a = w;
		b = x;
		c = y;
		d = z;
	}
	put32(out, shift(a, b, c, d) ^ key[4]);
	put32(out + 4, shift(b, c, d, a) ^ key[5]);
	put32(out + 8, shift(c, d, a, b) ^ key[6]);
	put32(out + 12, shift(d, a, b, c) ^ key[7]);
}

#endif
