/* SPDX-License-Identifier: GPL-2.0-only */
/* Super-packets: several UDP datagrams of equal length in one skb (UDP GRO, UDP_SEGMENT). */
#ifndef _NATFLOW_NAMES_DATAGRAMS_H
#define _NATFLOW_NAMES_DATAGRAMS_H

#include "../core/base/segment.h"

#define NATFLOW_DATAGRAMS_MAX 128	/* UDP_MAX_SEGMENTS of Linux 6.8 and later */

unsigned int natflow_datagrams_count(const struct natflow_segment *s);
struct natflow_segment natflow_datagrams_get(const struct natflow_segment *s, unsigned int i);
bool natflow_datagrams_keep(struct natflow_segment *s, const unsigned long *keep);

#endif /* _NATFLOW_NAMES_DATAGRAMS_H */
