/* SPDX-License-Identifier: GPL-2.0-only */
/* DNS questions and answers in datagrams: logged, blocked, rewritten. */
#ifndef _NATFLOW_NAMES_DNS_H
#define _NATFLOW_NAMES_DNS_H

#include <linux/netfilter.h>
#include "../core/base/segment.h"
#include "../lib/names/dns_reply.h"

struct natflow_acl;
struct natflow_urllogger;

bool natflow_dns_is(const struct nf_conn *ct);
enum natflow_dns_answer natflow_dns_answer_to(const struct natflow_acl *acl, u8 action);
bool natflow_dns_is_https(u16 type);
unsigned int natflow_dns_inspect(struct natflow_urllogger *ul, struct natflow_segment *s,
				 const struct nf_hook_state *state);

#endif /* _NATFLOW_NAMES_DNS_H */
