/* SPDX-License-Identifier: GPL-2.0-only */
/* AES-128-GCM (NIST SP 800-38D) with 96-bit nonces: decryption only. */
#ifndef _NATFLOW_LIB_NAMES_GCM_H
#define _NATFLOW_LIB_NAMES_GCM_H

#include "crypto.h"

#define NATFLOW_GCM_NONCE 12
#define NATFLOW_GCM_TAG 16

/* An element of GF(2^128), bit 0 of the standard being the highest of @hi. */
struct natflow_gcm_block {
	u64 hi, lo;
};

/* A key: of AES, and of the hash; and the hash of one text. */
struct natflow_gcm {
	struct natflow_aes aes;
	struct natflow_gcm_block multiple[256];	/* of the hash's key */
	u8 hash[NATFLOW_GCM_TAG];
};

void natflow_gcm_hash(struct natflow_gcm *gcm, const u8 *aad, size_t aad_len, const u8 *sealed,
		      size_t len);
void natflow_gcm_peek(const struct natflow_gcm *gcm, const u8 *nonce, const u8 *sealed, u8 *plain,
		      size_t len);
bool natflow_gcm_open(const struct natflow_gcm *gcm, const u8 *nonce, const u8 *sealed, size_t len,
		      u8 *plain);

#endif /* _NATFLOW_LIB_NAMES_GCM_H */
