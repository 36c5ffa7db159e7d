// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of MediaTek's PPE, as hardware has them.
 *
 * Sources: Linux 6.12, drivers/net/ethernet/mediatek/: mtk_ppe.h (fields, words of each type),
 * mtk_ppe.c (hash, what the driver sets), mtk_eth_soc.[ch] (SoCs, ports); for what those leave
 * open, dumps of tables of real boards. Words of IPv4 and of IPv6 entries:
 *
 *   0 ib1   1-3 orig: src, dst, ports   4 ib2   5-7 new: src, dst, ports   11-18 L2
 *   0 ib1   1-4 src   5-8 dst   9 ports   14 ib2   15-22 L2
 *
 *   L2: +0 etype, vlan1   +1 dst[0..3]   +2 dst[4..5], vlan2   +3 src[0..3]
 *       +4 src[4..5], pppoe   +5 winfo (v2, v3)   +6 w3info   +7 amsdu (v3)
 */
#include <linux/if_ether.h>
#include "foe.h"

#define STATE_AT 28			/* ib1 of each version: state, UDP, STATIC */
#define UDP_AT 30
#define PERMANENT_AT 31
#define PAD_3T 0xa5a5a500		/* beside the protocol, where 5T has ports */
#define DSA_TAG_FOLLOWS 0x100		/* in etype: the second half of the switch tag is a TCI */

/* @bits 0: this version does not have it. */
struct field {
	u8 at, bits;
};

struct layout {
	/* ib1 */
	struct field type, seen_time, packets, prebind;
	struct field time, keepalive, layer, pppoe, vlan_tag, cache, ttl;
	/* ib2 */
	struct field queue, queued, mg, port, multicast, mib, device, wed, ring, group, dscp;
};

/* The type of v2 and v3 takes the highest bit of v1's packets and its prebind. */
static const struct layout layout_v1 = {
	.type = { 25, 3 }, .seen_time = { 0, 8 }, .packets = { 8, 16 }, .prebind = { 24, 1 },
	.time = { 0, 15 }, .keepalive = { 15, 1 }, .layer = { 16, 3 }, .pppoe = { 19, 1 },
	.vlan_tag = { 20, 1 }, .cache = { 22, 1 }, .ttl = { 24, 1 },
	.queue = { 0, 4 }, .queued = { 4, 1 }, .port = { 5, 3 }, .multicast = { 8, 1 },
	.mib = { 10, 1 }, .mg = { 12, 6 }, .device = { 16, 1 }, .wed = { 17, 1 },
	.group = { 18, 6 }, .dscp = { 24, 8 },
};

static const struct layout layout_v2 = {
	.type = { 23, 5 }, .seen_time = { 0, 8 }, .packets = { 8, 15 },
	.time = { 0, 8 }, .keepalive = { 13, 1 }, .layer = { 14, 3 }, .pppoe = { 17, 1 },
	.vlan_tag = { 18, 1 }, .cache = { 20, 1 }, .ttl = { 22, 1 },
	.queue = { 0, 7 }, .mg = { 7, 1 }, .queued = { 8, 1 }, .port = { 9, 4 },
	.multicast = { 13, 1 }, .mib = { 15, 1 }, .ring = { 17, 2 }, .wed = { 19, 1 },
	.group = { 20, 4 }, .dscp = { 24, 8 },
};

/* Words of L2, and what of them is of the wlan; v1 has the ring there too. */
struct wlan_layout {
	u8 word, amsdu_word;
	struct field bss, wcid, ring, amsdu;
};

static const struct wlan_layout wlan_layouts[] = {
	[1] = { .word = 2, .bss = { 0, 6 }, .wcid = { 6, 8 }, .ring = { 14, 2 } },
	[2] = { .word = 5, .bss = { 16, 6 }, .wcid = { 22, 10 } },
	[3] = { .word = 6, .bss = { 16, 8 }, .wcid = { 0, 16 },
		.amsdu_word = 7, .amsdu = { 24, 1 } },
};

