/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes older kernels look like the newest one. Included before every source
 * file; the only place that knows kernel versions.
 */
#ifndef _NATFLOW_COMPAT_H
#define _NATFLOW_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "natflow needs Linux 6.1 or newer"
#endif

/*
 * Kernels built with automatic zeroing of stack variables would do it to every
 * packet's context; the compilers since gcc 12 can be told.
 */
#if __has_attribute(__uninitialized__)
#define natflow_uninitialized __attribute__((__uninitialized__))
#else
#define natflow_uninitialized
#endif

/* 6.10 took the source argument away: the string is known from __string(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define natflow_assign_str(field, src) __assign_str(field, src)
#else
#define natflow_assign_str(field, src) __assign_str(field)
#endif

#endif /* _NATFLOW_COMPAT_H */
