/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The key of a flow direction: addresses, ports, and one number for ingress
 * path and protocol. 2 words for IPv4, 5 for IPv6; the family is not stored.
 */
#ifndef _NATFLOW_LIB_KEY_H
#define _NATFLOW_LIB_KEY_H

#include "host.h"

/* Addresses and ports in the order of the headers, so that they are copied as one. */
struct natflow_addrs4 {
	__be32 saddr, daddr;
};

struct natflow_addrs6 {
	struct in6_addr saddr, daddr;
};

struct natflow_ports {
	__be16 sport, dport;
};

/* The part behind the addresses, the same for both families. */
struct natflow_key_tail {
	struct natflow_ports ports;
	u32 way;		/* natflow_way.id, an even number, | NATFLOW_KEY_TCP */
};

#define NATFLOW_KEY_TCP	1U	/* TCP, else UDP */

struct natflow_key4 {
	struct natflow_addrs4 addrs;
	struct natflow_key_tail tail;
};

struct natflow_key6 {
	struct natflow_addrs6 addrs;
	struct natflow_key_tail tail;
};

union natflow_key {
	struct natflow_key4 v4;
	struct natflow_key6 v6;
	u64 word[5];
};

static __always_inline unsigned int natflow_key_words(const u8 family)
{
	BUILD_BUG_ON(sizeof(struct natflow_key4) != 2 * sizeof(u64));
	BUILD_BUG_ON(sizeof(struct natflow_key6) != 5 * sizeof(u64));
	return family == NFPROTO_IPV4 ? 2 : 5;
}

/* struct natflow_key_tail as one word, as it is in memory; @ports: as on the wire. */
static __always_inline u64 natflow_key_tail_word(u32 ports, u32 way)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (u64)ports << 32 | way :
							(u64)way << 32 | ports;
}

static __always_inline struct natflow_key_tail *
natflow_key_tail(union natflow_key *key, const u8 family)
{
	return family == NFPROTO_IPV4 ? &key->v4.tail : &key->v6.tail;
}

static __always_inline bool
natflow_key_equal(const u64 *a, const u64 *b, const u8 family)
{
	u64 diff = (a[0] ^ b[0]) | (a[1] ^ b[1]);

	if (family == NFPROTO_IPV6)
		diff |= (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]);
	return !diff;
}

/* High and low half of the 128-bit product, folded: every input bit reaches every output bit. */
#ifdef __SIZEOF_INT128__
static __always_inline u64 natflow_mulfold(u64 a, u64 b)
{
	__uint128_t p = (__uint128_t)a * b;

	return (u64)p ^ (u64)(p >> 64);
}
#else
static __always_inline u64 natflow_mulfold(u64 a, u64 b)
{
	return (a * b) ^ mul_u64_u64_shr(a, b, 64);
}
#endif

/* @seed: 4 words, random at boot, so that an attacker cannot compute collisions. */
static __always_inline u64
natflow_key_hash(const u64 *key, const u64 *seed, const u8 family)
{
	u64 h = natflow_mulfold(key[0] ^ seed[0], key[1] ^ seed[1]);

	if (family == NFPROTO_IPV4)
		return h;
	h ^= natflow_mulfold(key[2] ^ seed[1], key[3] ^ seed[2]);
	return natflow_mulfold(h ^ seed[3], key[4] ^ seed[0]);
}

#endif /* _NATFLOW_LIB_KEY_H */
