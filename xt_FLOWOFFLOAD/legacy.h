/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _XT_FLOWOFFLOAD_LEGACY_H
#define _XT_FLOWOFFLOAD_LEGACY_H

int natflow_legacy_init(void);
void natflow_legacy_exit(void);

#endif /* _XT_FLOWOFFLOAD_LEGACY_H */
