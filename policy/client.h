/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of a packet, as selectors match it. */
#ifndef _NATFLOW_POLICY_CLIENT_H
#define _NATFLOW_POLICY_CLIENT_H

#include "../core/base/segment.h"
#include "../core/base/share.h"
#include "../lib/text/whom.h"

void natflow_client_of(struct natflow_site_client *client, const struct nf_conn *ct);
void natflow_client_note(struct natflow_site_client *client, const struct natflow_segment *s,
			 const struct net_device *out);
bool natflow_client_may(struct natflow_rate *rate, const struct natflow_segment *s);
void natflow_client_sharer(struct natflow_sharer *who, const struct natflow_site_client *client);

#endif /* _NATFLOW_POLICY_CLIENT_H */
