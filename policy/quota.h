/* SPDX-License-Identifier: GPL-2.0-only */
/* Quotas: has a user's device used up what a policy allows in a period? */
#ifndef _NATFLOW_POLICY_QUOTA_H
#define _NATFLOW_POLICY_QUOTA_H

#include "../include/uapi/linux/natflow_userinfo.h"
#include "../lib/text/policy.h"
#include "users.h"

/*
 * Context: RCU read side, BH disabled. Return: NATFLOW_USERINFO_VOLUME or _MINUTES, the
 * quota that is used up, or NATFLOW_USERINFO_UNSAID.
 */
static inline enum natflow_userinfo_why natflow_quota_over(struct natflow_net *nn,
							   const struct natflow_user *user,
							   const struct natflow_policy *policy)
{
	return NATFLOW_USERINFO_UNSAID;
}

#endif /* _NATFLOW_POLICY_QUOTA_H */
