// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PPE, emulated: see ppe_emulate.h. What no document tells was chosen: a SYN of a
 * bound flow goes to the CPU, as does all of a flow whose FIN was seen; a bucket whose
 * ways are all bound takes no new flow; ageing clears the state and nothing else.
 */
#include <linux/bitfield.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/ppp_defs.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include "ppe_emulate.h"

#define STATE		GENMASK(29, 28)
#define UDP		BIT(30)
#define STATIC		BIT(31)
#define UNB_TIME	GENMASK(7, 0)
#define UNB_PACKETS	GENMASK(23, 8)
#define HNAPT		0
#define V6_5T		5

/* A frame's headers: where they are, and the flow's words 1.. of an entry. */
struct parsed {
	unsigned int l3, l4, l3_len, words;
	u32 key[9];
	bool v6, udp;
};

/* Where ib2 and the Ethernet addresses of an entry are, and what its ib1 says. */
struct rewrite {
	unsigned int ib2, l2, layers;
	bool pppoe, tag, ttl;
};

static u32 reg(const struct ppe_emulate *e, u32 offset)
{
	return READ_ONCE(e->regs[offset / 4]);
}

static u32 *entry_of(const struct ppe_emulate *e, u32 index)
{
	return e->table + index * e->entry_size;
}

static u32 type_of(const struct ppe_emulate *e, u32 ib1)
{
	return e->version == 1 ? FIELD_GET(GENMASK(27, 25), ib1) : FIELD_GET(GENMASK(27, 23), ib1);
}

static u32 bound_time_mask(const struct ppe_emulate *e)
{
	return e->version == 1 ? GENMASK(14, 0) : GENMASK(7, 0);
}

/* An entry as the hardware sees it: through its cache, if there is one. */
static u32 *look(struct ppe_emulate *e, u32 index)
{
	u32 *shadow;

	if (!e->cached)
		return entry_of(e, index);
	shadow = (u32 *)(e->shadow + index * e->entry_size);
	if (!e->valid[index]) {
		memcpy(shadow, entry_of(e, index), e->entry_size);
		e->valid[index] = true;
	}
	return shadow;
}

/* The driver's write wins if it wrote since @old was read; the cache has ours. */
static void set_ib1(struct ppe_emulate *e, u32 index, u32 old, u32 ib1)
{
	cmpxchg(entry_of(e, index), old, ib1);
	if (e->cached)
		*look(e, index) = ib1;
}

static u32 hash(const struct ppe_emulate *e, const struct parsed *p)
{
	const u32 *s = p->key, *d = p->key + 4;
	u32 a = p->key[2], b = p->key[1], c = p->key[0], m;

	if (p->v6) {
		a = s[3] ^ d[3] ^ p->key[8];
		b = s[2] ^ d[2] ^ d[0];
		c = s[1] ^ d[1] ^ s[0];
	}
	m = (a & b) | (~a & c);
	m = rol32(m, 8) ^ a ^ b ^ c;
	m ^= m >> 16;
	return (m << ilog2(e->ways)) & (e->entries - 1);
}

static enum ppe_reason parse_v4(const u8 *frame, unsigned int len, struct parsed *p)
{
	const struct iphdr *ip = (const void *)(frame + p->l3);

	if (len < p->l3 + sizeof(*ip) + sizeof(struct udphdr) || ip->version != 4)
		return PPE_BYPASS;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return PPE_BYPASS;
	if (ip->ihl != 5)
		return PPE_OPTION_HEADER;
	if (ip->frag_off & htons(IP_MF | IP_OFFSET))
		return PPE_FRAGMENT;
	p->udp = ip->protocol == IPPROTO_UDP;
	p->l4 = p->l3 + sizeof(*ip);
	p->l3_len = ntohs(ip->tot_len);
	p->key[0] = ntohl(ip->saddr);
	p->key[1] = ntohl(ip->daddr);
	p->key[2] = get_unaligned_be32(frame + p->l4);
	p->words = 3;
	return 0;
}

