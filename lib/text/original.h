/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of the original natflow that natflow_ctl does not have. */
#ifndef _NATFLOW_LIB_TEXT_ORIGINAL_H
#define _NATFLOW_LIB_TEXT_ORIGINAL_H

#include "grammar.h"

extern const struct natflow_absent natflow_original_words[];

#endif /* _NATFLOW_LIB_TEXT_ORIGINAL_H */
