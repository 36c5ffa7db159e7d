/* SPDX-License-Identifier: GPL-2.0-only */
/* Conditions on a flow, as the line "flush" has them. */
#ifndef _NATFLOW_LIB_TEXT_FILTER_H
#define _NATFLOW_LIB_TEXT_FILTER_H

#include "grammar.h"

/* Compared with the original direction, as it comes in. */
struct natflow_filter {
	u8 proto;		/* 0 = any */
	u8 src_family, dst_family;	/* NFPROTO_*, 0 = any */
	u8 src_len, dst_len;	/* prefix bits */
	u8 src[16], dst[16];	/* network order */
	u32 sport, dport;	/* host order, 0 = any */
	char dev[NATFLOW_NAME_MAX];	/* ingress or egress of either direction, "" = any */
};

int natflow_filter_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_FILTER_H */
