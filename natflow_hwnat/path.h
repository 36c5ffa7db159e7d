/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NATFLOW_HWNAT_PATH_H
#define _NATFLOW_HWNAT_PATH_H

#include "hwnat.h"

enum natflow_hwnat_reason natflow_hwnat_path_find(struct net *net,
						  const struct natflow_hw_flow *flow,
						  struct natflow_hwnat_side side[2]);
unsigned int natflow_hwnat_path_headers(const struct natflow_hwnat_side *side);

#endif /* _NATFLOW_HWNAT_PATH_H */
