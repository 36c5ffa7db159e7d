/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access: who may use the line. Rules give users of a zone a status, by ipsets; a
 * status that was set by hand stays until it is taken back. What decides first: a policy
 * that blocks, a status by hand, a policy that allows or sends to the portal, the rules.
 */
#ifndef _NATFLOW_POLICY_ACCESS_H
#define _NATFLOW_POLICY_ACCESS_H

#include <linux/spinlock.h>
#include "../core/base/netns.h"
#include "../core/base/share.h"
#include "../include/uapi/linux/natflow_userinfo.h"
#include "../lib/text/auth.h"
#include "../lib/text/timezone.h"
#include "paced.h"
#include "policies.h"
#include "users.h"

/* The numbers that natflow's users know. */
enum natflow_access_status {
	NATFLOW_ACCESS_NONE,	/* no rule is for the user, who may use the line */
	NATFLOW_ACCESS_OK,
	NATFLOW_ACCESS_BYPASS,	/* in src_bypasslist_name= */
	NATFLOW_ACCESS_REQ,	/* has to log in: HTTP is sent to the portal */
	NATFLOW_ACCESS_NOAUTH,	/* as REQ, but nothing is sent to the portal */
	NATFLOW_ACCESS_VIP,	/* in the white list of a rule */
	NATFLOW_ACCESS_BLOCK,	/* nothing passes */
	NATFLOW_ACCESS_UNKNOWN = 15,	/* when written: by the rules again, as NONE */
};

/* Read under RCU and immutable: a writer replaces all of it. */
struct natflow_access_rules {
	bool disabled;
	u8 portal4[4], portal6[16];	/* network order; 0: none */
	u32 no_flow_timeout;	/* seconds */
	u16 https_port;
	char free_servers[NATFLOW_SET_NAME_MAX], free_clients[NATFLOW_SET_NAME_MAX];
	char timezone[NATFLOW_TIMEZONE_MAX];	/* "": the kernel's */
	struct natflow_timezone tz;		/* of @timezone */
	unsigned int count;
	struct natflow_auth_rule rule[];	/* by id */
};

/* Of one namespace. */
struct natflow_access {
	struct natflow_net *nn;
	struct natflow_access_rules __rcu *rules;	/* never NULL */
	const struct natflow_policies __rcu *policies;	/* the same */
	u16 edition;		/* another one behind each change, never 0; @lock */
	u32 minute;		/* of the week, local time: that of schedules */
	bool paces;		/* a policy has a rate */
	u32 paced;		/* changes when a user with flows has another rate; @lock */
	struct natflow_users *users;	/* NULL until the first disabled=0 */
	struct delayed_work clock;	/* each second, and when a minute begins */
	struct work_struct stopped;	/* a quota is used up */
	spinlock_t lock;	/* natflow_user.access of all users; BH */
	struct natflow_rate *answers;	/* NULL until the first disabled=0 */
	atomic64_t refused;	/* packets that were not forwarded */
	atomic64_t redirected;	/* requests that were sent to the portal */
	atomic64_t cut;		/* connections that policy/cut.c ended */
	struct delayed_work sweep;	/* policy/cut.c */
	unsigned long rest;	/* jiffies; no sweep before; only the worker's */
	bool hooked;		/* natflow_net.lock */
	struct nf_hook_ops ops[NATFLOW_FAMILIES];
};

struct natflow_access_rules *natflow_access_rules_alloc(const struct natflow_access_rules *old,
							unsigned int more);
const struct natflow_auth_rule *
natflow_access_rules_add(struct natflow_access_rules *rules, const struct natflow_auth_rule *rule);
u8 natflow_access_judge(struct natflow_access *access, struct natflow_user *user);
u8 natflow_access_judge_stranger(struct natflow_access *access,
				 const struct natflow_user_key *key, const u8 *mac,
				 const char *dev, u16 *rule);
void natflow_access_changed(struct natflow_access *access);
int natflow_access_policy_of(struct natflow_access *access, const struct natflow_user *user,
			     enum natflow_userinfo_why *why);
void natflow_access_time(const struct natflow_net *nn, struct natflow_usage_time *time);
u64 natflow_access_local(const struct natflow_net *nn, struct natflow_local *local);
const struct natflow_policy *natflow_access_policy_for(const struct natflow_site_client *client);
bool natflow_access_names_list(const struct natflow_net *nn, const char *list);
bool natflow_access_pace(struct natflow_access *access, struct natflow_user *user,
			 const struct natflow_user_key *key, const char *dev,
			 struct natflow_paced_key *pace);
void natflow_access_give(struct natflow_access *access, struct natflow_user *user, u8 status);
u32 natflow_access_idle(const struct natflow_net *nn);
enum natflow_reason natflow_access_recheck(struct natflow_net *nn, struct natflow_user *user);

static inline bool natflow_access_refuses(u8 status)
{
	return status == NATFLOW_ACCESS_REQ || status == NATFLOW_ACCESS_NOAUTH ||
	       status == NATFLOW_ACCESS_BLOCK;
}

#endif /* _NATFLOW_POLICY_ACCESS_H */
