/* SPDX-License-Identifier: GPL-2.0-only */
/* What natflow declares of P13 and P14, under names of its own: beside the driver's header. */
#ifndef _PPE_NATFLOW_H
#define _PPE_NATFLOW_H

#define mtk_ppe_entry_describe natflow_entry_describe
#define mtk_ppe_entry_set natflow_entry_set
#define mtk_ppe_entry_clear natflow_entry_clear
#define mtk_ppe_entry_read natflow_entry_read
#include "natflow_hwnat/ppe_abi.h"
#undef mtk_ppe_entry_describe
#undef mtk_ppe_entry_set
#undef mtk_ppe_entry_clear
#undef mtk_ppe_entry_read

#endif /* _PPE_NATFLOW_H */
