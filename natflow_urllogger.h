/* SPDX-License-Identifier: GPL-2.0-only */
/* Which flows are looked into for a name, and what becomes of them. */
#ifndef _NATFLOW_URLLOGGER_H
#define _NATFLOW_URLLOGGER_H

#include <linux/hash.h>
#include <linux/netfilter.h>
#include <linux/rhashtable.h>
#include <linux/workqueue.h>
#include "core/base/netns.h"
#include "core/base/ring.h"
#include "lib/text/command.h"

struct ctl_table_header;
struct natflow_hints;
struct natflow_acl;

#define NATFLOW_URL_PACKETS_DEFAULT 64

/* What of a name is logged. */
enum natflow_url_level {
	NATFLOW_URL_LEVEL_COUNTERS,	/* no records at all */
	NATFLOW_URL_LEVEL_DOMAIN,	/* the host's last two labels */
	NATFLOW_URL_LEVEL_HOST,
	NATFLOW_URL_LEVEL_URL,		/* and the path */
};

#define NATFLOW_URL_HOOKS 6

#define NATFLOW_LOG_SKIP_MAX 16

/* Whose names are not logged. Read under RCU and never changed. */
struct natflow_log_skip {
	struct rcu_head rcu;
	unsigned int count;
	struct natflow_source source[NATFLOW_LOG_SKIP_MAX];
	char text[NATFLOW_LOG_SKIP_MAX][NATFLOW_LINE_MAX];	/* as it was written */
};

#define NATFLOW_URL_SYNS 8192

/* A SYN that was seen, by its conntrack: lossy, and good for nothing but a hint. */
struct natflow_syn {
	u32 tag;
	u8 ttl;
};

#define NATFLOW_URL_PASSING 8192

/* One per namespace; lives as long as its struct natflow_net. */
struct natflow_urllogger {
	struct natflow_net *nn;
	/* Settings: written under natflow_net.lock, read with READ_ONCE(). */
	int enable;			/* 1: hooks are registered */
	int tuple_type;			/* whose addresses records of version 2 have */
	u32 packets;			/* of a flow, before its name must be known */
	bool closed;			/* what has no certain name is dropped */
	u8 level;			/* enum natflow_url_level */
	bool query;			/* what follows "?" is logged too */
	bool answers;			/* so are answers of the DNS */
	struct natflow_log_skip __rcu *skip;	/* NULL: nobody */

	struct nf_hook_ops ops[NATFLOW_URL_HOOKS];
	struct rhashtable flows;	/* struct natflow_inspection, by conntrack */
	struct mutex walk;		/* one walker of @flows at a time; innermost */
	struct natflow_hints *hints;	/* once it was enabled */
	struct natflow_syn *syn;	/* NATFLOW_URL_SYNS of them, once it was enabled */
	struct nf_conn **passing;	/* NATFLOW_URL_PASSING, once it was enabled; see below */
	atomic_t count;			/* of @flows */
	atomic_t bytes;			/* gathered, of all flows */
	struct delayed_work tick;	/* forgets what is gone, ends what takes too long */
	unsigned int minute;		/* of the week, when lists were last asked; only @tick */
	struct natflow_ring ring;
	struct ctl_table_header *sysctl;
	struct natflow_acl __rcu *acl;	/* never NULL; replaced by control/, one writer at a time */
};

/*
 * Here is a conntrack while packets of its flow need not be looked at: it is
 * decided, and nothing is waited for. Lossy: another's may take the place. Set
 * under inspection.lock; cleared there, and before the conntrack is put.
 */
static inline struct nf_conn **natflow_url_passing(const struct natflow_urllogger *ul,
						   const struct nf_conn *ct)
{
	return &ul->passing[hash_ptr(ct, ilog2(NATFLOW_URL_PASSING))];
}

int natflow_urllogger_net_init(struct natflow_net *nn);
void natflow_urllogger_net_stop(struct natflow_net *nn);
void natflow_urllogger_net_exit(struct natflow_net *nn);
int natflow_urllogger_enable(struct natflow_net *nn, bool on);
void natflow_urllogger_set_skip(struct natflow_net *nn, struct natflow_log_skip *skip);
void natflow_urllogger_set_acl(struct natflow_net *nn, struct natflow_acl *acl);

#endif /* _NATFLOW_URLLOGGER_H */