static enum ppe_reason parse_v6(const u8 *frame, unsigned int len, struct parsed *p)
{
	const struct ipv6hdr *ip = (const void *)(frame + p->l3);
	unsigned int i;

	if (len < p->l3 + sizeof(*ip) + sizeof(struct udphdr) || ip->version != 6)
		return PPE_BYPASS;
	if (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP)
		return PPE_BYPASS;
	p->v6 = true;
	p->udp = ip->nexthdr == IPPROTO_UDP;
	p->l4 = p->l3 + sizeof(*ip);
	p->l3_len = sizeof(*ip) + ntohs(ip->payload_len);
	for (i = 0; i < 8; i++)
		p->key[i] = get_unaligned_be32((const u8 *)&ip->saddr + 4 * i);
	p->key[8] = get_unaligned_be32(frame + p->l4);
	p->words = 9;
	return 0;
}

/* [special tag] [up to two VLAN tags] [PPPoE] IP: none of them is part of the key. */
static enum ppe_reason parse(const u8 *frame, unsigned int len, bool dsa, struct parsed *p)
{
	unsigned int at = 2 * ETH_ALEN + (dsa ? 4 : 0), tags;
	enum ppe_reason why;
	u16 proto;

	memset(p, 0, sizeof(*p));
	/* The least that can be forwarded has room for all that is read of headers below. */
	if (len < at + 2 + sizeof(struct iphdr) + sizeof(struct udphdr))
		return PPE_BYPASS;
	proto = get_unaligned_be16(frame + at);
	for (tags = 0; tags < 2 && proto == ETH_P_8021Q; tags++) {
		at += VLAN_HLEN;
		proto = get_unaligned_be16(frame + at);
	}
	at += 2;
	if (proto == ETH_P_PPP_SES) {
		proto = get_unaligned_be16(frame + at + 6);
		proto = proto == PPP_IP ? ETH_P_IP : proto == PPP_IPV6 ? ETH_P_IPV6 : 0;
		at += 8;
	}
	p->l3 = at;
	if (proto != ETH_P_IP && proto != ETH_P_IPV6)
		return PPE_BYPASS;
	why = proto == ETH_P_IP ? parse_v4(frame, len, p) : parse_v6(frame, len, p);
	if (!why && (p->l3 + p->l3_len > len || p->l4 + (p->udp ? 8 : 20) > p->l3 + p->l3_len))
		return PPE_BYPASS;
	return why;
}

static bool same(const struct ppe_emulate *e, const u32 *word, const struct parsed *p)
{
	return type_of(e, word[0]) == (p->v6 ? V6_5T : HNAPT) && !!(word[0] & UDP) == p->udp &&
	       !memcmp(word + 1, p->key, p->words * 4);
}

/* The entry of a flow; else PPE_NO_INDEX, and in @room the way that a new one gets. */
static u16 search(struct ppe_emulate *e, const struct parsed *p, u16 *room)
{
	u32 base = hash(e, p), i, oldest = 0;

	*room = PPE_NO_INDEX;
	for (i = base; i < base + e->ways; i++) {
		u32 ib1 = READ_ONCE(*look(e, i)), state = FIELD_GET(STATE, ib1);

		if (state != PPE_INVALID && same(e, look(e, i), p))
			return i;
	}
	for (i = base; i < base + e->ways; i++) {
		u32 ib1 = READ_ONCE(*look(e, i)), state = FIELD_GET(STATE, ib1), age;

		if (ib1 & STATIC)
			continue;
		if (state == PPE_INVALID) {
			*room = i;
			break;
		}
		age = 1 + ((*e->clock - ib1) & UNB_TIME);
		if (state == PPE_UNBOUND && age > oldest) {
			oldest = age;
			*room = i;
		}
	}
	return PPE_NO_INDEX;
}

