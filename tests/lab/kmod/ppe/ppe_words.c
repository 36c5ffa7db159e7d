// SPDX-License-Identifier: GPL-2.0-only
/* What natflow's direct back end makes of a rule: natflow_hwnat.ko's code. */
#include "ppe_natflow.h"
#include "natflow_hwnat/ppe_words.c"
#include "ppe.h"

static void put_addresses(struct natflow_hw_tuple *t, const u8 *src, u16 sport,
			  const u8 *dst, u16 dport, bool v6)
{
	memcpy(t->src, src, v6 ? 16 : 4);
	memcpy(t->dst, dst, v6 ? 16 : 4);
	t->sport = htons(sport);
	t->dport = htons(dport);
}

static void put_leave(struct natflow_hwnat_side *out, const struct ppe_rule *r)
{
	unsigned int i;

	ether_addr_copy(out->src, r->smac);
	ether_addr_copy(out->dst, r->dmac);
	for (i = 0; i < r->encaps; i++)
		out->encap[i] = (struct natflow_hwnat_encap){
			.proto = htons(r->encap[i].proto), .id = r->encap[i].id,
		};
	out->encaps = r->encaps;
}

/* @dsa_port: behind a switch, or -1. */
int ppe_words(const struct ppe_rule *r, const struct natflow_ppe_info *in,
	      const struct natflow_ppe_info *out, int dsa_port, u32 *words)
{
	struct natflow_hw_flow flow = {
		.family = r->v6 ? NFPROTO_IPV6 : NFPROTO_IPV4, .proto = r->proto,
	};
	struct natflow_hwnat_side side = {
		.dsa_proto = dsa_port >= 0, .dsa_port = max(dsa_port, 0),
	};
	const struct natflow_hwnat_way way = { .flow = &flow, .dir = 1, .out = &side };
	bool source = r->mangle & 1, dest = r->mangle & 2;

	if (r->encaps > NATFLOW_HWNAT_ENCAPS)
		return -ENOSPC;
	put_addresses(&flow.dir[1].before, r->src, r->sport, r->dst, r->dport, r->v6);
	put_addresses(&flow.dir[1].after, source ? r->new_src : r->src,
		      source ? r->new_sport : r->sport, dest ? r->new_dst : r->dst,
		      dest ? r->new_dport : r->dport, r->v6);
	put_leave(&side, r);
	return natflow_hwnat_ppe_words(in, out, &way, words);
}
