/* SPDX-License-Identifier: GPL-2.0-only */
/* The name that the beginning of a client's stream asks for, whichever protocol says it. */
#ifndef _NATFLOW_LIB_NAMES_NAME_H
#define _NATFLOW_LIB_NAMES_NAME_H

#include "../../include/uapi/linux/natflow_urllogger.h"
#include "dns.h"
#include "h2.h"
#include "tls.h"

/* Pointers go into what was read. */
struct natflow_said {
	enum natflow_url_source source;
	enum natflow_url_method method;
	u16 flags;			/* enum natflow_url_flag */
	u16 uri_len;
	const char *uri;
	const char *alpn;		/* NUL-terminated, "": none */
	u64 next;			/* where the next request begins, 0: not known */
	bool chunks;			/* not yet: a chunk of this one's body begins there */
	const struct natflow_hostname *host;
};

/* Too much for a stack. */
struct natflow_name {
	struct natflow_said said;	/* points into what follows, too */
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
enum natflow_parsed natflow_name_hello(const u8 *data, u32 len, struct natflow_name *name);

#endif /* _NATFLOW_LIB_NAMES_NAME_H */