static void build(struct ppe_emulate *e, const struct parsed *p, u16 index)
{
	u32 *word = entry_of(e, index), ib1, type = p->v6 ? V6_5T : HNAPT;

	ib1 = FIELD_PREP(STATE, PPE_UNBOUND) | (p->udp ? UDP : 0) | FIELD_PREP(UNB_PACKETS, 1) |
	      (*e->clock & UNB_TIME);
	ib1 |= e->version == 1 ? FIELD_PREP(GENMASK(27, 25), type) :
				 FIELD_PREP(GENMASK(27, 23), type);
	memcpy(word + 1, p->key, p->words * 4);
	smp_wmb();		/* who sees the state sees the tuple */
	WRITE_ONCE(*word, ib1);
	if (e->cached)
		memcpy(e->shadow + index * e->entry_size, word, e->entry_size);
	e->rate[index] = (struct ppe_rate){ .tick = *e->clock, .packets = 1 };
}

static enum ppe_reason hit_unbound(struct ppe_emulate *e, u16 index)
{
	struct ppe_rate *rate = &e->rate[index];
	u32 ib1 = READ_ONCE(*look(e, index)), new = ib1 & ~(UNB_TIME | UNB_PACKETS);
	u32 packets = min_t(u32, FIELD_GET(UNB_PACKETS, ib1) + 1, 0xffff);

	if (rate->tick != *e->clock)
		*rate = (struct ppe_rate){ .tick = *e->clock };
	rate->packets++;
	new |= FIELD_PREP(UNB_PACKETS, packets) | (*e->clock & UNB_TIME);
	set_ib1(e, index, ib1, new);
	return rate->packets >= (reg(e, PPE_BIND_RATE) & 0xffff) ? PPE_HIT_RATE : PPE_HIT_UNBOUND;
}

static void read_rewrite(const struct ppe_emulate *e, const u32 *word, struct rewrite *r)
{
	bool v6 = type_of(e, word[0]) == V6_5T;

	r->ib2 = v6 ? 14 : 4;
	r->l2 = v6 ? 15 : 11;
	if (e->version == 1) {
		r->layers = FIELD_GET(GENMASK(18, 16), word[0]);
		r->pppoe = word[0] & BIT(19);
		r->tag = word[0] & BIT(20);
		r->ttl = word[0] & BIT(24);
	} else {
		r->layers = FIELD_GET(GENMASK(16, 14), word[0]);
		r->pppoe = word[0] & BIT(17);
		r->tag = word[0] & BIT(18);
		r->ttl = word[0] & BIT(22);
	}
}

/* Whether a frame may be forwarded: 0, or why the CPU gets it. */
static enum ppe_reason check(struct ppe_emulate *e, const u8 *frame, const struct parsed *p,
			     const struct rewrite *r, u16 index)
{
	unsigned int tags = r->layers + r->pppoe, size, limit;
	u8 flags = p->udp ? 0 : frame[p->l4 + 13];
	u32 ib1 = READ_ONCE(*look(e, index)), mtu;

	if (flags & 0x05) {		/* FIN, RST */
		set_ib1(e, index, ib1, (ib1 & ~STATE) | FIELD_PREP(STATE, PPE_FIN));
		return PPE_HIT_FIN;
	}
	if (FIELD_GET(STATE, ib1) == PPE_FIN)
		return PPE_HIT_FIN;
	if (flags & 0x02)
		return PPE_SYN;
	if (r->ttl && frame[p->l3 + (p->v6 ? 7 : 8)] <= 1)
		return PPE_HIT_TTL;
	mtu = reg(e, tags > 1 ? PPE_VLAN_MTU1 : PPE_VLAN_MTU0);
	limit = (tags & 1 ? mtu >> 16 : mtu) & 0x3fff;
	size = ETH_HLEN + 4 * r->layers + (r->pppoe ? 8 : 0) + p->l3_len;
	return limit && size > limit ? PPE_EXCEED_MTU : 0;
}

