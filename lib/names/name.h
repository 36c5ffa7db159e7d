/* SPDX-License-Identifier: GPL-2.0-only */
/* The name at the beginning of a client's stream, for every protocol. */
#ifndef _NATFLOW_LIB_NAMES_NAME_H
#define _NATFLOW_LIB_NAMES_NAME_H

#include "../../include/uapi/linux/natflow_urllogger.h"
#include "dns.h"
#include "h2.h"
#include "tls.h"

#define NATFLOW_QUESTION_MAX 4096	/* bytes of a DNS message that is read as a whole */

/* What begins at an offset of the client's stream. */
enum natflow_part {
	NATFLOW_PART_REQUEST,
	NATFLOW_PART_CHUNK,		/* of the last request's body */
	NATFLOW_PART_FRAME,		/* of HTTP/2 */
};

/* Pointers refer to the bytes that were parsed. */
struct natflow_said {
	enum natflow_url_source source;
	enum natflow_url_method method;
	u16 flags;			/* enum natflow_url_flag */
	u16 uri_len;
	const char *uri;
	const char *alpn;		/* NUL-terminated, "": none */
	u64 next;			/* offset of the next request, 0: unknown */
	bool doubtful;			/* a DNS message that no resolver should answer */
	u8 part;			/* what begins at @next: enum natflow_part */
	bool nothing;			/* this was no request, but a part of one */
	bool upgrade;			/* asks for HTTP/2 at @next */
	const struct natflow_hpack_table *table;	/* of HTTP/2, at @next; NULL: unchanged */
	const struct natflow_hostname *host;
};

/* Too large for the stack. */
struct natflow_name {
	struct natflow_said said;	/* also points into the members below */
	union {
		struct natflow_tls tls;
		struct natflow_http http;
		struct natflow_h2 h2;
		struct natflow_dns dns;
	};
};

enum natflow_parsed natflow_name_read(const u8 *data, u32 len, struct natflow_name *name);
enum natflow_parsed natflow_name_chunk(const u8 *data, u32 len, struct natflow_name *name);
enum natflow_parsed natflow_name_preface(const u8 *data, u32 len, struct natflow_name *name);
enum natflow_parsed natflow_name_frame(const u8 *data, u32 len,
				       const struct natflow_hpack_table *before,
				       struct natflow_name *name);
enum natflow_parsed natflow_name_question(const u8 *data, u32 len, struct natflow_name *name);
bool natflow_name_question_next(const u8 *data, u32 len, struct natflow_name *name);
enum natflow_parsed natflow_name_hello(const u8 *data, u32 len, struct natflow_name *name);

#endif /* _NATFLOW_LIB_NAMES_NAME_H */
