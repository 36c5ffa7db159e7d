/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rewrite of one packet: new addresses and ports, TTL minus one, and the
 * checksums moved by precomputed differences (RFC 1624, equation 3).
 */
#ifndef _NATFLOW_LIB_NAT_H
#define _NATFLOW_LIB_NAT_H

#include "key.h"

/*
 * Ones' complement sums of (new - old), in memory order so that they can be
 * added to a checksum field without swapping. Addresses and ports have separate sums
 * because a CHECKSUM_PARTIAL field holds the pseudo header only.
 */
struct natflow_sums {
	u16 addr;
	u16 ports;
};

struct natflow_rewrite4 {
	struct natflow_addrs4 addrs;
	struct natflow_ports ports;
	struct natflow_sums sums;
};

struct natflow_rewrite6 {
	struct natflow_addrs6 addrs;
	struct natflow_ports ports;
	struct natflow_sums sums;
};

/* Both halves added, end-around carry included: the carry of the lower sum enters the upper. */
static __always_inline u16 natflow_sum_fold(u32 sum)
{
	sum += sum << 16 | sum >> 16;
	return sum >> 16;
}

/*
 * Sum of (new - old) over @len bytes, an even number. Minus zero becomes zero,
 * so that an unchanged packet keeps its checksum to the bit.
 */
static inline u16 natflow_sum_diff(const void *old, const void *new, unsigned int len)
{
	u32 sum = 0;
	u16 a, b;
	unsigned int i;

	for (i = 0; i < len; i += 2) {
		memcpy(&a, (const u8 *)old + i, 2);
		memcpy(&b, (const u8 *)new + i, 2);
		sum += (u16)~a;
		sum += b;
	}
	a = natflow_sum_fold(sum);
	return a == 0xffff ? 0 : a;
}

/* Update a checksum field after @diff was added to the data that it covers. */
static __always_inline u16 natflow_sum_apply(u16 check, u32 diff)
{
	return (u16)~natflow_sum_fold((u16)~check + diff);
}

/* The L4 checksum field at @field; @partial: it holds an uncomplemented pseudo header sum. */
static __always_inline void
natflow_nat_l4_sum(u8 *field, struct natflow_sums sums, bool udp, bool partial)
{
	u16 check;

	memcpy(&check, field, 2);
	if (partial) {
		check = natflow_sum_fold((u32)check + sums.addr);
	} else {
		if (udp && !check)
			return;		/* RFC 768: the sender did not compute one */
		check = natflow_sum_apply(check, (u32)sums.addr + sums.ports);
		if (udp && !check)
			check = 0xffff;
	}
	memcpy(field, &check, 2);
}

/**
 * natflow_nat_rewrite() - rewrite a packet to what the stack would have sent
 * @data: the IP header, writable up to the end of the fixed L4 header
 * @rw: struct natflow_rewrite4 or natflow_rewrite6, by @family
 * @l4: offset of the L4 header
 * @udp: UDP, else TCP
 * @partial: the packet is CHECKSUM_PARTIAL
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6, a compile-time constant
 *
 * Context: any. DSCP, ECN and everything else stay as they are.
 */
static __always_inline void
natflow_nat_rewrite(u8 *data, const void *rw, u16 l4, bool udp, bool partial, const u8 family)
{
	u8 *field = data + l4 + (udp ? offsetof(struct udphdr, check) :
				       offsetof(struct tcphdr, check));

	if (family == NFPROTO_IPV4) {
		const struct natflow_rewrite4 *rw4 = rw;
		struct iphdr *iph = (struct iphdr *)data;

		/* TTL is the upper byte of its word: minus one adds ~0x0100. */
		iph->check = (__force __sum16)natflow_sum_apply((__force u16)iph->check,
								(u32)rw4->sums.addr +
								(__force u16)htons(0xfeff));
		iph->ttl--;
		memcpy(&iph->addrs, &rw4->addrs, sizeof(iph->addrs));
		memcpy(data + l4, &rw4->ports, sizeof(rw4->ports));
		natflow_nat_l4_sum(field, rw4->sums, udp, partial);
	} else {
		const struct natflow_rewrite6 *rw6 = rw;
		struct ipv6hdr *iph = (struct ipv6hdr *)data;

		iph->hop_limit--;
		memcpy(&iph->addrs, &rw6->addrs, sizeof(iph->addrs));
		memcpy(data + l4, &rw6->ports, sizeof(rw6->ports));
		natflow_nat_l4_sum(field, rw6->sums, udp, partial);
	}
}

#endif /* _NATFLOW_LIB_NAT_H */
