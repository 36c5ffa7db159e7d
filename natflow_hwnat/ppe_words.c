// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PPE's entry of one direction of a flow. The choices that foe.c leaves open are those
 * of the kernel's driver (mtk_ppe_offload.c:mtk_flow_set_output_device()): both may have
 * entries in one table.
 */
#include <linux/etherdevice.h>
#include <linux/netfilter.h>
#include "foe.h"
#include "ppe_abi.h"
#include "ppe_words.h"

/* As fields are in the words: host order. */
static void put_tuple(struct natflow_foe_tuple *to, const struct natflow_hw_tuple *from, bool ipv6)
{
	unsigned int i;

	for (i = 0; i < (ipv6 ? 4 : 1); i++) {
		to->src[i] = be32_to_cpu(from->src[i]);
		to->dst[i] = be32_to_cpu(from->dst[i]);
	}
	to->sport = be16_to_cpu(from->sport);
	to->dport = be16_to_cpu(from->dport);
}

/* Return: -ENOSPC for more headers than an entry has. */
static int put_side(struct natflow_foe *foe, const struct natflow_hwnat_side *out)
{
	unsigned int i;

	ether_addr_copy(foe->src, out->src);
	ether_addr_copy(foe->dst, out->dst);
	for (i = 0; i < out->encaps; i++) {
		if (out->encap[i].proto == htons(ETH_P_PPP_SES)) {
			foe->pppoe = true;
			foe->sid = out->encap[i].id;
			continue;
		}
		if (foe->vlans == NATFLOW_FOE_VLANS)
			return -ENOSPC;
		foe->vlan[foe->vlans++] = out->encap[i].id;
	}
	foe->dsa = out->dsa_proto;
	foe->dsa_port = out->dsa_port;
	return 0;
}

/**
 * natflow_hwnat_ppe_words() - the entry of one direction
 * @in: of the GMAC that packets arrive by
 * @out: of the GMAC that they leave by
 * @way: the direction; TCP or UDP
 * @words: result, @in->words of them; the time is left 0
 *
 * Context: any.
 *
 * Return: 0 or an errno of natflow_foe_encode().
 */
int natflow_hwnat_ppe_words(const struct natflow_ppe_info *in, const struct natflow_ppe_info *out,
			    const struct natflow_hwnat_way *way, u32 *words)
{
	const struct natflow_foe_soc soc = {
		.version = in->version, .words = in->words, .mg = in->port_mg,
		.group = in->version == 1 ? 0x1f : 0xf, .mib = in->counts,
	};
	const struct natflow_hw_flow *flow = way->flow;
	bool ipv6 = flow->family == NFPROTO_IPV6;
	struct natflow_foe foe;
	int err;

	natflow_foe_init(&soc, &foe);
	foe.type = ipv6 ? NATFLOW_FOE_IPV6_5T : NATFLOW_FOE_IPV4_5T;
	foe.udp = flow->proto == IPPROTO_UDP;
	put_tuple(&foe.orig, &flow->dir[way->dir].before, ipv6);
	put_tuple(&foe.new, &flow->dir[way->dir].after, ipv6);
	err = put_side(&foe, way->out);
	if (err)
		return err;
	foe.port = out->port;
	foe.queued = in->queues;
	/* The driver's: the first three are the GMACs', then the switch's ports have one each. */
	if (foe.queued)
		foe.queue = foe.dsa ? 3 + foe.dsa_port : out->port - 1;
	return natflow_foe_encode(&soc, &foe, words);
}
