/* SPDX-License-Identifier: GPL-2.0-only */
/* Names become events of the log. */
#ifndef _NATFLOW_NAMES_RECORD_H
#define _NATFLOW_NAMES_RECORD_H

#include "../policy/acl.h"

struct natflow_said;
struct natflow_urllogger;

void natflow_record_name(struct natflow_urllogger *ul, const struct nf_conn *ct,
			 const struct natflow_site_client *client, const struct natflow_said *said,
			 struct natflow_acl_verdict verdict, u16 flags);
void natflow_record_cut(struct natflow_urllogger *ul, const struct nf_conn *ct,
			const struct natflow_site_client *client, const char *name, u8 source,
			struct natflow_acl_verdict verdict);
void natflow_record_hint(struct natflow_urllogger *ul, const struct nf_conn *ct,
			 const struct natflow_site_client *client, u8 action);

#endif /* _NATFLOW_NAMES_RECORD_H */
