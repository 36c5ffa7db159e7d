/* SPDX-License-Identifier: GPL-2.0-only */
/* Hints: DNS names by which clients learned addresses, for flows that carry no name. */
#ifndef _NATFLOW_NAMES_HINTS_H
#define _NATFLOW_NAMES_HINTS_H

#include <linux/types.h>

#define NATFLOW_HINT_HOST_MAX 64	/* with its NUL; longer names are not stored */

struct natflow_hints;
struct natflow_site_client;

struct natflow_hints *natflow_hints_alloc(void);
size_t natflow_hints_bytes(void);
void natflow_hints_free(struct natflow_hints *hints);
u32 natflow_hints_count(struct natflow_hints *hints, u64 *gone);
void natflow_hints_put(struct natflow_hints *hints, const struct natflow_site_client *client,
		       u8 family, const u8 *server, const char *host, u32 ttl);
bool natflow_hints_find(struct natflow_hints *hints, const struct natflow_site_client *client,
			u8 family, const u8 *server, char *host);

#endif /* _NATFLOW_NAMES_HINTS_H */
