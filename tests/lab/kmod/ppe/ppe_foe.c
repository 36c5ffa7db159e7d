// SPDX-License-Identifier: GPL-2.0-only
/* The direct encoder under test, as natflow_hwnat.ko has it. */
#include "natflow_hwnat/foe.c"
