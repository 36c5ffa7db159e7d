/* SPDX-License-Identifier: GPL-2.0-only */
/* A client's TCP stream, as its server receives it. */
#ifndef _NATFLOW_NAMES_TCP_H
#define _NATFLOW_NAMES_TCP_H

#include "reading.h"

struct natflow_segment;

void natflow_tcp_note_syn(struct natflow_urllogger *ul, const struct natflow_segment *s);
bool natflow_tcp_is_answer(const struct natflow_segment *s);
bool natflow_tcp_sync(struct natflow_inspection *in, const struct natflow_segment *s);
bool natflow_tcp_next(struct natflow_inspection *in, const struct natflow_segment *s);
void natflow_tcp_note_base(struct natflow_inspection *in, u32 seq);
void natflow_tcp_note_ack(struct natflow_inspection *in, const struct natflow_segment *s);
void natflow_tcp_note_urgent(struct natflow_inspection *in, const struct natflow_segment *s);
bool natflow_tcp_is_old(const struct natflow_inspection *in, const struct natflow_segment *s);
bool natflow_tcp_adopt(struct natflow_inspection *in);
bool natflow_tcp_is_idle(const struct natflow_inspection *in, const struct natflow_segment *s);
enum natflow_reason natflow_tcp_seek(struct natflow_inspection *in,
				     const struct natflow_segment *s, struct natflow_workspace *w);

#endif /* _NATFLOW_NAMES_TCP_H */