/* The new Ethernet header and what follows it before IP; its length. */
static unsigned int write_l2(const u32 *l2, const struct rewrite *r, const struct parsed *p,
			     u8 *out)
{
	u16 proto = p->v6 ? ETH_P_IPV6 : ETH_P_IP, etype = l2[0] >> 16;
	u8 *at = out;

	put_unaligned_be32(l2[1], at);
	put_unaligned_be16(l2[2] >> 16, at + 4);
	put_unaligned_be32(l2[3], at + 6);
	put_unaligned_be16(l2[4] >> 16, at + 10);
	at += 2 * ETH_ALEN;
	if (r->layers) {
		put_unaligned_be16(r->tag ? ETH_P_8021Q : etype, at);
		put_unaligned_be16(l2[0] & 0xffff, at + 2);
		at += VLAN_HLEN;
	}
	if (r->layers > 1) {
		put_unaligned_be16(ETH_P_8021Q, at);
		put_unaligned_be16(l2[2] & 0xffff, at + 2);
		at += VLAN_HLEN;
	}
	/* A special tag takes the field of the type: then the hardware knows the type itself. */
	if (r->layers && !r->tag)
		etype = r->pppoe ? ETH_P_PPP_SES : proto;
	put_unaligned_be16(etype, at);
	at += 2;
	if (r->pppoe) {
		put_unaligned_be16(0x1100, at);
		put_unaligned_be16(l2[4] & 0xffff, at + 2);
		put_unaligned_be16(p->l3_len + 2, at + 4);
		put_unaligned_be16(p->v6 ? PPP_IPV6 : PPP_IP, at + 6);
		at += 8;
	}
	return at - out;
}

static void put_tuple(u8 *ip, u8 *l4, const u32 *new, bool udp)
{
	struct iphdr *h = (struct iphdr *)ip;
	__sum16 *sum = (__sum16 *)(l4 + (udp ? 6 : 16));
	__be32 addr[3] = { htonl(new[0]), htonl(new[1]), htonl(new[2]) }, old;
	u8 *where[3] = { ip + 12, ip + 16, l4 };
	bool none = udp && !*sum;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		old = get_unaligned((__be32 *)where[i]);
		put_unaligned(addr[i], (__be32 *)where[i]);
		if (i < 2)
			csum_replace4(&h->check, old, addr[i]);
		csum_replace4(sum, old, addr[i]);
	}
	if (none)
		*sum = 0;
	else if (udp && !*sum)
		*sum = CSUM_MANGLED_0;
}

static unsigned int forward(struct ppe_emulate *e, const u8 *frame, const struct parsed *p,
			    const struct rewrite *r, const u32 *word, u8 *out)
{
	unsigned int head = write_l2(word + r->l2, r, p, out);
	u8 *ip = out + head;

	memcpy(ip, frame + p->l3, p->l3_len);
	if (!p->v6)
		put_tuple(ip, ip + p->l4 - p->l3, word + 5, p->udp);
	if (r->ttl && p->v6)
		ip[7]--;
	else if (r->ttl)
		ip_decrease_ttl((struct iphdr *)ip);
	return head + p->l3_len;
}

static void count(struct ppe_emulate *e, const struct rewrite *r, const u32 *word, u16 index,
		  unsigned int len)
{
	u32 ib2 = word[r->ib2], *group;

	e->hits++;
	if ((reg(e, PPE_MIB_CFG) & BIT(0)) && (ib2 & (e->version == 1 ? BIT(10) : BIT(15)))) {
		e->mib[index].packets++;
		e->mib[index].bytes += len;
	} else {
		e->uncounted++;
	}
	if (e->groups && e->version == 1) {
		u64 bytes;

		group = e->groups + 4 * FIELD_GET(GENMASK(23, 18), ib2);
		bytes = ((u64)group[1] << 32 | group[0]) + len;
		group[0] = bytes;
		group[1] = bytes >> 32;
		group[2]++;
	}
}

static unsigned int hit_bound(struct ppe_emulate *e, const u8 *frame, unsigned int len,
			      const struct parsed *p, u8 *out, struct ppe_result *result)
{
	u32 mask = bound_time_mask(e);
	const u32 *word = result->word;
	struct rewrite r;

	memcpy(result->word, look(e, result->index), e->entry_size);
	read_rewrite(e, word, &r);
	result->reason = check(e, frame, p, &r, result->index);
	if (result->reason)
		return 0;
	set_ib1(e, result->index, word[0], (word[0] & ~mask) | (*e->clock & mask));
	result->port = e->version == 1 ? FIELD_GET(GENMASK(7, 5), word[r.ib2]) :
					 FIELD_GET(GENMASK(12, 9), word[r.ib2]);
	if (r.layers > 2) {
		result->verdict = PPE_LOST;
		e->lost++;
		return 0;
	}
	count(e, &r, word, result->index, len);
	if (result->port == PPE_ADMA)
		result->reason = PPE_FORCE_CPU;
	else
		result->verdict = PPE_TO_PORT;
	return forward(e, frame, p, &r, word, out);
}