/* mtk_eth_soc.c: struct mtk_soc_data. Linux 6.1 sets PORT_MG of mt7622 as that of mt7621. */
static const struct natflow_foe_soc socs[] = {
	{ "mt7621", 1, 20, 2, 0x3f, 0x1f, 0, false, true },
	{ "mt7623", 1, 20, 2, 0x3f, 0x1f, 0, false, false },
	{ "mt7622", 1, 20, 2, 0, 0x1f, 2, true, false },
	{ "mt7981", 2, 24, 4, 0, 0xf, 2, true, false },
	{ "mt7986", 2, 24, 4, 0, 0xf, 2, true, false },
	{ "mt7988", 3, 32, 4, 0, 0xf, 3, true, false },
};

/**
 * natflow_foe_soc() - a SoC by its name
 * @name: "mt7621", ...
 *
 * Return: NULL if there is none. Context: any.
 */
const struct natflow_foe_soc *natflow_foe_soc(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(socs); i++)
		if (!strcmp(socs[i].name, name))
			return &socs[i];
	return NULL;
}

static const struct layout *layout_of(const struct natflow_foe_soc *soc)
{
	return soc->version == 1 ? &layout_v1 : &layout_v2;
}

static u32 get(u32 word, struct field f)
{
	return word >> f.at & ((1U << f.bits) - 1);
}

/* Return: true if the field has no room for the value. */
static bool put(u32 *word, struct field f, u32 value)
{
	if (value >> f.bits)
		return true;
	*word |= value << f.at;
	return false;
}

static bool is_ipv6(u8 type)
{
	return type == NATFLOW_FOE_IPV6_3T || type == NATFLOW_FOE_IPV6_5T;
}

static bool is_3t(u8 type)
{
	return type == NATFLOW_FOE_IPV4_3T || type == NATFLOW_FOE_IPV6_3T;
}

static bool is_known(u8 type)
{
	return type == NATFLOW_FOE_IPV4_5T || type == NATFLOW_FOE_IPV4_3T || is_ipv6(type);
}

static u32 ports_word(const struct natflow_foe *foe, const struct natflow_foe_tuple *t)
{
	return is_3t(foe->type) ? PAD_3T | foe->proto : (u32)t->sport << 16 | t->dport;
}

/**
 * natflow_foe_time() - a reading of the clock, as bound entries have it
 * @soc: whose layout
 * @clock: register 0x10 of the frame engine: seconds
 *
 * Context: any.
 */
u32 natflow_foe_time(const struct natflow_foe_soc *soc, u32 clock)
{
	return get(clock, layout_of(soc)->time);
}

/**
 * natflow_foe_wdma_port() - where packets to a wlan leave
 * @soc: which SoC
 * @wdma: index of the WED engine
 *
 * Return: the port of an entry, -EOPNOTSUPP if there is no such engine. Context: any.
 */
int natflow_foe_wdma_port(const struct natflow_foe_soc *soc, unsigned int wdma)
{
	static const u8 ports[] = { NATFLOW_FOE_WDMA0, NATFLOW_FOE_WDMA1, NATFLOW_FOE_WDMA2 };

	if (wdma >= soc->wdmas)
		return -EOPNOTSUPP;
	return soc->version == 1 ? NATFLOW_FOE_V1_WDMA : ports[wdma];
}

/**
 * natflow_foe_init() - a bound TCP/IPv4 flow without headers, as the kernel's driver prepares it
 * @soc: which SoC
 * @foe: result
 *
 * Context: any.
 */
void natflow_foe_init(const struct natflow_foe_soc *soc, struct natflow_foe *foe)
{
	*foe = (struct natflow_foe){
		.state = NATFLOW_FOE_BIND, .type = NATFLOW_FOE_IPV4_5T,
		.ttl = true, .cache = true, .mg = soc->mg, .group = soc->group, .mib = soc->mib,
	};
}

