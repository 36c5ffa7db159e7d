/* SPDX-License-Identifier: GPL-2.0-only */
/* What one flow's client says, put together until it is a name or the budget is spent. */
#ifndef _NATFLOW_NAMES_INSPECTION_H
#define _NATFLOW_NAMES_INSPECTION_H

#include "flow.h"

struct natflow_segment;

bool natflow_inspection_seek(struct natflow_inspection *in, const struct natflow_segment *s);
void natflow_inspection_pass(struct natflow_inspection *in);
void natflow_inspection_age(struct natflow_inspection *in);
bool natflow_inspection_review(struct natflow_inspection *in);
void natflow_inspection_free(struct rcu_head *rcu);

#endif /* _NATFLOW_NAMES_INSPECTION_H */
