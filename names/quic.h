/* SPDX-License-Identifier: GPL-2.0-only */
/* A client's QUIC datagrams. */
#ifndef _NATFLOW_NAMES_QUIC_H
#define _NATFLOW_NAMES_QUIC_H

#include "reading.h"

struct natflow_segment;

bool natflow_quic_may_begin(const struct natflow_segment *s);
enum natflow_reason natflow_quic_seek(struct natflow_inspection *in,
				      const struct natflow_segment *s,
				      struct natflow_workspace *w);

#endif /* _NATFLOW_NAMES_QUIC_H */
