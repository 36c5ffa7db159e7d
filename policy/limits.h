/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which buckets a flow is charged to: those of the first rule that is for it and of the
 * rule's group, and those of the users at its ends (set-token-ctrl).
 *
 * Rules are found by the user's address: a chain for each prefix, so that a packet looks at
 * the rules of as many prefixes as there are lengths, and at rules of sets.
 */
#ifndef _NATFLOW_POLICY_LIMITS_H
#define _NATFLOW_POLICY_LIMITS_H

#include <linux/rhashtable-types.h>
#include "../core/limit.h"
#include "../lib/text/limit.h"
#include "users.h"
#include "zone.h"

#define NATFLOW_LIMIT_RULES_MAX	4096
#define NATFLOW_LIMIT_SETS_MAX	64	/* rules whose user is a set: each new flow asks */
#define NATFLOW_LIMIT_USERS_MAX	65536	/* of set-token-ctrl */
#define NATFLOW_LIMIT_CHAINS	1024
#define NATFLOW_LIMIT_GROUPS_MAX 256

/* Buckets of a rule or group. */
struct natflow_limit_own {
	struct natflow_meters *meters;		/* one reference */
	struct natflow_law *law[NATFLOW_LIMIT_DIRS];	/* of a draft: new ones of @meters */
};

struct natflow_limit_rule {
	struct natflow_limit_args args;
	struct natflow_limit_own own;
	u16 next;				/* 1 + index of the next in the chain; 0: none */
	u16 group;				/* 1 + index; 0: none */
};

/* Rules of one group share its buckets, besides their own. */
struct natflow_limit_group {
	struct natflow_group_args args;
	struct natflow_limit_own own;
};

/* Read under RCU and immutable: a writer replaces all of it. Meters go on. */
struct natflow_limits {
	u32 classid;				/* tc_classid_mode= */
	unsigned int count, room;
	unsigned int groups;
	bool paints;				/* a rule has prio=, which flows learn */
	unsigned int sets;
	u16 set[NATFLOW_LIMIT_SETS_MAX];	/* indices, in the order of writing */
	u8 lens[2][129];			/* is there a rule for a prefix of this length */
	u16 head[NATFLOW_LIMIT_CHAINS], tail[NATFLOW_LIMIT_CHAINS];	/* 1 + index */
	struct natflow_limit_group group[NATFLOW_LIMIT_GROUPS_MAX];
	struct natflow_limit_rule rule[];
};

/* A user of set-token-ctrl, in whichever zone. */
struct natflow_limit_user {
	struct rhash_head node;
	struct natflow_user_key key;		/* zone 0 */
	struct natflow_meters __rcu *meters;	/* one reference */
	struct rcu_head rcu;
};

/* A flow: end 0 sent its first packet. */
struct natflow_limit_flow {
	struct net *net;
	u8 family, proto;
	struct {
		u8 addr[16];			/* network order, as in the LAN */
		u16 port;			/* host order, 0: none */
		struct natflow_zone zone;
		const struct net_device *dev;	/* or NULL */
		struct natflow_user *user;	/* its record, or NULL */
	} end[2];
};

/* What is for a flow. */
struct natflow_limit_class {
	int rule;				/* index, or below 0 */
	unsigned int rule_end;			/* which end its user is */
	struct natflow_meters *user[2];		/* by end; no reference */
	struct natflow_meters *device[2];	/* the same, of those whose policy has a rate */
	bool lacks;				/* one of these: there is no memory */
};

struct natflow_limits *natflow_limits_alloc(const struct natflow_limits *old, unsigned int more);
void natflow_limits_free(struct natflow_limits *limits);
void natflow_limits_clear(struct natflow_limits *limits);
int natflow_limits_add(struct natflow_limits *limits, const struct natflow_limits *old,
		       const struct natflow_limit_args *args);
int natflow_limits_group(struct natflow_limits *limits, const struct natflow_limits *old,
			 const struct natflow_group_args *args);
void natflow_limits_enact(struct natflow_limits *limits);

int natflow_limit_users_init(struct rhashtable *users);
void natflow_limit_users_exit(struct rhashtable *users);
int natflow_limit_users_set(struct rhashtable *users, const struct natflow_token_args *args);
bool natflow_limit_users_none(struct rhashtable *users);

void natflow_limits_classify(const struct natflow_limits *limits, struct rhashtable *users,
			     const struct natflow_limit_flow *flow,
			     struct natflow_limit_class *class);

#endif /* _NATFLOW_POLICY_LIMITS_H */
