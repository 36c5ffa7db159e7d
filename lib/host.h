/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel types and helpers for host builds: with this header lib/ compiles in
 * the kernel and in the host's tests and fuzzers.
 */
#ifndef _NATFLOW_LIB_HOST_H
#define _NATFLOW_LIB_HOST_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/errno.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/ctype.h>
#include <linux/inet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/prefetch.h>
#include <linux/string.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>

#else /* !__KERNEL__ */

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif
#define __force
#define __aligned(n) __attribute__((__aligned__(n)))
#define BIT_ULL(n) (1ULL << (n))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define prefetch(p) __builtin_prefetch(p)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BUILD_BUG_ON(cond) _Static_assert(!(cond), #cond)

#define S64_MAX INT64_MAX

#define NFPROTO_IPV4 2
#define NFPROTO_IPV6 10
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

static inline u64 div64_u64(u64 n, u64 by)
{
	return n / by;
}

static inline u64 div_u64_rem(u64 n, u32 by, u32 *rest)
{
	*rest = n % by;
	return n / by;
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
#ifdef __SIZEOF_INT128__
	return (unsigned __int128)a * b >> shift;	/* as the kernel does on 64-bit machines */
#else
	u64 al = (u32)a, ah = a >> 32, bl = (u32)b, bh = b >> 32;
	u64 mid = ah * bl + (al * bl >> 32), low = al * bh + (u32)mid;

	return shift == 64 ? ah * bh + (mid >> 32) + (low >> 32) : 0;
#endif
}

/* RFC 1071 over an IPv4 header of @words 32-bit words; 0 when its checksum is right. */
static inline u16 ip_fast_csum(const void *iph, unsigned int words)
{
	u32 sum = 0;
	u16 w;
	unsigned int i;

	for (i = 0; i < 2 * words; i++) {
		memcpy(&w, (const u8 *)iph + 2 * i, 2);
		sum += w;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static inline int kstrtoul_host(const char *s, unsigned int base, u64 *out)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &end, base);
	return *end ? -EINVAL : -errno;
}

static inline int kstrtou32(const char *s, unsigned int base, u32 *out)
{
	u64 v;
	int err = kstrtoul_host(s, base, &v);

	if (err)
		return err;
	if (v > UINT32_MAX)
		return -ERANGE;
	*out = v;
	return 0;
}

static inline int kstrtou64(const char *s, unsigned int base, u64 *out)
{
	return kstrtoul_host(s, base, out);
}

static inline int in4_pton(const char *s, int len, u8 *dst, int delim, const char **end)
{
	return inet_pton(AF_INET, s, dst) == 1;
}

static inline int in6_pton(const char *s, int len, u8 *dst, int delim, const char **end)
{
	return inet_pton(AF_INET6, s, dst) == 1;
}

#endif /* __KERNEL__ */
#endif /* _NATFLOW_LIB_HOST_H */
