/* SPDX-License-Identifier: GPL-2.0-only */
/* A client's QUIC datagrams. */
#ifndef _NATFLOW_NAMES_QUIC_H
#define _NATFLOW_NAMES_QUIC_H

#include "reading.h"

struct natflow_segment;

bool natflow_quic_is_sought(const struct natflow_segment *s);
bool natflow_quic_refuses(const struct natflow_segment *s);
void natflow_quic_forget(struct natflow_inspection *in);
void natflow_quic_free(struct natflow_inspection *in);
u8 natflow_quic_later(struct natflow_inspection *in, const struct natflow_segment *s);
enum natflow_reason natflow_quic_seek(struct natflow_inspection *in,
				      const struct natflow_segment *s,
				      struct natflow_workspace *w);

#endif /* _NATFLOW_NAMES_QUIC_H */
