/* SPDX-License-Identifier: GPL-2.0-only */
/* What others do with flows: select, learn, end, fold, flush. */
#ifndef _NATFLOW_CORE_FLOW_FLOW_H
#define _NATFLOW_CORE_FLOW_FLOW_H

#include "object.h"
#include "table.h"

struct natflow_flow *natflow_flow_by_ct(struct natflow_net *nn, const struct nf_conn *ct);
enum natflow_reason natflow_flow_select(struct natflow_net *nn, struct nf_conn *ct, bool hw,
					struct natflow_flow **flow);
enum natflow_reason natflow_flow_learn(struct natflow_flow *flow, unsigned int dir,
				       struct natflow_lesson *lesson);
bool natflow_flow_confirm(struct natflow_flow *flow, struct natflow_dir *dir,
			  const struct natflow_egress *eg, u32 edition, u32 clock);
void natflow_flow_end(struct natflow_flow *flow, enum natflow_reason reason);
void natflow_flow_put(struct natflow_flow *flow);
void natflow_flow_fold(struct natflow_flow *flow);
void natflow_flow_count(struct natflow_flow *flow, unsigned int dir,
			const struct natflow_folded *f);
void natflow_flow_flush(struct natflow_net *nn, enum natflow_reason reason,
			bool (*match)(struct natflow_flow *flow, const void *arg),
			const void *arg);
void natflow_flow_resize(struct natflow_net *nn, struct natflow_table *table);

int natflow_flow_start(struct natflow_net *nn);
int natflow_flow_net_init(struct natflow_net *nn);
void natflow_flow_net_exit(struct natflow_net *nn);
int natflow_flow_init(void);
void natflow_flow_exit(void);

#endif /* _NATFLOW_CORE_FLOW_FLOW_H */
