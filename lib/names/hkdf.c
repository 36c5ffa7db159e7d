// SPDX-License-Identifier: GPL-2.0-only
/* HKDF over SHA-256 (RFC 5869) and TLS 1.3's labels on top (RFC 8446 section 7.1). */
#include "hkdf.h"

#define LABEL_MAX 32	/* longest label in use, with "tls13 " and two length bytes */

/**
 * natflow_hmac_set() - prepare a key of HMAC (RFC 2104)
 * @hmac: to set
 * @key: key
 * @len: bytes
 */
void natflow_hmac_set(struct natflow_hmac *hmac, const u8 *key, size_t len)
{
	u8 block[NATFLOW_SHA256_BLOCK] = {}, pad[NATFLOW_SHA256_BLOCK];
	unsigned int i;

	natflow_sha256_init(&hmac->inner);
	if (len > sizeof(block)) {
		natflow_sha256_add(&hmac->inner, key, len);
		natflow_sha256_end(&hmac->inner, block);
		natflow_sha256_init(&hmac->inner);
	} else {
		memcpy(block, key, len);
	}
	for (i = 0; i < sizeof(pad); i++)
		pad[i] = block[i] ^ 0x36;
	natflow_sha256_add(&hmac->inner, pad, sizeof(pad));
	for (i = 0; i < sizeof(pad); i++)
		pad[i] = block[i] ^ 0x5c;
	natflow_sha256_init(&hmac->outer);
	natflow_sha256_add(&hmac->outer, pad, sizeof(pad));
}

/* @inner: a copy of the key's, with the message added. */
static void end(const struct natflow_hmac *hmac, struct natflow_sha256 *inner, u8 *mac)
{
	struct natflow_sha256 outer = hmac->outer;
	u8 digest[NATFLOW_SHA256_SIZE];

	natflow_sha256_end(inner, digest);
	natflow_sha256_add(&outer, digest, sizeof(digest));
	natflow_sha256_end(&outer, mac);
}

/**
 * natflow_hkdf_extract() - RFC 5869 section 2.2
 * @salt: key, as natflow_hmac_set() prepared it; once for all packets
 * @key: input keying material
 * @key_len: bytes
 * @secret: key of natflow_hkdf_expand(), to set
 * @bytes: the same as NATFLOW_SHA256_SIZE bytes
 */
void natflow_hkdf_extract(const struct natflow_hmac *salt, const u8 *key, size_t key_len,
			  struct natflow_hmac *secret, u8 *bytes)
{
	struct natflow_sha256 inner = salt->inner;

	natflow_sha256_add(&inner, key, key_len);
	end(salt, &inner, bytes);
	natflow_hmac_set(secret, bytes, NATFLOW_SHA256_SIZE);
}

/**
 * natflow_hkdf_expand() - RFC 5869 section 2.3
 * @secret: key of NATFLOW_SHA256_SIZE bytes
 * @info: context
 * @info_len: bytes
 * @out: where to
 * @len: bytes wanted, at most 255 * NATFLOW_SHA256_SIZE
 */
void natflow_hkdf_expand(const struct natflow_hmac *secret, const u8 *info, size_t info_len,
			 u8 *out, size_t len)
{
	u8 block[NATFLOW_SHA256_SIZE], number = 0;
	size_t have = 0;

	while (len) {
		size_t n = len < sizeof(block) ? len : sizeof(block);
		struct natflow_sha256 inner = secret->inner;

		natflow_sha256_add(&inner, block, have);
		natflow_sha256_add(&inner, info, info_len);
		number++;
		natflow_sha256_add(&inner, &number, 1);
		end(secret, &inner, block);
		have = sizeof(block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
}

/**
 * natflow_hkdf_label() - HKDF-Expand-Label with an empty context
 * @secret: key of NATFLOW_SHA256_SIZE bytes
 * @label: without "tls13 "; at most 22 characters
 * @out: where to
 * @len: bytes wanted, below 256
 */
void natflow_hkdf_label(const struct natflow_hmac *secret, const char *label, u8 *out, size_t len)
{
	static const u8 prefix[] = { 't', 'l', 's', '1', '3', ' ' };
	size_t chars = strlen(label), n = 3 + sizeof(prefix);
	u8 info[LABEL_MAX];

	info[0] = 0;
	info[1] = len;
	info[2] = sizeof(prefix) + chars;
	memcpy(info + 3, prefix, sizeof(prefix));
	memcpy(info + n, label, chars);
	info[n + chars] = 0;		/* no context */
	natflow_hkdf_expand(secret, info, n + chars + 1, out, len);
}
