/* SPDX-License-Identifier: GPL-2.0-only */
/* The requests of an HTTP/2 connection without TLS (h2c). */
#ifndef _NATFLOW_LIB_NAMES_H2_H
#define _NATFLOW_LIB_NAMES_H2_H

#include "hpack.h"
#include "http.h"

#define NATFLOW_H2_PREFACE 24		/* bytes of the client's preface */
#define NATFLOW_H2_METHOD_MAX 31	/* characters kept; the longest that IANA lists has 17 */
#define NATFLOW_H2_PATH_MAX 255		/* characters kept */

struct natflow_h2 {
	struct natflow_hostname host;	/* of :authority, else of host */
	u16 port;			/* host order; 0: none given */
	u16 flags;			/* enum natflow_http_flag */
	char method[NATFLOW_H2_METHOD_MAX + 1];
	char path[NATFLOW_H2_PATH_MAX + 1];
	bool request;			/* a header block was read */
	u32 end;			/* offset of the next frame */
	struct natflow_hpack_table table;	/* at @end */
};

enum natflow_parsed natflow_h2_preface(const u8 *data, unsigned int len);
enum natflow_parsed natflow_h2_parse(const u8 *data, unsigned int len, struct natflow_h2 *h2);
enum natflow_parsed natflow_h2_frame(const u8 *data, unsigned int len,
				     const struct natflow_hpack_table *before,
				     struct natflow_h2 *h2);

#endif /* _NATFLOW_LIB_NAMES_H2_H */
