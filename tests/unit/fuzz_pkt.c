// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz the packet parser and, on what it accepts, the rewrite and its inverse. */
#include <stdio.h>
#include "../../lib/nat.h"
#include "../../lib/pkt.h"

static void try4(const u8 *data, size_t linear, size_t len)
{
	struct natflow_rewrite4 there = { { htonl(0xc0a80101), htonl(0x08080808) }, { 1, 2 } }, back;
	struct natflow_pkt pkt;
	u8 *p = malloc(linear);

	memcpy(p, data, linear);
	if (!natflow_pkt_parse(p, linear, len, 2, &pkt, NFPROTO_IPV4)) {
		bool udp = pkt.proto == IPPROTO_UDP;
		u8 *field = p + pkt.l4 + (udp ? 6 : 16);

		if (pkt.len > len || pkt.payload > pkt.len || natflow_look_ttl(pkt.look) < 2)
			abort();
		if (linear < (size_t)pkt.l4 + (udp ? 8 : 20))
			abort();
		there.sums.addr = natflow_sum_diff(&pkt.key.v4.addrs, &there.addrs, 8);
		there.sums.ports = natflow_sum_diff(&pkt.key.v4.tail.ports, &there.ports, 4);
		back.addrs = pkt.key.v4.addrs;
		back.ports = pkt.key.v4.tail.ports;
		back.sums.addr = natflow_sum_diff(&there.addrs, &back.addrs, 8);
		back.sums.ports = natflow_sum_diff(&there.ports, &back.ports, 4);
		natflow_nat_rewrite(p, &there, pkt.l4, udp, false, NFPROTO_IPV4);
		if (ip_fast_csum(p, 5))
			abort();
		natflow_nat_rewrite(p, &back, pkt.l4, udp, false, NFPROTO_IPV4);
		p[8] += 2;
		memcpy(p + 10, data + 10, 2);	/* two TTL steps away from the original */
		/* Zero has two faces: 0 and 0xffff are the same sum. */
		if (!memcmp(field, "\xff\xff", 2) || !memcmp(field, "\0", 2))
			memcpy(field, data + (field - p), 2);
		if (memcmp(p, data, linear))
			abort();
	}
	free(p);
}

static void try6(const u8 *data, size_t linear, size_t len)
{
	struct natflow_pkt pkt;
	u8 *p = malloc(linear);

	memcpy(p, data, linear);
	if (!natflow_pkt_parse(p, linear, len, 2, &pkt, NFPROTO_IPV6) &&
	    (pkt.len > len || pkt.payload > pkt.len || natflow_look_ttl(pkt.look) < 2))
		abort();
	free(p);
}

/* The first two bytes choose how much of the rest is linear; a valid checksum is supplied half the time. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t len, linear;
	u8 *p;

	if (size < 3)
		return 0;
	len = size - 2;
	linear = data[0] < len ? data[0] : len;
	if (data[1] & 2)
		linear = len;
	if (!linear)
		return 0;
	p = malloc(len);
	memcpy(p, data + 2, len);
	if (data[1] & 1 && linear >= 20) {
		u16 sum;

		p[10] = p[11] = 0;
		sum = ip_fast_csum(p, 5);
		memcpy(p + 10, &sum, 2);
	}
	try4(p, linear, len);
	try6(p, linear, len);
	free(p);
	return 0;
}
