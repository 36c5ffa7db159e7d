// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the rules of each driver may contain, from the drivers' sources, 6.1 to 7.3. The
 * driver's own answer is asked last; asking it first would cost a call for each flow that
 * it can never take, and some drivers take what their hardware then sends wrong.
 */
#include "limits.h"

#define MTK_TAG BIT(9)		/* DSA_TAG_PROTO_MTK_VALUE of net/dsa.h */

/*
 * mtk_ppe_offload.c. ICMP would be taken and stored as TCP; bridged packets would lose a
 * hop; tags and PPPoE together are two at most. mt7621 and mt7623 count nothing, nor does
 * any before 6.4.
 */
#define MTK(name, counting) { \
	.driver = name, .encaps = 2, .pppoe = true, .qinq = true, \
	.hairpin = true, .wed = true, .conduit_meta = true, .counts = counting, \
	.by_rate = true, .sticky = true, .dsa_protos = MTK_TAG }

static const struct natflow_hwnat_limits drivers[] = {
	MTK("mtk_soc_eth mt7621", false),
	MTK("mtk_soc_eth mt7623", false),
	MTK("mtk_soc_eth", NATFLOW_COMPAT_MTK_COUNTS),
	/* What ppe.c writes. A wlan's packets arrive by no GMAC: such flows stay in software. */
	{
		.driver = "mtk_ppe", .encaps = 2, .pppoe = true, .qinq = true,
		.hairpin = true, .counts = true, .dsa_protos = MTK_TAG,
	},
	/* A wlan of MediaTek's: its rules go to the same table. */
	MTK("mt79", NATFLOW_COMPAT_MTK_COUNTS),
	{	/* airoha_ppe.c: IPv6 entries have a port's number in place of its address. */
		.driver = "airoha_eth", .encaps = 2, .pppoe = true, .qinq = true,
		.hairpin = true, .wed = true, .conduit_meta = true, .own_smac6 = true,
		.by_rate = true, .dsa_protos = MTK_TAG,
	},
	{	/* en_tc.c, representors: all but PPPoE; not back to the port it came from. */
		.driver = "mlx5e_rep", .encaps = 2, .qinq = true, .stag = true,
		.ipv6_nat = true, .counts = true,
	},
	{	/* Any other driver: what nf_flow_table would ask of it. */
		.driver = "", .encaps = NATFLOW_HWNAT_ENCAPS, .pppoe = true, .qinq = true,
		.stag = true, .ipv6_nat = true, .hairpin = true, .counts = true,
	},
};

/**
 * natflow_hwnat_limits_find() - what a driver takes
 * @driver: its name as `ethtool -i` has it; for a SoC with several kinds of the hardware a
 *	space and the kind follow
 *
 * Return: its limits, or those of any other driver.
 */
const struct natflow_hwnat_limits *natflow_hwnat_limits_find(const char *driver)
{
	const struct natflow_hwnat_limits *limits = drivers;

	while (strncmp(driver, limits->driver, strlen(limits->driver)))
		limits++;
	return limits;
}

static enum natflow_hwnat_reason check_encaps(const struct natflow_hwnat_limits *limits,
					      const struct natflow_hwnat_side *side)
{
	unsigned int i, tags = 0;

	for (i = 0; i < side->encaps; i++) {
		__be16 proto = side->encap[i].proto;

		if (proto == htons(ETH_P_PPP_SES) ? !limits->pppoe : tags++ && !limits->qinq)
			return NATFLOW_HWNAT_ENCAP;
		if (proto == htons(ETH_P_8021AD) && !limits->stag)
			return NATFLOW_HWNAT_ENCAP;
	}
	return side->encaps > limits->encaps ? NATFLOW_HWNAT_ENCAP : NATFLOW_HWNAT_OK;
}

static enum natflow_hwnat_reason check_side(const struct natflow_hwnat_limits *limits,
					    const struct natflow_hwnat_side *side)
{
	if (side->dsa_proto > 31 ||
	    (side->dsa_proto && !(limits->dsa_protos & BIT(side->dsa_proto))))
		return NATFLOW_HWNAT_DSA_PROTOCOL;
	if (side->wed && !limits->wed)
		return NATFLOW_HWNAT_PATH;
	return check_encaps(limits, side);
}

static enum natflow_hwnat_reason check_ipv6(const struct natflow_hwnat_limits *limits,
					    const struct natflow_hwnat_way *way)
{
	if (!limits->ipv6_nat && natflow_hw_is_nated(&way->flow->dir[way->dir]))
		return NATFLOW_HWNAT_NAT66;
	if (limits->own_smac6 && memcmp(way->out->src, way->out->own, ETH_ALEN))
		return NATFLOW_HWNAT_SOURCE_MAC;
	return NATFLOW_HWNAT_OK;
}

/**
 * natflow_hwnat_limits_check() - would a driver take a direction of a flow, and do it right?
 * @limits: what the driver of the port that packets arrive at takes
 * @way: the direction
 *
 * Return: NATFLOW_HWNAT_OK, or why not.
 */
enum natflow_hwnat_reason natflow_hwnat_limits_check(const struct natflow_hwnat_limits *limits,
						     const struct natflow_hwnat_way *way)
{
	enum natflow_hwnat_reason reason;

	if (way->flow->proto != IPPROTO_TCP && way->flow->proto != IPPROTO_UDP)
		return NATFLOW_HWNAT_PROTOCOL;
	if (way->flow->zone)
		return NATFLOW_HWNAT_ZONE;
	reason = check_side(limits, way->in);
	if (!reason)
		reason = check_side(limits, way->out);
	if (!reason && way->in->port == way->out->port && !limits->hairpin)
		reason = NATFLOW_HWNAT_PATH;
	if (!reason && way->flow->family == NFPROTO_IPV6)
		reason = check_ipv6(limits, way);
	return reason;
}