/**
 * natflow_foe_bucket() - where hardware searches for a flow
 * @soc: which SoC
 * @entries: slots of the table
 * @foe: its type, protocol and original tuple count
 *
 * Return: the first slot of the bucket; -EOPNOTSUPP for a type that has no known hash,
 * -EINVAL for a table that cannot be. Context: any.
 */
int natflow_foe_bucket(const struct natflow_foe_soc *soc, u32 entries,
		       const struct natflow_foe *foe)
{
	const u32 *s = foe->orig.src, *d = foe->orig.dst;
	u32 a = ports_word(foe, &foe->orig), b = d[0], c = s[0], hash;

	if (!is_known(foe->type))
		return -EOPNOTSUPP;
	if (entries < 1024 || entries > 32768 || (entries & (entries - 1)))
		return -EINVAL;
	if (is_ipv6(foe->type)) {
		a ^= s[3] ^ d[3];
		b = s[2] ^ d[2] ^ d[0];
		c = s[1] ^ d[1] ^ s[0];
	}
	hash = (a & b) | (~a & c);
	hash = hash << 8 | hash >> 24;
	hash ^= a ^ b ^ c;
	hash ^= hash >> 16;
	return hash * soc->ways & (entries - 1);
}

/**
 * natflow_foe_usable() - may a slot be bound?
 * @soc: which SoC
 * @slot: number of the slot
 *
 * Hardware of mt7621 fails on an entry that crosses a boundary of 1024 bytes: eight of each
 * 128. mtk_ppe_init_foe_table() marks seven of them permanent and forgets 115.
 *
 * Context: any.
 */
bool natflow_foe_usable(const struct natflow_foe_soc *soc, u32 slot)
{
	u32 bytes = 4 * soc->words, start = slot * bytes;

	return !soc->straddles || start / 1024 == (start + bytes - 1) / 1024;
}

static bool is_host_mac(const u8 *mac)
{
	static const u8 zero[6];

	return !(mac[0] & 1) && memcmp(mac, zero, sizeof(zero));
}

static int check_headers(const struct natflow_foe_soc *soc, const struct natflow_foe *foe)
{
	if (!is_host_mac(foe->src) || !is_host_mac(foe->dst) || foe->multicast)
		return -EINVAL;
	/* No board has shown what leaves with three headers, or two tags behind a switch's. */
	if (foe->vlans + foe->pppoe > 2 || (foe->dsa && foe->vlans > 1))
		return -ENOSPC;
	if (foe->dsa && foe->dsa_port >= NATFLOW_FOE_DSA_PORTS)
		return -ERANGE;
	if (!foe->wed)
		return 0;
	if (foe->dsa || natflow_foe_wdma_port(soc, foe->wdma) != foe->port)
		return -EINVAL;
	/* They share bits: PORT_MG with WED's, in v1 also the second tag. */
	return foe->mg || (soc->version == 1 && foe->vlans > 1) ? -EINVAL : 0;
}

static int check(const struct natflow_foe_soc *soc, const struct natflow_foe *foe)
{
	if (!is_known(foe->type))
		return -EOPNOTSUPP;
	if (foe->state == NATFLOW_FOE_INVALID || foe->state > NATFLOW_FOE_FIN)
		return -EINVAL;
	if (is_3t(foe->type) && (foe->orig.sport || foe->orig.dport))
		return -EINVAL;
	if (foe->state == NATFLOW_FOE_UNBIND)
		return 0;
	/* IPv6 entries have no second tuple; mtk_ppe.c writes none to IPv4 ones without ports. */
	if (foe->type != NATFLOW_FOE_IPV4_5T && memcmp(&foe->orig, &foe->new, sizeof(foe->new)))
		return -EOPNOTSUPP;
	return check_headers(soc, foe);
}

