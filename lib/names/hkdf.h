/* SPDX-License-Identifier: GPL-2.0-only */
/* HKDF over SHA-256 (RFC 5869) and TLS 1.3's labels on top (RFC 8446 section 7.1). */
#ifndef _NATFLOW_LIB_NAMES_HKDF_H
#define _NATFLOW_LIB_NAMES_HKDF_H

#include "crypto.h"

/* A key of HMAC: both hashes behind their pads, so that each use costs two blocks less. */
struct natflow_hmac {
	struct natflow_sha256 inner, outer;
};

void natflow_hmac_set(struct natflow_hmac *hmac, const u8 *key, size_t len);
void natflow_hkdf_extract(const struct natflow_hmac *salt, const u8 *key, size_t key_len,
			  struct natflow_hmac *secret, u8 *bytes);
void natflow_hkdf_expand(const struct natflow_hmac *secret, const u8 *info, size_t info_len,
			 u8 *out, size_t len);
void natflow_hkdf_label(const struct natflow_hmac *secret, const char *label, u8 *out, size_t len);

#endif /* _NATFLOW_LIB_NAMES_HKDF_H */
