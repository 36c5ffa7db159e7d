/* SPDX-License-Identifier: GPL-2.0-only */
/* The PPE's entry of one direction of a flow. */
#ifndef _NATFLOW_HWNAT_PPE_WORDS_H
#define _NATFLOW_HWNAT_PPE_WORDS_H

#include "hwnat.h"

struct natflow_ppe_info;

int natflow_hwnat_ppe_words(const struct natflow_ppe_info *in, const struct natflow_ppe_info *out,
			    const struct natflow_hwnat_way *way, u32 *words);

#endif /* _NATFLOW_HWNAT_PPE_WORDS_H */
