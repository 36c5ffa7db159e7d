// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz QUIC: any datagram, and any frames in a packet whose seal is right. Memory grows as it is asked for. */
#include <stdio.h>
#include "../../lib/names/tls.h"
#include "seal.h"

#define ROOM 16384

static struct natflow_quic_work work;
static u8 first[ROOM], last[ROOM], have[ROOM / 8];

static enum natflow_parsed receive(struct natflow_quic *quic, struct natflow_gather *g, const u8 *data, size_t len)
{
	enum natflow_parsed state;

	while ((state = natflow_quic_receive(quic, g, &work, data, len)) == NATFLOW_PARSE_ROOM) {
		if (g->want > g->size && g->want <= ROOM) {
			g->size = (g->want + 7) / 8 * 8;
		} else if (g->want == g->size && !g->last) {
			memcpy(last, first, ROOM);
			g->last = last;
		} else {
			break;
		}
	}
	if (g->prefix > g->size || g->size > ROOM)
		abort();
	return state;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 id[8] = "an ident";
	struct natflow_gather g = { .first = first, .have = have };
	struct natflow_quic quic = {};
	struct natflow_tls tls;
	u8 packet[3400];
	size_t at, n, len;

	natflow_quic_init();
	if (size > ROOM)
		return 0;
	memset(have, 0, sizeof(have));
	receive(&quic, &g, data, size);
	for (at = 0; at + 3 < size; at += n) {
		struct seal_packet p = {
			.version = &seal_versions[data[at] & 1], .id = id, .id_len = 8,
			.number_len = (data[at] >> 1 & 3) + 1, .number = data[at] >> 3,
		};

		n = data[at + 1] << 3 | data[at + 2] >> 5;
		at += 3;
		if (n > size - at)
			n = size - at;
		p.keys = seal_keys(p.version, id, 8);
		n += n < 4 ? 4 : 0;
		if (n > size - at)
			break;
		memset(packet, 0, sizeof(packet));
		len = seal(&p, data + at, n, packet);
		if (receive(&quic, &g, packet, len < 1200 ? 1200 : len) == NATFLOW_PARSE_UNTRUSTED &&
		    n <= NATFLOW_QUIC_PACKET_MAX - 64 && !quic.conn[0].next && (data[at] < 4 || data[at] == 6))
			abort();
	}
	natflow_tls_hello(first, g.prefix, false, &tls);
	return 0;
}
