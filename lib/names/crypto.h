/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AES-128 and SHA-256 for the keys of QUIC Initial packets. In the kernel they
 * come from its crypto library, which allocates no transform and never sleeps;
 * on the host they come from nettle.
 */
#ifndef _NATFLOW_LIB_NAMES_CRYPTO_H
#define _NATFLOW_LIB_NAMES_CRYPTO_H

#include "../host.h"

#define NATFLOW_SHA256_SIZE 32
#define NATFLOW_SHA256_BLOCK 64
#define NATFLOW_AES_BLOCK 16

#ifdef __KERNEL__

#include <crypto/aes.h>
#include <crypto/sha2.h>
#else
#include <nettle/aes.h>
#include <nettle/sha2.h>
#endif

/* Both libraries use this name. */
struct natflow_sha256 {
	struct sha256_ctx ctx;
};

static inline void natflow_sha256_init(struct natflow_sha256 *hash)
{
	sha256_init(&hash->ctx);
}

#ifdef __KERNEL__

struct natflow_aes {
	struct aes_enckey key;
};

static inline void natflow_sha256_add(struct natflow_sha256 *hash, const u8 *data, size_t len)
{
	sha256_update(&hash->ctx, data, len);
}

static inline void natflow_sha256_end(struct natflow_sha256 *hash, u8 *digest)
{
	sha256_final(&hash->ctx, digest);
}

static inline void natflow_aes_set(struct natflow_aes *aes, const u8 *key)
{
	aes_prepareenckey(&aes->key, key, AES_KEYSIZE_128);
}

#if NATFLOW_COMPAT_AES_TABLES
void natflow_aes_encrypt(const struct natflow_aes *aes, u8 *out, const u8 *in);
#else
static inline void natflow_aes_encrypt(const struct natflow_aes *aes, u8 *out, const u8 *in)
{
	aes_encrypt(&aes->key, out, in);
}
#endif

#else /* !__KERNEL__ */

struct natflow_aes {
	struct aes128_ctx ctx;
};

static inline void natflow_sha256_add(struct natflow_sha256 *hash, const u8 *data, size_t len)
{
	sha256_update(&hash->ctx, len, data);
}

static inline void natflow_sha256_end(struct natflow_sha256 *hash, u8 *digest)
{
	sha256_digest(&hash->ctx, NATFLOW_SHA256_SIZE, digest);
}

static inline void natflow_aes_set(struct natflow_aes *aes, const u8 *key)
{
	aes128_set_encrypt_key(&aes->ctx, key);
}

static inline void natflow_aes_encrypt(const struct natflow_aes *aes, u8 *out, const u8 *in)
{
	aes128_encrypt(&aes->ctx, NATFLOW_AES_BLOCK, out, in);
}

#endif /* __KERNEL__ */
#endif /* _NATFLOW_LIB_NAMES_CRYPTO_H */