static void put_tuples(const struct natflow_foe *foe, u32 *words)
{
	if (is_ipv6(foe->type)) {
		memcpy(words + 1, foe->orig.src, sizeof(foe->orig.src));
		memcpy(words + 5, foe->orig.dst, sizeof(foe->orig.dst));
		words[9] = ports_word(foe, &foe->orig);
		return;
	}
	words[1] = foe->orig.src[0];
	words[2] = foe->orig.dst[0];
	words[3] = ports_word(foe, &foe->orig);
	if (foe->type != NATFLOW_FOE_IPV4_5T || foe->state == NATFLOW_FOE_UNBIND)
		return;
	words[5] = foe->new.src[0];
	words[6] = foe->new.dst[0];
	words[7] = ports_word(foe, &foe->new);
}

static bool put_ib1(const struct layout *l, const struct natflow_foe *foe, u32 *ib1)
{
	u8 layer = foe->vlans ?: foe->dsa;

	*ib1 = (u32)foe->state << STATE_AT | (u32)foe->udp << UDP_AT |
	       (u32)foe->permanent << PERMANENT_AT;
	if (foe->state == NATFLOW_FOE_UNBIND)
		return put(ib1, l->type, foe->type) | put(ib1, l->seen_time, foe->time) |
		       put(ib1, l->packets, foe->packets) | put(ib1, l->prebind, foe->prebind);
	return put(ib1, l->type, foe->type) | put(ib1, l->time, foe->time) |
	       put(ib1, l->keepalive, foe->keepalive) | put(ib1, l->layer, layer) |
	       put(ib1, l->pppoe, foe->pppoe) | put(ib1, l->cache, foe->cache) |
	       put(ib1, l->vlan_tag, foe->vlans && !foe->dsa) | put(ib1, l->ttl, foe->ttl);
}

static bool put_ib2(const struct layout *l, const struct natflow_foe *foe, u32 *ib2)
{
	return put(ib2, l->queue, foe->queue) | put(ib2, l->queued, foe->queued) |
	       put(ib2, l->port, foe->port) | put(ib2, l->mib, foe->mib) |
	       put(ib2, l->mg, foe->mg) | put(ib2, l->group, foe->group) |
	       put(ib2, l->dscp, foe->dscp);
}

static u16 etype_of(const struct natflow_foe *foe)
{
	if (foe->dsa)
		return 1 << foe->dsa_port | (foe->vlans ? DSA_TAG_FOLLOWS : 0);
	if (foe->pppoe)
		return ETH_P_PPP_SES;
	return is_ipv6(foe->type) ? ETH_P_IPV6 : ETH_P_IP;
}

static u32 mac_high(const u8 *mac)
{
	return (u32)mac[0] << 24 | (u32)mac[1] << 16 | (u32)mac[2] << 8 | mac[3];
}

static u32 mac_low(const u8 *mac)
{
	return (u32)mac[4] << 24 | (u32)mac[5] << 16;
}

static void put_l2(const struct natflow_foe *foe, u32 *l2)
{
	l2[0] = (u32)etype_of(foe) << 16 | (foe->vlans ? foe->vlan[0] : 0);
	l2[1] = mac_high(foe->dst);
	l2[2] = mac_low(foe->dst) | (foe->vlans > 1 ? foe->vlan[1] : 0);
	l2[3] = mac_high(foe->src);
	l2[4] = mac_low(foe->src) | (foe->pppoe ? foe->sid : 0);
}

static bool put_wed(const struct natflow_foe_soc *soc, const struct natflow_foe *foe, u32 *ib2,
		    u32 *l2)
{
	const struct wlan_layout *w = &wlan_layouts[soc->version];
	const struct layout *l = layout_of(soc);
	bool v1 = soc->version == 1;

	return put(ib2, l->wed, 1) | put(ib2, l->device, v1 && foe->wdma) |
	       put(ib2, l->ring, v1 ? 0 : foe->ring) |
	       put(l2 + w->word, w->ring, v1 ? foe->ring : 0) |
	       put(l2 + w->word, w->bss, foe->bss) | put(l2 + w->word, w->wcid, foe->wcid) |
	       put(l2 + w->amsdu_word, w->amsdu, foe->amsdu);
}

