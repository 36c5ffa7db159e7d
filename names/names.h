/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names half's state of one network namespace. Private to names/ and
 * natflow_urllogger.c; other files use the functions of natflow_urllogger.h.
 */
#ifndef _NATFLOW_NAMES_NAMES_H
#define _NATFLOW_NAMES_NAMES_H

#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/rhashtable-types.h>
#include <linux/workqueue.h>
#include "../core/base/netns.h"
#include "../include/uapi/linux/natflow_urllogger.h"
#include "log.h"
#include "places.h"
#include "settings.h"

struct natflow_acl;
struct natflow_hints;
struct natflow_questions;
struct natflow_rate;
struct nf_conn;

#define NATFLOW_URL_HOOKS 6
#define NATFLOW_URL_SYNS 8192
#define NATFLOW_URL_PASSING 8192

/* TTL of a SYN, by its conntrack. Lossy: another SYN may take the slot. */
struct natflow_syn {
	u32 tag;
	u8 ttl;
};

/* One per namespace; lives as long as its struct natflow_net. */
struct natflow_urllogger {
	struct natflow_net *nn;
	u32 setting[NATFLOW_NAMES_SETTINGS];	/* natflow_names_setting() reads them */
	bool enabled;			/* hooks are registered; under natflow_net.lock */
	struct natflow_log_skip __rcu *skip;	/* NULL: every name is logged */

	struct nf_hook_ops ops[NATFLOW_URL_HOOKS];
	struct rhashtable flows;	/* struct natflow_inspection, by conntrack */
	struct mutex walk;		/* one walker of @flows at a time; innermost */
	struct natflow_hints *hints;	/* allocated when first enabled */
	struct natflow_questions *questions;	/* likewise */
	struct natflow_syn *syn;	/* NATFLOW_URL_SYNS slots; allocated when first enabled */
	struct nf_conn **passing;	/* NATFLOW_URL_PASSING slots; likewise */
	struct natflow_places places;	/* of @flows */
	struct natflow_rate *trials;	/* datagrams that are decrypted; likewise */
	struct natflow_rate *answers;	/* packets that natflow generates; likewise */
	struct delayed_work tick;	/* ages and ends inspections */
	unsigned int minute;		/* of the week, at the last review by time; only @tick */
	struct natflow_names_log log;
	struct natflow_acl __rcu *acl;	/* never NULL; replaced by control/, one writer at a time */
};

static inline struct natflow_urllogger *natflow_urllogger(const struct natflow_net *nn)
{
	return nn->room[NATFLOW_SLOT_NAMES];
}

static inline u32 natflow_names_setting(const struct natflow_urllogger *ul,
					enum natflow_names_setting which)
{
	return READ_ONCE(ul->setting[which]);
}

static inline bool natflow_url_blocks(u8 action)
{
	return action != NATFLOW_URL_RECORD;
}

/* The action for a flow without a reliable name, by its outcome: an enum natflow_url_action. */
static inline u8 natflow_names_without(const struct natflow_urllogger *ul,
				       enum natflow_reason outcome)
{
	bool closed = natflow_names_setting(ul, NATFLOW_NAMES_CLOSED);

	return outcome != NATFLOW_NAME_NONE && closed ? NATFLOW_URL_DROP : NATFLOW_URL_RECORD;
}

#endif /* _NATFLOW_NAMES_NAMES_H */
