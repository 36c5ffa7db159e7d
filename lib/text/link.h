/* SPDX-License-Identifier: GPL-2.0-only */
/* The line "link dev=NAME,tx=RATE,rx=RATE": how fast a device's link is. */
#ifndef _NATFLOW_LIB_TEXT_LINK_H
#define _NATFLOW_LIB_TEXT_LINK_H

#include "grammar.h"

#define NATFLOW_LINK_TEXT_MAX	112	/* a line as text, with its NUL */
#define NATFLOW_LINK_RATE_MAX	(100ULL * 1000 * 1000 * 1000)	/* bit/s */
#define NATFLOW_LINK_BYTES_MAX	255	/* of overhead and mpu */

/* The DSCP of packets that come by a link with rx=. */
enum natflow_link_dscp {
	NATFLOW_LINK_DEFAULT,	/* restore */
	NATFLOW_LINK_RESTORE,	/* that of the flow's packets towards the link */
	NATFLOW_LINK_KEEP,
	NATFLOW_LINK_WASH,	/* 0 */
	NATFLOW_LINK_DSCPS
};

struct natflow_link {
	char dev[NATFLOW_NAME_MAX];
	u64 tx, rx;		/* bit/s, at least 8000; 0: no limit */
	/*
	 * Bytes on the link beside those of IP, and the least that a packet takes with
	 * them. Without @has_overhead a packet takes the bytes that the device is given.
	 */
	u8 overhead, mpu;
	bool has_overhead;
	bool atm;		/* cells of 53 bytes carry 48 */
	u8 dscp;		/* enum natflow_link_dscp, of what comes by the link */
};

int natflow_link_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
const char *natflow_link_text(const struct natflow_link *link, char *text);

#endif /* _NATFLOW_LIB_TEXT_LINK_H */
