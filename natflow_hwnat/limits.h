/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NATFLOW_HWNAT_LIMITS_H
#define _NATFLOW_HWNAT_LIMITS_H

#include "hwnat.h"

const struct natflow_hwnat_limits *natflow_hwnat_limits_find(const char *driver);
enum natflow_hwnat_reason natflow_hwnat_limits_check(const struct natflow_hwnat_limits *limits,
						     const struct natflow_hwnat_way *way);

#endif /* _NATFLOW_HWNAT_LIMITS_H */
