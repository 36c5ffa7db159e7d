// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random flows through mainline and through natflow's encoder: slots and words must be
 * the same, and a frame must leave as the rule says. A flow is a rule as in ppe_rule.c;
 * its entry is made as by hardware, and the driver binds it.
 */
#include <linux/etherdevice.h>
#include <linux/prandom.h>
#include "natflow_hwnat/foe.h"
#include "ppe.h"
#include "ppe_natflow.h"

enum shape { PLAIN, VLAN, PPPOE, VLAN_PPPOE, QINQ, DSA, DSA_VLAN, DSA_PPPOE, WED, SHAPES };

static struct rnd_state rnd;

static u32 below(u32 limit)
{
	return prandom_u32_state(&rnd) % limit;
}

static void random_mac(u8 *mac)
{
	prandom_bytes_state(&rnd, mac, ETH_ALEN);
	mac[0] &= ~1;
	mac[5] |= 1;		/* not all zero */
}

static bool is_dsa(enum shape shape)
{
	return shape == DSA || shape == DSA_VLAN || shape == DSA_PPPOE;
}

static void add(struct ppe_rule *r, u16 proto)
{
	r->encap[r->encaps].proto = proto;
	r->encap[r->encaps++].id = proto == ETH_P_PPP_SES ? below(0x10000) : below(4095);
}

static void random_rule(struct ppe_rule *r, enum shape shape)
{
	memset(r, 0, sizeof(*r));
	r->cookie = 1;
	r->v6 = !below(4);
	r->proto = below(2) ? IPPROTO_TCP : IPPROTO_UDP;
	r->mangle = r->v6 ? 0 : below(4);
	prandom_bytes_state(&rnd, r->src, sizeof(r->src));
	prandom_bytes_state(&rnd, r->dst, sizeof(r->dst));
	prandom_bytes_state(&rnd, r->new_src, sizeof(r->new_src));
	prandom_bytes_state(&rnd, r->new_dst, sizeof(r->new_dst));
	prandom_bytes_state(&rnd, &r->sport, 8);
	random_mac(r->smac);
	random_mac(r->dmac);
	r->in = 1;
	r->out = shape == WED ? 3 : 1 + below(PPE_GMACS);
	if (shape == VLAN || shape == VLAN_PPPOE || shape == QINQ || shape == DSA_VLAN)
		add(r, ETH_P_8021Q);
	if (shape == QINQ)
		add(r, ETH_P_8021Q);
	if (shape == PPPOE || shape == VLAN_PPPOE || shape == DSA_PPPOE)
		add(r, ETH_P_PPP_SES);
}

/* Words of an entry have an address of IPv4 in the first word. */
static void put_address(u32 *word, const u8 *address, bool v6)
{
	unsigned int i;

	for (i = 0; i < (v6 ? 4 : 1); i++)
		word[i] = get_unaligned_be32(address + 4 * i);
}

/* What natflow would encode for the rule. */
static void to_foe(const struct natflow_foe_soc *soc, const struct ppe_rule *r, enum shape shape,
		   unsigned int dsa_port, struct natflow_foe *f)
{
	unsigned int i;

	natflow_foe_init(soc, f);
	f->type = r->v6 ? NATFLOW_FOE_IPV6_5T : NATFLOW_FOE_IPV4_5T;
	f->udp = r->proto == IPPROTO_UDP;
	put_address(f->orig.src, r->src, r->v6);
	put_address(f->orig.dst, r->dst, r->v6);
	f->orig.sport = r->sport;
	f->orig.dport = r->dport;
	f->new = f->orig;
	if (r->mangle & 1) {
		put_address(f->new.src, r->new_src, false);
		f->new.sport = r->new_sport;
	}
	if (r->mangle & 2) {
		put_address(f->new.dst, r->new_dst, false);
		f->new.dport = r->new_dport;
	}
	ether_addr_copy(f->src, r->smac);
	ether_addr_copy(f->dst, r->dmac);
	for (i = 0; i < r->encaps; i++) {
		if (r->encap[i].proto == ETH_P_PPP_SES) {
			f->pppoe = true;
			f->sid = r->encap[i].id;
		} else {
			f->vlan[f->vlans++] = r->encap[i].id;
		}
	}
	f->port = r->out;
	f->queued = PPE_NEW && shape != WED;
	f->dsa = is_dsa(shape);
	f->dsa_port = f->dsa ? dsa_port : 0;
	f->time = natflow_foe_time(soc, natppe.fe[0x10 / 4]);
	if (shape != WED)
		return;
	f->wed = true;
	f->wdma = 1;
	f->ring = 2;
	f->wcid = natppe.wcid;
	f->bss = natppe.bss;
	f->amsdu = soc->version == 3;
	f->mg = 0;
	f->port = natflow_foe_wdma_port(soc, 1);
}

/* As the back end encodes it; a flow to a wlan, which it does not take, as foe.c does. */
static int encode(const struct natflow_foe_soc *soc, const struct ppe_rule *r,
		  const struct natflow_foe *f, u32 *words)
{
	struct natflow_ppe_info info = {
		.version = soc->version, .words = soc->words, .port = r->out, .port_mg = soc->mg,
		.queues = PPE_NEW, .counts = soc->mib,
	};
	int err;

	if (f->wed)
		return natflow_foe_encode(soc, f, words);
	err = ppe_words(r, &info, &info, f->dsa ? f->dsa_port : -1, words);
	words[0] |= f->time;
	return err;
}

/* As hardware leaves it after a packet of the flow. */
static void make_unbound(u32 *hw, const struct natflow_foe_soc *soc, const struct natflow_foe *f)
{
	struct natflow_foe seen = *f;
	u32 words[NATFLOW_FOE_WORDS];

	seen.state = NATFLOW_FOE_UNBIND;
	seen.time &= 0xff;
	natflow_foe_encode(soc, &seen, words);
	memcpy(hw, words, natppe.soc.foe_entry_size);
}

