/* SPDX-License-Identifier: GPL-2.0-only */
/* Questions and answers of the DNS, in datagrams: logged, and answered otherwise. */
#ifndef _NATFLOW_POLICY_DNS_H
#define _NATFLOW_POLICY_DNS_H

#include <linux/netfilter.h>
#include "../core/segment.h"

struct natflow_urllogger;

bool natflow_dns_is(const struct nf_conn *ct);
unsigned int natflow_dns_inspect(struct natflow_urllogger *ul, struct natflow_segment *s,
				 const struct net_device *out);

#endif /* _NATFLOW_POLICY_DNS_H */
