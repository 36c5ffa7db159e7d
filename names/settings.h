/* SPDX-License-Identifier: GPL-2.0-only */
/* Settings of the names half, as the control files write them. */
#ifndef _NATFLOW_NAMES_SETTINGS_H
#define _NATFLOW_NAMES_SETTINGS_H

#include <linux/types.h>
#include "../lib/text/line.h"
#include "../lib/text/whom.h"

/* One u32 each, read one at a time: no two settings must be seen together. */
enum natflow_names_setting {
	NATFLOW_NAMES_PACKETS,		/* client packets with payload before an outcome is due */
	NATFLOW_NAMES_CLOSED,		/* 1: drop flows without a reliable name */
	NATFLOW_NAMES_LEVEL,		/* enum natflow_url_level */
	NATFLOW_NAMES_QUERY,		/* 1: log the query string of a URL */
	NATFLOW_NAMES_ANSWERS,		/* 1: log DNS answers */
	NATFLOW_NAMES_TUPLE_TYPE,	/* which addresses version 2 records carry */
	NATFLOW_NAMES_SETTINGS
};

/* How much of a name is logged. */
enum natflow_url_level {
	NATFLOW_URL_LEVEL_COUNTERS,	/* no records at all */
	NATFLOW_URL_LEVEL_DOMAIN,	/* the host's last two labels */
	NATFLOW_URL_LEVEL_HOST,
	NATFLOW_URL_LEVEL_URL,		/* and the path */
};

#define NATFLOW_LOG_SKIP_MAX 16

/* Clients whose names are not logged. Read under RCU, immutable once published. */
struct natflow_log_skip {
	struct rcu_head rcu;
	unsigned int count;
	struct natflow_source source[NATFLOW_LOG_SKIP_MAX];
	char text[NATFLOW_LOG_SKIP_MAX][NATFLOW_LINE_MAX];	/* as it was written */
};

#endif /* _NATFLOW_NAMES_SETTINGS_H */