static int differ(const u32 *hw, const u32 *words, const struct ppe_rule *r, enum shape shape)
{
	unsigned int i;

	for (i = 0; i < natppe.soc.foe_entry_size / 4; i++) {
		if (hw[i] == words[i])
			continue;
		pr_info("natppe: shape %u v6 %u proto %u mangle %u out %u: word %u %08x %08x\n",
			shape, r->v6, r->proto, r->mangle, r->out, i, hw[i], words[i]);
		return 1;
	}
	return 0;
}

static struct mtk_flow_entry *first_of(struct mtk_ppe *ppe, u32 slot)
{
	struct hlist_head *head = &ppe->foe_flow[slot / natppe.soc.hash_offset];

	return hlist_entry_safe(head->first, struct mtk_flow_entry, list);
}

#if PPE_NEW
static void set_queue(struct mtk_foe_entry *foe, unsigned int queue)
{
	mtk_foe_entry_set_queue(&natppe.eth, foe, queue);
}
#else
static void set_queue(struct mtk_foe_entry *foe, unsigned int queue)
{
}
#endif

/* As mtk_flow_set_output_device() does it for a DSA port, which the lab's device is not. */
static void leave_by_switch(struct mtk_foe_entry *foe, unsigned int dsa_port)
{
	mtk_foe_entry_set_dsa(&natppe.eth, foe, dsa_port);
	set_queue(foe, 3 + dsa_port);
}

/* Return: 0 if a frame leaves as the rule says. */
static int emulate(const struct ppe_rule *r, const struct natflow_foe *f, enum shape shape)
{
	u8 in[PPE_FRAME], want[PPE_FRAME], out[PPE_FRAME + PPE_GROWTH];
	unsigned int size = ppe_frame(r, true, f->dsa ? f->dsa_port : -1, want), len;
	struct ppe_result result;

	len = ppe_frame(r, false, -1, in);
	len = ppe_emulate_frame(&natppe.ppe[0], in, len, false, out, &result);
	if (result.verdict == PPE_TO_PORT && result.port == f->port && len == size &&
	    !memcmp(out, want, size))
		return 0;
	pr_info("natppe: shape %u v6 %u proto %u mangle %u: verdict %u reason %x port %u\n",
		shape, r->v6, r->proto, r->mangle, result.verdict, result.reason, result.port);
	pr_info("natppe: %*ph\nnatppe: %*ph\n", (int)min(len, 64U), out, (int)min(size, 64U), want);
	return 1;
}

/* Return: 0 if mainline's words and ours are the same, and forward. */
static int compare(const struct natflow_foe_soc *soc, struct ppe_rule *r, enum shape shape)
{
	struct mtk_ppe *ppe = natppe.eth.ppe[0];
	unsigned int dsa_port = below(5);
	struct mtk_flow_entry *entry;
	struct ppe_answer answer;
	struct natflow_foe f;
	struct sk_buff *skb;
	u32 words[NATFLOW_FOE_WORDS], *hw;
	int slot, err;

	to_foe(soc, r, shape, dsa_port, &f);
	slot = natflow_foe_bucket(soc, MTK_PPE_ENTRIES, &f) + below(soc->ways);
	err = encode(soc, r, &f, words);
	r->command = FLOW_CLS_REPLACE;
	ppe_rule_run(r, &answer);
	if (err || answer.rc) {
		pr_info("natppe: shape %u: encode %d, REPLACE %d\n", shape, err, answer.rc);
		return 1;
	}
	/* The entry is in the bucket of our slot only if both hashes are the same. */
	entry = first_of(ppe, slot);
	skb = alloc_skb(ETH_HLEN, GFP_KERNEL);
	err = 1;
	if (entry && skb) {
		if (f.dsa)
			leave_by_switch(&entry->data, dsa_port);
		skb_put_zero(skb, ETH_HLEN);
		skb_reset_mac_header(skb);
		hw = ppe->foe_table + slot * natppe.soc.foe_entry_size;
		make_unbound(hw, soc, &f);
		__mtk_ppe_check_skb(ppe, skb, slot);
		err = differ(hw, words, r, shape) ?: emulate(r, &f, shape);
	} else {
		pr_info("natppe: shape %u: no flow in the bucket of slot %d\n", shape, slot);
	}
	kfree_skb(skb);
	r->command = FLOW_CLS_DESTROY;
	ppe_rule_run(r, &answer);
	return err;
}

/**
 * ppe_fuzz() - compare random flows
 * @seed: of the random numbers
 * @count: how many
 * @name: of the SoC
 *
 * Context: process. Return: how many differ, or -EINVAL for an unknown SoC.
 */
int ppe_fuzz(u32 seed, unsigned int count, const char *name)
{
	const struct natflow_foe_soc *found = natflow_foe_soc(name);
	struct natflow_foe_soc soc;
	struct ppe_rule rule;
	int bad = 0;

	if (!found)
		return -EINVAL;
	soc = *found;
	if (!PPE_NEW) {		/* 6.1 */
		soc.mib = false;
		soc.mg = soc.version == 1 ? 0x3f : 0;
	}
	prandom_seed_state(&rnd, seed);
	while (count-- && bad < 10) {
		enum shape shape = below(soc.wdmas ? SHAPES : WED);

		random_rule(&rule, shape);
		/* Mainline cuts a longer one on v1, and ours refuses it. */
		natppe.wcid = below(soc.version == 1 ? 256 : 1024);
		natppe.bss = below(64);
		bad += compare(&soc, &rule, shape);
	}
	return bad;
}