/**
 * natflow_foe_encode() - the words of an entry
 * @soc: which SoC
 * @foe: UNBIND, BIND or FIN, of a type with IPv4 or IPv6 and nothing around
 * @words: result, @soc->words of them; an invalid entry if it fails
 *
 * Return: -ERANGE if a value has more bits than its field; -ENOSPC for more headers than an
 * entry has; -EOPNOTSUPP for another type or NAT of IPv6; -EINVAL for what contradicts itself.
 * Context: any.
 */
int natflow_foe_encode(const struct natflow_foe_soc *soc, const struct natflow_foe *foe,
		       u32 *words)
{
	const struct layout *l = layout_of(soc);
	u32 *ib2 = words + (is_ipv6(foe->type) ? 14 : 4);
	u32 *l2 = words + (is_ipv6(foe->type) ? 15 : 11);
	int err = check(soc, foe);
	bool bad;

	memset(words, 0, soc->words * sizeof(*words));
	if (err)
		return err;
	put_tuples(foe, words);
	bad = put_ib1(l, foe, words);
	if (foe->state != NATFLOW_FOE_UNBIND) {
		bad |= put_ib2(l, foe, ib2);
		put_l2(foe, l2);
		if (foe->wed)
			bad |= put_wed(soc, foe, ib2, l2);
	}
	if (!bad)
		return 0;
	memset(words, 0, soc->words * sizeof(*words));
	return -ERANGE;
}

static void get_tuple(const u32 *words, bool is_3t, struct natflow_foe_tuple *t)
{
	t->src[0] = words[0];
	t->dst[0] = words[1];
	t->sport = is_3t ? 0 : words[2] >> 16;
	t->dport = is_3t ? 0 : words[2];
}

static void get_tuples(const u32 *words, struct natflow_foe *foe)
{
	bool without_ports = is_3t(foe->type);

	if (is_ipv6(foe->type)) {
		memcpy(foe->orig.src, words + 1, sizeof(foe->orig.src));
		memcpy(foe->orig.dst, words + 5, sizeof(foe->orig.dst));
		foe->orig.sport = without_ports ? 0 : words[9] >> 16;
		foe->orig.dport = without_ports ? 0 : words[9];
	} else {
		get_tuple(words + 1, without_ports, &foe->orig);
	}
	if (without_ports)
		foe->proto = words[is_ipv6(foe->type) ? 9 : 3];
	if (foe->state == NATFLOW_FOE_UNBIND)
		return;
	foe->new = foe->orig;
	if (foe->type == NATFLOW_FOE_IPV4_5T)
		get_tuple(words + 5, false, &foe->new);
}

static void get_mac(u8 *mac, u32 high, u32 low)
{
	mac[0] = high >> 24;
	mac[1] = high >> 16;
	mac[2] = high >> 8;
	mac[3] = high;
	mac[4] = low >> 24;
	mac[5] = low >> 16;
}

/* Return: -EINVAL for tags that the encoder does not write. */
static int get_tags(const struct layout *l, u32 ib1, const u32 *l2, struct natflow_foe *foe)
{
	u16 etype = l2[0] >> 16, ports = etype & 0xff;
	u32 layer = get(ib1, l->layer);

	foe->dsa = layer && !get(ib1, l->vlan_tag);
	foe->vlans = layer && (!foe->dsa || etype & DSA_TAG_FOLLOWS) ? layer : 0;
	if (foe->vlans > NATFLOW_FOE_VLANS)
		foe->vlans = NATFLOW_FOE_VLANS;
	if (foe->vlans)
		foe->vlan[0] = l2[0];
	if (foe->vlans > 1)
		foe->vlan[1] = l2[2];
	while (foe->dsa && foe->dsa_port < 8 && !(ports >> foe->dsa_port & 1))
		foe->dsa_port++;
	if (foe->dsa && (ports != 1 << foe->dsa_port || etype >> 9 || layer > 1))
		return -EINVAL;
	return layer > NATFLOW_FOE_VLANS ? -EINVAL : 0;
}

