// SPDX-License-Identifier: GPL-2.0-only
/* HKDF over SHA-256 (RFC 5869) and TLS 1.3's labels on top (RFC 8446 section 7.1). */
#include "hkdf.h"

#define LABEL_MAX 32	/* longest label in use, with "tls13 " and two length bytes */

/* HMAC (RFC 2104), fed in pieces. */
struct hmac {
	struct natflow_sha256 inner;
	u8 key[NATFLOW_SHA256_BLOCK];
};

static void hmac_init(struct hmac *h, const u8 *key, size_t len)
{
	u8 pad[NATFLOW_SHA256_BLOCK];
	unsigned int i;

	memset(h->key, 0, sizeof(h->key));
	natflow_sha256_init(&h->inner);
	if (len > sizeof(h->key)) {
		natflow_sha256_add(&h->inner, key, len);
		natflow_sha256_end(&h->inner, h->key);
		natflow_sha256_init(&h->inner);
	} else {
		memcpy(h->key, key, len);
	}
	for (i = 0; i < sizeof(pad); i++)
		pad[i] = h->key[i] ^ 0x36;
	natflow_sha256_add(&h->inner, pad, sizeof(pad));
}

static void hmac_end(struct hmac *h, u8 *mac)
{
	u8 pad[NATFLOW_SHA256_BLOCK], digest[NATFLOW_SHA256_SIZE];
	unsigned int i;

	natflow_sha256_end(&h->inner, digest);
	for (i = 0; i < sizeof(pad); i++)
		pad[i] = h->key[i] ^ 0x5c;
	natflow_sha256_init(&h->inner);
	natflow_sha256_add(&h->inner, pad, sizeof(pad));
	natflow_sha256_add(&h->inner, digest, sizeof(digest));
	natflow_sha256_end(&h->inner, mac);
}

/**
 * natflow_hkdf_extract() - RFC 5869 section 2.2
 * @salt: may be empty
 * @salt_len: bytes
 * @key: input keying material
 * @key_len: bytes
 * @secret: NATFLOW_SHA256_SIZE bytes
 */
void natflow_hkdf_extract(const u8 *salt, size_t salt_len, const u8 *key, size_t key_len,
			  u8 *secret)
{
	struct hmac h;

	hmac_init(&h, salt, salt_len);
	natflow_sha256_add(&h.inner, key, key_len);
	hmac_end(&h, secret);
}

/**
 * natflow_hkdf_expand() - RFC 5869 section 2.3
 * @secret: NATFLOW_SHA256_SIZE bytes
 * @info: context
 * @info_len: bytes
 * @out: where to
 * @len: bytes wanted, at most 255 * NATFLOW_SHA256_SIZE
 */
void natflow_hkdf_expand(const u8 *secret, const u8 *info, size_t info_len, u8 *out, size_t len)
{
	u8 block[NATFLOW_SHA256_SIZE], number = 0;
	size_t have = 0;

	while (len) {
		size_t n = len < sizeof(block) ? len : sizeof(block);
		struct hmac h;

		hmac_init(&h, secret, NATFLOW_SHA256_SIZE);
		natflow_sha256_add(&h.inner, block, have);
		natflow_sha256_add(&h.inner, info, info_len);
		number++;
		natflow_sha256_add(&h.inner, &number, 1);
		hmac_end(&h, block);
		have = sizeof(block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
}

/**
 * natflow_hkdf_label() - HKDF-Expand-Label with an empty context
 * @secret: NATFLOW_SHA256_SIZE bytes
 * @label: without "tls13 "; at most 22 characters
 * @out: where to
 * @len: bytes wanted, below 256
 */
void natflow_hkdf_label(const u8 *secret, const char *label, u8 *out, size_t len)
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
