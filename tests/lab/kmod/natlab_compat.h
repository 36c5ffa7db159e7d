/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/hrtimer.h>
#include <linux/version.h>

/* hex2bin() and friends moved to a header of their own in 6.18. */
#if __has_include(<linux/hex.h>)
#include <linux/hex.h>
#endif

/* hrtimer_setup() came in 6.13; hrtimer_init() went in 6.15. */
static inline void natlab_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*call)(struct hrtimer *timer),
					enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(timer, call, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = call;
#endif
}
