/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of natflow_user_ctl's lines about policies, and whom they are bound to. */
#ifndef _NATFLOW_LIB_TEXT_POLICY_H
#define _NATFLOW_LIB_TEXT_POLICY_H

#include "../bucket.h"
#include "auth.h"
#include "schedule.h"

#define NATFLOW_POLICY_NAME_MAX 32	/* with its NUL; as of a device, or of a set */
#define NATFLOW_POLICY_RANGES_MAX 8

enum natflow_policy_verdict {
	NATFLOW_POLICY_NONE,	/* the rules of access decide */
	NATFLOW_POLICY_ALLOW,
	NATFLOW_POLICY_BLOCK,
	NATFLOW_POLICY_PORTAL,
	NATFLOW_POLICY_VERDICTS
};

enum natflow_policy_period {
	NATFLOW_POLICY_DAY,
	NATFLOW_POLICY_WEEK,
	NATFLOW_POLICY_MONTH,
	NATFLOW_POLICY_PERIODS
};

/* Of "policy". It has its effect while one of its ranges has begun, or always without one. */
struct natflow_policy {
	char name[NATFLOW_POLICY_NAME_MAX];
	char sites[NATFLOW_NAME_MAX];	/* a list of hostacl_ctl, "": none */
	u8 verdict;			/* enum natflow_policy_verdict */
	u8 log;				/* 1 + index in natflow_level_words; 0: as log_level= */
	u8 volume_period, minutes_period;	/* enum natflow_policy_period */
	u8 ranges;
	struct natflow_schedule range[NATFLOW_POLICY_RANGES_MAX];
	u32 minutes;			/* with traffic, in a period; 0: no quota */
	u64 volume;			/* bytes in a period, both directions; 0: no quota */
	u64 rx, tx;			/* rate=, bytes a second; 0: no limit */
	bool throttle;			/* over=throttle: that rate, once a quota is used up */
};

/* In the order in which they decide. */
enum natflow_subject_kind {
	NATFLOW_SUBJECT_DEVICE,
	NATFLOW_SUBJECT_NAME,
	NATFLOW_SUBJECT_IP,
	NATFLOW_SUBJECT_CIDR,
	NATFLOW_SUBJECT_SET,
	NATFLOW_SUBJECT_ZONE,
	NATFLOW_SUBJECTS
};

/* Whom a policy is bound to. Unused bytes are zero: subjects are compared as memory. */
struct natflow_subject {
	u8 kind;		/* enum natflow_subject_kind */
	u8 family, len;		/* of an address or prefix */
	union {
		u8 addr[16];	/* network order; the first 6 bytes for a MAC, 1 for a zone */
		char name[NATFLOW_POLICY_NAME_MAX];	/* of a device, of a set */
	};
};

/* Of "bind" and "unbind". */
struct natflow_bind_args {
	char policy[NATFLOW_POLICY_NAME_MAX];	/* "": whichever it is, to unbind */
	struct natflow_subject of;
};

extern const char * const natflow_verdict_words[NATFLOW_POLICY_VERDICTS];
extern const char * const natflow_subject_words[NATFLOW_SUBJECTS];

int natflow_policy_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);
int natflow_policy_name_parse(char *value, const struct natflow_verb *verb,
			      struct natflow_command *cmd);
int natflow_bind_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_policy_print(const struct natflow_policy *policy, char *text, size_t size);
bool natflow_policy_has_rate(const struct natflow_policy *policy);
bool natflow_policy_is_on(const struct natflow_policy *policy, unsigned int minute);
void natflow_subject_prefix(struct natflow_subject *s, u8 family, const u8 *addr, u8 len);

#endif /* _NATFLOW_LIB_TEXT_POLICY_H */
