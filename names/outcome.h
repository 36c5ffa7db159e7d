/* SPDX-License-Identifier: GPL-2.0-only */
/* What follows from a request: its verdict, its record, the flow's action. */
#ifndef _NATFLOW_NAMES_OUTCOME_H
#define _NATFLOW_NAMES_OUTCOME_H

#include "flow.h"

struct natflow_name;
struct natflow_said;

u8 natflow_outcome_action(struct natflow_inspection *in, const struct natflow_name *name);
bool natflow_outcome_blocks(struct natflow_inspection *in, const struct natflow_name *name);
void natflow_outcome_named(struct natflow_inspection *in, const struct natflow_name *name,
			   const struct natflow_name *other, bool sure);
void natflow_outcome_chunk(struct natflow_inspection *in, const struct natflow_said *said,
			   bool sure);
void natflow_outcome_without(struct natflow_inspection *in, enum natflow_reason outcome);
u8 natflow_outcome_later(struct natflow_inspection *in, const struct natflow_name *name,
			 const struct natflow_name *other);
bool natflow_outcome_review(struct natflow_inspection *in);

#endif /* _NATFLOW_NAMES_OUTCOME_H */
