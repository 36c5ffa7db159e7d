/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events of users, for /dev/natflow_userinfo_queue: what happened, and what the user
 * had counted by then. Without a reader an event costs one load.
 */
#ifndef _NATFLOW_POLICY_EVENT_H
#define _NATFLOW_POLICY_EVENT_H

#include "../core/base/netns.h"
#include "../core/base/ring.h"
#include "../include/uapi/linux/natflow_userinfo.h"

struct natflow_user;

#define NATFLOW_USER_TEXT_MAX 32	/* of a policy or a device in a record, with its NUL */

/* Of one namespace. */
struct natflow_userlog {
	struct natflow_ring ring;	/* of struct natflow_user_record; its lock: all below */
	u64 cookie;			/* written once */
	u32 readers;			/* open files; read without a lock */
	u64 limited;			/* events that were not stored: no memory */
	struct natflow_userinfo_gone gone;
	atomic64_t users;		/* number of the youngest record */
};

/* One event, or what a user has now. */
struct natflow_user_record {
	struct natflow_ring_record record;
	u64 when, user, value;		/* @when: ns since 1970 */
	u16 kind, why;			/* enum natflow_userinfo_kind, _why */
	u8 family, zone;
	u8 type, status, before;	/* @before: the status before */
	u16 rule;
	u8 mac[6], other[6];
	u8 addr[16];
	char dev[IFNAMSIZ], name[NATFLOW_USER_TEXT_MAX], policy[NATFLOW_USER_TEXT_MAX];
	struct natflow_userinfo_times times;
	struct natflow_userinfo_sums sums;
	union {
		struct natflow_userinfo_rates rates;
		struct natflow_userinfo_gone gone;	/* of LAST */
	};
};

/* What happened. All but @kind may be zero. */
struct natflow_user_news {
	enum natflow_userinfo_kind kind;
	enum natflow_userinfo_why why;
	u8 before;		/* STATUS: the status before */
	const u8 *mac;		/* MOVE: 6 bytes, the MAC before; CONFLICT: the other MAC */
	const char *policy;	/* name of the policy that decided */
	u64 value;		/* GRANT: seconds */
};

static inline struct natflow_user_record *natflow_user_record(struct natflow_ring_record *record)
{
	return record ? container_of(record, struct natflow_user_record, record) : NULL;
}

int natflow_userlog_net_init(struct natflow_net *nn);
void natflow_userlog_net_exit(struct natflow_net *nn);
void natflow_userlog_open(struct natflow_userlog *log);
void natflow_userlog_close(struct natflow_userlog *log);
void natflow_userlog_put(struct natflow_net *nn, struct natflow_user *user,
			 const struct natflow_user_news *news);
void natflow_userlog_last(struct natflow_net *nn, struct natflow_user *user,
			  enum natflow_userinfo_why why);
void natflow_userlog_describe(struct natflow_net *nn, const struct natflow_user *user,
			      const struct natflow_user_news *news,
			      struct natflow_user_record *record);

/* Does anybody read events of users? Context: any. */
static inline bool natflow_userlog_wanted(const struct natflow_net *nn)
{
	return unlikely(READ_ONCE(nn->userlog->readers));
}

/**
 * natflow_user_event() - tell the readers of the queue what happened to a user
 * @nn: namespace
 * @user: record; the caller has changed it already, so that the event shows it as it is now
 * @news: what happened; copied, as is what it points to
 *
 * Tell each change once, by whoever made it. The user's MAC and device hold the event's
 * place in the queue: a flood of one client does not push out events of others.
 *
 * Context: RCU read side in which @user was found, or a reference to it. Softirq or
 * process, BH enabled or not; spinlocks may be held, natflow_userlog.ring.lock is inside
 * all of them. Does not sleep, cannot fail: what finds no memory is counted.
 */
static inline void natflow_user_event(struct natflow_net *nn, struct natflow_user *user,
				      const struct natflow_user_news *news)
{
	if (natflow_userlog_wanted(nn))
		natflow_userlog_put(nn, user, news);
}

#endif /* _NATFLOW_POLICY_EVENT_H */
