/* SPDX-License-Identifier: GPL-2.0-only */
/* The end of connections whose user is refused the line now. */
#ifndef _NATFLOW_POLICY_CUT_H
#define _NATFLOW_POLICY_CUT_H

#include "access.h"

void natflow_cut_soon(struct natflow_access *access);
void natflow_cut_sweep(struct natflow_access *access, struct natflow_users *users);

#endif /* _NATFLOW_POLICY_CUT_H */
