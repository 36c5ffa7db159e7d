/* SPDX-License-Identifier: GPL-2.0-only */
/* hex2bin() and friends moved to a header of their own in 6.18. */
#if __has_include(<linux/hex.h>)
#include <linux/hex.h>
#endif
