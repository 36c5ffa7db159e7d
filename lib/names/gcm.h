/* SPDX-License-Identifier: GPL-2.0-only */
/* AES-128-GCM (NIST SP 800-38D) with 96-bit nonces: decryption only; the tag is always checked. */
#ifndef _NATFLOW_LIB_NAMES_GCM_H
#define _NATFLOW_LIB_NAMES_GCM_H

#include "crypto.h"

#define NATFLOW_GCM_NONCE 12
#define NATFLOW_GCM_TAG 16

bool natflow_gcm_open(const struct natflow_aes *aes, const u8 *nonce, const u8 *aad, size_t aad_len,
		      const u8 *sealed, size_t len, u8 *plain);

#endif /* _NATFLOW_LIB_NAMES_GCM_H */
