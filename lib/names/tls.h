/* SPDX-License-Identifier: GPL-2.0-only */
/* The ClientHello of TLS (RFC 8446 section 4.1.2), in records or, for QUIC, without. */
#ifndef _NATFLOW_LIB_NAMES_TLS_H
#define _NATFLOW_LIB_NAMES_TLS_H

#include "hostname.h"

#define NATFLOW_ALPN_MAX 31		/* characters kept of an ALPN name */

struct natflow_tls {
	struct natflow_hostname host;	/* of server_name, empty if there is none */
	char alpn[NATFLOW_ALPN_MAX + 1];	/* the first offered, printable, maybe cut */
	u16 version;			/* the highest offered, as on the wire: 0x0304 is TLS 1.3 */
	bool ech;			/* an encrypted_client_hello extension, real or not */
	u32 end;			/* offset of the byte behind the hello */
};

enum natflow_parsed natflow_tls_hello(const u8 *data, u32 len, bool records,
				      struct natflow_tls *tls);
enum natflow_parsed natflow_tls_is_retry(const u8 *data, u32 len);

#endif /* _NATFLOW_LIB_NAMES_TLS_H */
