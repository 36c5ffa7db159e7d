/* SPDX-License-Identifier: GPL-2.0-only */
/* The name at the beginning of a client's stream, for every protocol. */
#ifndef _NATFLOW_LIB_NAMES_NAME_H
#define _NATFLOW_LIB_NAMES_NAME_H

#include "../../include/uapi/linux/natflow_urllogger.h"
#include "dns.h"
#include "h2.h"
#include "tls.h"

#define NATFLOW_QUESTION_MAX 4096	/* bytes of a DNS message that is read as a whole */

/* Pointers refer to the bytes that were parsed. */
struct natflow_said {
	enum natflow_url_source source;
	enum natflow_url_method method;
	u16 flags;			/* enum natflow_url_flag */
	u16 uri_len;
	const char *uri;
	const char *alpn;		/* NUL-terminated, "": none */
	u64 next;			/* offset of the next request, 0: unknown */
	bool chunks;			/* at @next a chunk of the body begins, not a request */
	bool doubtful;			/* a DNS message that no resolver should answer */
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
enum natflow_parsed natflow_name_question(const u8 *data, u32 len, struct natflow_name *name);
bool natflow_name_question_next(const u8 *data, u32 len, struct natflow_name *name);
enum natflow_parsed natflow_name_hello(const u8 *data, u32 len, struct natflow_name *name);

#endif /* _NATFLOW_LIB_NAMES_NAME_H */
