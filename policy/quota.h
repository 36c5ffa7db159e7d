/* SPDX-License-Identifier: GPL-2.0-only */
/* Quotas: has a user's device used up what a policy allows in a period? And extra time. */
#ifndef _NATFLOW_POLICY_QUOTA_H
#define _NATFLOW_POLICY_QUOTA_H

#include "../include/uapi/linux/natflow_userinfo.h"
#include "../lib/text/policy.h"
#include "users.h"

/* What a tick found. */
struct natflow_quota_news {
	bool review;		/* users may be refused, or not any more */
	u64 next;		/* ns until the next grant ends, U64_MAX: there is none */
};

enum natflow_userinfo_why natflow_quota_over(const struct natflow_user *user,
					     const struct natflow_policy *policy,
					     const struct natflow_usage_time *now);
bool natflow_quota_near(const struct natflow_user *user);
bool natflow_quota_granted(const struct natflow_user *user);
struct natflow_quota_news natflow_quota_tick(struct natflow_users *users,
					     const struct natflow_usage_time *now);
void natflow_quota_grant(struct natflow_users *users, const u8 *mac, struct natflow_known *fresh,
			 u32 minutes);
bool natflow_quota_restore(struct natflow_users *users, const u8 *mac,
			   struct natflow_known *fresh, const struct natflow_restore_args *args,
			   const struct natflow_usage_time *now);

#endif /* _NATFLOW_POLICY_QUOTA_H */