static void get_wed(const struct natflow_foe_soc *soc, u32 ib2, const u32 *l2,
		    struct natflow_foe *foe)
{
	const struct wlan_layout *w = &wlan_layouts[soc->version];
	const struct layout *l = layout_of(soc);

	foe->bss = get(l2[w->word], w->bss);
	foe->wcid = get(l2[w->word], w->wcid);
	foe->amsdu = get(l2[w->amsdu_word], w->amsdu);
	foe->mg = 0;
	if (soc->version == 1) {
		foe->wdma = get(ib2, l->device);
		foe->ring = get(l2[w->word], w->ring);
		return;
	}
	foe->ring = get(ib2, l->ring);
	while (foe->wdma < soc->wdmas && natflow_foe_wdma_port(soc, foe->wdma) != foe->port)
		foe->wdma++;
}

/* v1 has PORT_MG in the bits of WED: there the port says which it is. */
static bool is_wed(const struct natflow_foe_soc *soc, u32 ib2, u8 port)
{
	return soc->wdmas && get(ib2, layout_of(soc)->wed) &&
	       (soc->version > 1 || port == NATFLOW_FOE_V1_WDMA);
}

static int get_bound(const struct natflow_foe_soc *soc, const u32 *words, struct natflow_foe *foe)
{
	const u32 *l2 = words + (is_ipv6(foe->type) ? 15 : 11);
	const struct layout *l = layout_of(soc);
	u32 ib1 = words[0], ib2 = words[is_ipv6(foe->type) ? 14 : 4];
	int err = get_tags(l, ib1, l2, foe);

	foe->pppoe = get(ib1, l->pppoe);
	foe->sid = foe->pppoe ? l2[4] : 0;
	get_mac(foe->dst, l2[1], l2[2]);
	get_mac(foe->src, l2[3], l2[4]);
	foe->port = get(ib2, l->port);
	foe->multicast = get(ib2, l->multicast);
	foe->mib = get(ib2, l->mib);
	foe->queued = get(ib2, l->queued);
	foe->queue = get(ib2, l->queue);
	foe->mg = get(ib2, l->mg);
	foe->group = get(ib2, l->group);
	foe->dscp = get(ib2, l->dscp);
	foe->wed = is_wed(soc, ib2, foe->port);
	if (foe->wed)
		get_wed(soc, ib2, l2, foe);
	if (foe->wed && soc->version == 1 && foe->vlans > 1)
		err = -EINVAL;
	return foe->wdma && foe->wdma == soc->wdmas ? -EINVAL : err;
}

/**
 * natflow_foe_decode() - what the words of an entry mean
 * @soc: which SoC
 * @words: @soc->words of them
 * @foe: result, as far as the words are understood
 *
 * Return: -EOPNOTSUPP for a type of which only the first word is understood, -EINVAL for
 * headers that natflow_foe_encode() does not write. Context: any.
 */
int natflow_foe_decode(const struct natflow_foe_soc *soc, const u32 *words,
		       struct natflow_foe *foe)
{
	const struct layout *l = layout_of(soc);
	u32 ib1 = words[0];

	*foe = (struct natflow_foe){
		.state = ib1 >> STATE_AT & 3, .type = get(ib1, l->type),
		.udp = ib1 >> UDP_AT & 1, .permanent = ib1 >> PERMANENT_AT,
	};
	if (foe->state == NATFLOW_FOE_INVALID)
		return 0;
	if (foe->state == NATFLOW_FOE_UNBIND) {
		foe->time = get(ib1, l->seen_time);
		foe->packets = get(ib1, l->packets);
		foe->prebind = get(ib1, l->prebind);
	} else {
		foe->time = get(ib1, l->time);
		foe->keepalive = get(ib1, l->keepalive);
		foe->cache = get(ib1, l->cache);
		foe->ttl = get(ib1, l->ttl);
	}
	if (!is_known(foe->type))
		return -EOPNOTSUPP;
	get_tuples(words, foe);
	return foe->state == NATFLOW_FOE_UNBIND ? 0 : get_bound(soc, words, foe);
}