/**
 * ppe_emulate_frame() - a frame arrived at a port
 * @e: the PPE of that port
 * @frame: from the destination address on, without FCS
 * @len: bytes of it
 * @dsa: it has MediaTek's special tag
 * @out: room for @len + PPE_GROWTH bytes
 * @result: what becomes of it
 *
 * Context: any but hard interrupts; takes @e's lock.
 * Return: bytes in @out; 0 if the CPU gets the frame as it is.
 */
unsigned int ppe_emulate_frame(struct ppe_emulate *e, const u8 *frame, unsigned int len, bool dsa,
			       u8 *out, struct ppe_result *result)
{
	unsigned int bytes = 0;
	struct parsed p;
	u16 room;

	memset(result, 0, sizeof(*result));
	result->index = PPE_NO_INDEX;
	result->reason = parse(frame, len, dsa, &p);
	if (!(reg(e, PPE_GLO_CFG) & BIT(0)))
		result->reason = PPE_BYPASS;
	if (result->reason)
		return 0;
	spin_lock_bh(&e->lock);
	result->index = search(e, &p, &room);
	if (result->index == PPE_NO_INDEX) {
		e->misses++;
		result->reason = room == PPE_NO_INDEX ? PPE_NO_FLOW : PPE_UN_HIT;
		if (room != PPE_NO_INDEX)
			build(e, &p, room);
		result->index = room;
	} else if (FIELD_GET(STATE, *look(e, result->index)) == PPE_UNBOUND) {
		e->misses++;
		result->reason = hit_unbound(e, result->index);
	} else {
		bytes = hit_bound(e, frame, len, &p, out, result);
	}
	spin_unlock_bh(&e->lock);
	return bytes;
}

/* Seconds without a packet after which an entry goes; 0: never. */
static u32 age_limit(const struct ppe_emulate *e, u32 ib1)
{
	u32 cfg = reg(e, PPE_TB_CFG);

	if (!FIELD_GET(GENMASK(17, 16), cfg))
		return 0;
	switch (FIELD_GET(STATE, ib1)) {
	case PPE_UNBOUND:
		if (!(cfg & BIT(8)) ||
		    FIELD_GET(UNB_PACKETS, ib1) >= reg(e, PPE_UNBIND_AGE) >> 16)
			return 0;
		return (reg(e, PPE_UNBIND_AGE) & 0xff) + 1;
	case PPE_FIN:
		return cfg & BIT(11) ? (reg(e, PPE_BIND_AGE1) >> 16) & 0x7fff : 0;
	default:
		if (ib1 & UDP)
			return cfg & BIT(10) ? reg(e, PPE_BIND_AGE0) & 0x7fff : 0;
		return cfg & BIT(9) ? reg(e, PPE_BIND_AGE1) & 0x7fff : 0;
	}
}

/**
 * ppe_emulate_tick() - age entries; the caller has moved the clock
 * @e: the PPE
 *
 * Context: any but hard interrupts; takes @e's lock.
 */
void ppe_emulate_tick(struct ppe_emulate *e)
{
	u32 i;

	spin_lock_bh(&e->lock);
	for (i = 0; i < e->entries; i++) {
		u32 ib1 = READ_ONCE(*look(e, i)), state = FIELD_GET(STATE, ib1), limit, mask;

		if (state == PPE_INVALID || (ib1 & STATIC))
			continue;
		mask = state == PPE_UNBOUND ? UNB_TIME : bound_time_mask(e);
		limit = age_limit(e, ib1);
		if (!limit || ((*e->clock - ib1) & mask) < limit)
			continue;
		set_ib1(e, i, ib1, ib1 & ~STATE);
		e->aged++;
	}
	spin_unlock_bh(&e->lock);
}

