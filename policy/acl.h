/* SPDX-License-Identifier: GPL-2.0-only */
/* Host rules and lists, written to /dev/hostacl_ctl: the verdict on a name. */
#ifndef _NATFLOW_POLICY_ACL_H
#define _NATFLOW_POLICY_ACL_H

#include "../core/base/netns.h"
#include "../lib/names/dns_reply.h"
#include "../lib/names/dns_trust.h"
#include "../lib/names/hostname.h"
#include "../include/uapi/linux/natflow_urllogger.h"
#include "sites.h"

#define NATFLOW_ACL_IDS 32
#define NATFLOW_ACL_HOSTS_MAX 1024
#define NATFLOW_ACL_URL_MAX 255

struct nf_conn;

struct natflow_acl_rule {
	u8 id;			/* below NATFLOW_ACL_IDS */
	u8 action;		/* enum natflow_url_action */
	u8 len;
	u8 labels;		/* of @host */
	u32 tag;		/* hash of @host */
	char host[NATFLOW_HOSTNAME_MAX + 1];
};

/* Read under RCU and immutable: a writer replaces all of it. */
struct natflow_acl {
	u8 action_default;	/* enum natflow_url_action, if no rule or list matches */
	struct natflow_dns_policy dns;
	struct natflow_dns_trust trust;
	bool scheduled;		/* a list applies at certain times only */
	u8 lists;
	struct natflow_site_list *list[NATFLOW_SITES_MAX];	/* a reference each */
	char redirect_url[NATFLOW_ACL_URL_MAX + 1];
	unsigned int count;
	struct natflow_acl_rule rule[];	/* by id, then in the order of writing */
};

struct natflow_acl_verdict {
	u8 action;		/* enum natflow_url_action */
	u8 rule;		/* id, or NATFLOW_URL_NO_RULE */
	bool exempt;		/* an entry of @list allows: neither its mark nor its set applies */
	const struct natflow_site_list *list;	/* the list that decided, or NULL; RCU */
};

struct natflow_acl *natflow_acl_alloc(const struct natflow_acl *old, unsigned int more);
void natflow_acl_free(struct natflow_acl *acl);
void natflow_acl_add(struct natflow_acl *acl, u8 id, u8 action,
		     const struct natflow_hostname *host);
bool natflow_acl_del(struct natflow_acl *acl, u8 id, const struct natflow_hostname *host);
int natflow_acl_find_list(const struct natflow_acl *acl, const char *name);
int natflow_acl_set_list(struct natflow_acl *acl, const struct natflow_site_list *like,
			 struct natflow_site_names *names);
bool natflow_acl_remove_list(struct natflow_acl *acl, const char *name);
struct natflow_acl_verdict natflow_acl_decide(const struct natflow_acl *acl,
					      const struct natflow_site_client *client,
					      const char *host, unsigned int len);
void natflow_acl_count(struct natflow_acl_verdict v);
bool natflow_acl_believes(const struct natflow_acl *acl, struct net *net, u8 family,
			  const u8 *addr);
void natflow_acl_take_effect(struct natflow_acl_verdict v, struct nf_conn *ct,
			     const u8 *server);
unsigned int natflow_acl_minute(const struct natflow_net *nn);

#endif /* _NATFLOW_POLICY_ACL_H */