static void read_mib(struct ppe_emulate *e, u32 index)
{
	struct ppe_count *mib = &e->mib[index & (e->entries - 1)];
	u32 *r = &e->regs[PPE_MIB_SER_R0 / 4];

	r[0] = mib->bytes;
	if (e->version < 3) {
		r[1] = (mib->bytes >> 32 & 0xffff) | mib->packets << 16;
		r[2] = mib->packets >> 16 & 0xffffff;
	} else {
		r[1] = mib->bytes >> 32;
		r[2] = mib->packets;
		r[3] = mib->packets >> 32;
	}
	if (reg(e, PPE_MIB_CFG) & BIT(1))
		*mib = (struct ppe_count){};
}

/**
 * ppe_emulate_write() - the driver wrote a register
 * @e: the PPE
 * @offset: from its base
 * @value: what was written
 *
 * Context: any but hard interrupts; takes @e's lock.
 */
void ppe_emulate_write(struct ppe_emulate *e, u32 offset, u32 value)
{
	spin_lock_bh(&e->lock);
	WRITE_ONCE(e->regs[offset / 4], value);
	if (offset == PPE_CACHE_CTL && (value & BIT(9)) && e->cached)
		memset(e->valid, 0, e->entries * sizeof(*e->valid));
	if (offset == PPE_MIB_SER_CR && (value & BIT(16))) {
		read_mib(e, value & 0x3fff);
		WRITE_ONCE(e->regs[offset / 4], value & ~BIT(16));
	}
	spin_unlock_bh(&e->lock);
}

/**
 * ppe_emulate_stale() - entries that the driver wrote without telling the cache
 * @e: the PPE; the driver does nothing meanwhile
 *
 * Context: any but hard interrupts; takes @e's lock.
 * Return: their number.
 */
unsigned int ppe_emulate_stale(struct ppe_emulate *e)
{
	unsigned int n = 0;
	u32 i;

	spin_lock_bh(&e->lock);
	for (i = 0; e->cached && i < e->entries; i++)
		n += e->valid[i] && memcmp(look(e, i), entry_of(e, i), e->entry_size);
	spin_unlock_bh(&e->lock);
	return n;
}

/**
 * ppe_emulate_count() - entries of a state, in the driver's memory
 * @e: the PPE
 * @state: the state
 *
 * Context: any.
 * Return: their number.
 */
unsigned int ppe_emulate_count(struct ppe_emulate *e, enum ppe_state state)
{
	unsigned int n = 0;
	u32 i;

	for (i = 0; i < e->entries; i++)
		n += FIELD_GET(STATE, READ_ONCE(*entry_of(e, i))) == state;
	return n;
}

/**
 * ppe_emulate_init() - start with an empty cache and counters at 0
 * @e: the PPE, with the caller's part set
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int ppe_emulate_init(struct ppe_emulate *e)
{
	spin_lock_init(&e->lock);
	e->rate = kvcalloc(e->entries, sizeof(*e->rate), GFP_KERNEL);
	e->mib = kvcalloc(e->entries, sizeof(*e->mib), GFP_KERNEL);
	if (e->cached) {
		e->shadow = kvcalloc(e->entries, e->entry_size, GFP_KERNEL);
		e->valid = kvcalloc(e->entries, sizeof(*e->valid), GFP_KERNEL);
	}
	if (e->rate && e->mib && (!e->cached || (e->shadow && e->valid)))
		return 0;
	ppe_emulate_exit(e);
	return -ENOMEM;
}

/**
 * ppe_emulate_exit() - free what ppe_emulate_init() allocated
 * @e: the PPE; no frames come any more
 *
 * Context: process.
 */
void ppe_emulate_exit(struct ppe_emulate *e)
{
	kvfree(e->valid);
	kvfree(e->shadow);
	kvfree(e->mib);
	kvfree(e->rate);
}
