// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of cards: what each kind of driver takes, and what its hardware does then. The
 * frame is changed as the rule says and in no other way, so that a rule which is wrong
 * makes a frame that is.
 */
#include <linux/etherdevice.h>
#include <linux/if_pppox.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/ppp_defs.h>
#include <linux/slab.h>
#include <linux/tc_act/tc_csum.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include "natnic.h"

#define TEXT_MAX 1536

/* A rule's text; its end is where it was full. */
struct text {
	char *data;
	size_t used;
};

static __printf(2, 3) void put(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->used += vscnprintf(text->data + text->used, TEXT_MAX - text->used, format, args);
	va_end(args);
}

static void put_tag(struct text *text, const char *name, const struct flow_match_vlan *m)
{
	put(text, " %s=%u/%x,%04x/%04x", name, m->key->vlan_id, m->mask->vlan_id,
	    ntohs(m->key->vlan_tpid), ntohs(m->mask->vlan_tpid));
}

static bool has(const struct flow_rule *rule, enum flow_dissector_key_id key)
{
	return flow_rule_match_key(rule, key);
}

static int read_basics(struct rule *r, struct flow_rule *rule, struct text *text)
{
	struct flow_match_control control;
	struct flow_match_basic basic;
	struct flow_match_meta meta;

	if (!has(rule, FLOW_DISSECTOR_KEY_META) || !has(rule, FLOW_DISSECTOR_KEY_CONTROL) ||
	    !has(rule, FLOW_DISSECTOR_KEY_BASIC))
		return -EOPNOTSUPP;
	flow_rule_match_meta(rule, &meta);
	flow_rule_match_control(rule, &control);
	flow_rule_match_basic(rule, &basic);
	r->ifindex = meta.key->ingress_ifindex;
	r->key.n_proto = basic.key->n_proto;
	r->key.proto = basic.key->ip_proto;
	put(text, "meta=%d/%x control=%u/%x,%x basic=%04x/%04x,%u/%x",
	    meta.key->ingress_ifindex, meta.mask->ingress_ifindex, control.key->addr_type,
	    control.mask->addr_type, control.mask->flags, ntohs(basic.key->n_proto),
	    ntohs(basic.mask->n_proto), basic.key->ip_proto, basic.mask->ip_proto);
	if (natnic_driver == MLX5 && (meta.mask->ingress_ifindex != ~0 ||
				      r->ifindex != r->port->nic->ifindex))
		return -EOPNOTSUPP;
	return control.mask->flags ? -EOPNOTSUPP : 0;
}

static int read_addresses(struct rule *r, struct flow_rule *rule, struct text *text)
{
	struct flow_match_ipv4_addrs v4;
	struct flow_match_ipv6_addrs v6;
	struct flow_match_ports ports;
	struct flow_match_tcp tcp;

	if (!has(rule, FLOW_DISSECTOR_KEY_PORTS))
		return -EOPNOTSUPP;
	if (has(rule, FLOW_DISSECTOR_KEY_IPV4_ADDRS)) {
		flow_rule_match_ipv4_addrs(rule, &v4);
		r->key.src[0] = v4.key->src;
		r->key.dst[0] = v4.key->dst;
		put(text, " ip=%pI4/%pI4>%pI4/%pI4", &v4.key->src, &v4.mask->src, &v4.key->dst,
		    &v4.mask->dst);
	} else if (has(rule, FLOW_DISSECTOR_KEY_IPV6_ADDRS)) {
		flow_rule_match_ipv6_addrs(rule, &v6);
		memcpy(r->key.src, &v6.key->src, 16);
		memcpy(r->key.dst, &v6.key->dst, 16);
		put(text, " ip6=%pI6c/%pI6c>%pI6c/%pI6c", &v6.key->src, &v6.mask->src,
		    &v6.key->dst, &v6.mask->dst);
	} else {
		return -EOPNOTSUPP;
	}
	flow_rule_match_ports(rule, &ports);
	r->key.sport = ports.key->src;
	r->key.dport = ports.key->dst;
	put(text, " ports=%u/%x>%u/%x", ntohs(ports.key->src), ntohs(ports.mask->src),
	    ntohs(ports.key->dst), ntohs(ports.mask->dst));
	if (has(rule, FLOW_DISSECTOR_KEY_TCP)) {
		flow_rule_match_tcp(rule, &tcp);
		put(text, " tcp=%04x/%04x", ntohs(tcp.key->flags), ntohs(tcp.mask->flags));
	}
	return 0;
}

static void read_tags(struct rule *r, struct flow_rule *rule, struct text *text)
{
	struct flow_match_vlan m;

	if (has(rule, FLOW_DISSECTOR_KEY_VLAN)) {
		flow_rule_match_vlan(rule, &m);
		r->tag[r->tags++] = (struct tag){ m.key->vlan_id, m.key->vlan_tpid };
		put_tag(text, "vlan", &m);
	}
	if (has(rule, FLOW_DISSECTOR_KEY_CVLAN)) {
		flow_rule_match_cvlan(rule, &m);
		r->tag[r->tags++] = (struct tag){ m.key->vlan_id, m.key->vlan_tpid };
		put_tag(text, "cvlan", &m);
	}
}

static int read_mangle(const struct flow_action_entry *act, struct text *text)
{
	static const char * const names[] = { "?", "eth", "ip4", "ip6", "tcp", "udp" };
	u32 keep = ntohl((__force __be32)act->mangle.mask);

	put(text, " %s+%u:%08x&%08x", names[act->mangle.htype], act->mangle.offset,
	    ntohl((__force __be32)act->mangle.val), keep);
	switch (act->mangle.htype) {
	case FLOW_ACT_MANGLE_HDR_TYPE_ETH:
		return act->mangle.offset > 8 || act->mangle.offset % 4 ? -EINVAL : 0;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP4:
		return act->mangle.offset == 12 || act->mangle.offset == 16 ? 0 : -EINVAL;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP6:
		return is_mtk() ? -EOPNOTSUPP : act->mangle.offset < 8 ? -EINVAL : 0;
	case FLOW_ACT_MANGLE_HDR_TYPE_TCP:
	case FLOW_ACT_MANGLE_HDR_TYPE_UDP:
		return act->mangle.offset || (keep != 0xffff && keep != 0xffff0000) ? -EINVAL : 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* What a driver with a limit of two headers counts. */
struct pushed {
	unsigned int tags, sessions;
};

static int read_push(struct pushed *pushed, const struct flow_action_entry *act, struct text *text)
{
	if (act->id == FLOW_ACTION_VLAN_PUSH) {
		put(text, " push=%u,%04x", act->vlan.vid, ntohs(act->vlan.proto));
		if (is_mtk() && (pushed->tags + pushed->sessions == 2 ||
				 act->vlan.proto != htons(ETH_P_8021Q)))
			return -EOPNOTSUPP;
		pushed->tags++;
	} else {
		put(text, " pppoe=%u", act->pppoe.sid);
		if (pushed->sessions || natnic_driver == MLX5 || (is_mtk() && pushed->tags == 2))
			return -EOPNOTSUPP;
		pushed->sessions++;
	}
	return pushed->tags + pushed->sessions > TAGS ? -EOPNOTSUPP : 0;
}

/* mlx5 refuses to change the same bits twice. */
static bool is_twice(const struct rule *r, const struct flow_action_entry *act)
{
	unsigned int i;

	for (i = 0; i < r->actions; i++)
		if (r->action[i].id == FLOW_ACTION_MANGLE &&
		    r->action[i].mangle.htype == act->mangle.htype &&
		    r->action[i].mangle.offset == act->mangle.offset &&
		    ~r->action[i].mangle.mask & ~act->mangle.mask)
			return true;
	return false;
}

static int read_redirect(struct rule *r, const struct flow_action_entry *act, struct text *text)
{
	put(text, " redirect=%s", act->dev->name);
	r->out = natnic_port_find(act->dev);
	if (!r->out)
		return -EOPNOTSUPP;
	return natnic_driver == MLX5 && r->out == r->port ? -EOPNOTSUPP : 0;
}

static int read_action(struct rule *r, struct pushed *pushed, const struct flow_action_entry *act,
		       struct text *text)
{
	if (!act->hw_stats || r->out)	/* not of flow_rule_alloc(), or after REDIRECT */
		return -EINVAL;
	switch (act->id) {
	case FLOW_ACTION_MANGLE:
		if (natnic_driver == MLX5 && is_twice(r, act))
			return -EOPNOTSUPP;
		return read_mangle(act, text);
	case FLOW_ACTION_VLAN_POP:
		put(text, " pop");
		return 0;
	case FLOW_ACTION_VLAN_PUSH:
	case FLOW_ACTION_PPPOE_PUSH:
		return read_push(pushed, act, text);
	case FLOW_ACTION_CSUM:
		put(text, " csum=%x", act->csum_flags);
		r->csum |= act->csum_flags;
		return 0;
	case FLOW_ACTION_REDIRECT:
		return read_redirect(r, act, text);
	default:
		put(text, " unknown=%d", act->id);
		return -EOPNOTSUPP;
	}
}

/* mtk_ppe_offload.c and airoha_ppe.c want both addresses. */
static int check_macs(const struct rule *r)
{
	u8 header[12] = {};
	unsigned int i, b;

	for (i = 0; i < r->actions; i++) {
		const struct flow_action_entry *act = &r->action[i];

		if (act->id != FLOW_ACTION_MANGLE ||
		    act->mangle.htype != FLOW_ACT_MANGLE_HDR_TYPE_ETH)
			continue;
		for (b = 0; b < 4; b++)
			if (!((u8 *)&act->mangle.mask)[b])
				header[act->mangle.offset + b] = ((u8 *)&act->mangle.val)[b];
	}
	return is_valid_ether_addr(header) && is_valid_ether_addr(header + 6) ? 0 : -EINVAL;
}

static int read_actions(struct rule *r, struct flow_rule *rule, struct text *text)
{
	const struct flow_action_entry *act;
	struct pushed pushed = {};
	int i, err;

	if (rule->action.num_entries > ACTIONS)
		return -EOPNOTSUPP;
	put(text, " |");
	flow_action_for_each(i, act, &rule->action) {
		err = read_action(r, &pushed, act, text);
		if (err)
			return err;
		r->action[r->actions++] = *act;
	}
	if (!r->out)
		return -EOPNOTSUPP;
	return natnic_driver == GENERIC || is_mtk() ? check_macs(r) : 0;
}

/* A copy of what the driver is given, or the errno that the kind of driver answers. */
struct rule *natnic_rule_read(struct port *port, struct flow_cls_offload *cls)
{
	struct flow_rule *rule = flow_cls_offload_flow_rule(cls);
	struct rule *r = kzalloc(sizeof(*r) + TEXT_MAX, GFP_KERNEL);
	struct text text;
	int err;

	if (!r)
		return ERR_PTR(-ENOMEM);
	text = (struct text){ .data = r->text };
	r->cookie = cls->cookie;
	r->port = port;
	r->used = jiffies;
	r->bound = !is_mtk();
	err = read_basics(r, rule, &text);
	if (!err)
		err = read_addresses(r, rule, &text);
	if (!err) {
		read_tags(r, rule, &text);
		err = read_actions(r, rule, &text);
	}
	if (!err)
		return r;
	kfree(r);
	return ERR_PTR(err);
}

/* A frame: what is before the IP header, and what is compared. */
struct frame {
	u8 mac[12];
	unsigned int tags, l3, l4;
	struct tag tag[TAGS];
	struct tuple key;
	u8 *ttl;
	__sum16 *sum, *sum4;		/* of the transport; of the IPv4 header */
	u8 *header[6];			/* by enum flow_action_mangle_base */
	unsigned int bytes;		/* of L3 */
};

/* Tags, then a PPPoE session: at the IP header after. */
static bool parse_l2(struct frame *f, const struct sk_buff *skb)
{
	const u8 *data = skb->data;
	__be16 proto;

	memcpy(f->mac, data, 12);
	f->l3 = 12;
	for (;;) {
		if (f->l3 + 12 > skb->len)
			return false;
		proto = *(__be16 *)(data + f->l3);
		f->l3 += 2;
		if (!eth_type_vlan(proto) && proto != htons(ETH_P_PPP_SES))
			break;
		if (f->tags == TAGS)
			return false;
		f->tag[f->tags].proto = proto;
		if (eth_type_vlan(proto)) {
			f->tag[f->tags++].id = ntohs(*(__be16 *)(data + f->l3)) & VLAN_VID_MASK;
			f->l3 += 2;
			continue;
		}
		f->tag[f->tags++].id = ntohs(*(__be16 *)(data + f->l3 + 2));
		f->l3 += 6;
		proto = *(__be16 *)(data + f->l3);
		f->l3 += 2;
		f->key.n_proto = proto == htons(PPP_IP) ? htons(ETH_P_IP) :
				 proto == htons(PPP_IPV6) ? htons(ETH_P_IPV6) : 0;
		return f->key.n_proto;
	}
	f->key.n_proto = proto;
	return proto == htons(ETH_P_IP) || proto == htons(ETH_P_IPV6);
}

static bool parse_l3(struct frame *f, struct sk_buff *skb)
{
	struct ipv6hdr *six = (void *)skb->data + f->l3;
	struct iphdr *four = (void *)skb->data + f->l3;
	bool v4 = f->key.n_proto == htons(ETH_P_IP);

	f->l4 = f->l3 + (v4 ? sizeof(*four) : sizeof(*six));
	if (f->l4 + sizeof(struct udphdr) > skb->len)
		return false;
	if (v4) {
		if (four->ihl != 5 || ip_is_fragment(four))
			return false;
		f->key.proto = four->protocol;
		f->key.src[0] = four->saddr;
		f->key.dst[0] = four->daddr;
		f->ttl = &four->ttl;
		f->sum4 = &four->check;
		f->bytes = ntohs(four->tot_len);
		f->header[FLOW_ACT_MANGLE_HDR_TYPE_IP4] = (u8 *)four;
	} else {
		f->key.proto = six->nexthdr;
		memcpy(f->key.src, &six->saddr, 16);
		memcpy(f->key.dst, &six->daddr, 16);
		f->ttl = &six->hop_limit;
		f->bytes = sizeof(*six) + ntohs(six->payload_len);
		f->header[FLOW_ACT_MANGLE_HDR_TYPE_IP6] = (u8 *)six;
	}
	return *f->ttl > 1;
}

static bool parse_l4(struct frame *f, struct sk_buff *skb)
{
	struct tcphdr *tcp = (void *)skb->data + f->l4;
	struct udphdr *udp = (void *)tcp;

	f->key.sport = udp->source;
	f->key.dport = udp->dest;
	if (f->key.proto == IPPROTO_UDP) {
		f->header[FLOW_ACT_MANGLE_HDR_TYPE_UDP] = (u8 *)udp;
		f->sum = udp->check ? &udp->check : NULL;
		return true;
	}
	if (f->key.proto != IPPROTO_TCP || f->l4 + sizeof(*tcp) > skb->len)
		return false;
	f->header[FLOW_ACT_MANGLE_HDR_TYPE_TCP] = (u8 *)tcp;
	f->sum = &tcp->check;
	return !tcp->fin && !tcp->rst && !tcp->syn;
}

static void change(__sum16 *sum, u8 *at, __be32 value)
{
	__be32 was;

	memcpy(&was, at, 4);
	memcpy(at, &value, 4);
	if (sum)
		csum_replace4(sum, was, value);
}

static void mangle(struct frame *f, const struct rule *r, const struct flow_action_entry *act)
{
	__be32 keep = (__force __be32)act->mangle.mask;
	__be32 value = (__force __be32)act->mangle.val, was;
	u8 *at = act->mangle.htype == FLOW_ACT_MANGLE_HDR_TYPE_ETH ? f->mac :
		 f->header[act->mangle.htype];
	bool four = act->mangle.htype == FLOW_ACT_MANGLE_HDR_TYPE_IP4;
	u32 bit = f->key.proto == IPPROTO_TCP ? TCA_CSUM_UPDATE_FLAG_TCP : TCA_CSUM_UPDATE_FLAG_UDP;
	bool sums = f->key.n_proto == htons(ETH_P_IPV6) || r->csum & bit;

	if (!at)	/* a rule for TCP that changes UDP's ports */
		return;
	at += act->mangle.offset;
	memcpy(&was, at, 4);
	value = (value & ~keep) | (was & keep);
	if (act->mangle.htype == FLOW_ACT_MANGLE_HDR_TYPE_ETH) {
		memcpy(at, &value, 4);
		return;
	}
	if (four && r->csum & TCA_CSUM_UPDATE_FLAG_IPV4HDR)
		csum_replace4(f->sum4, was, value);
	change(sums ? f->sum : NULL, at, value);
}

static void lose_hop(struct frame *f)
{
	if (natnic_driver == MLX5)
		return;
	--*f->ttl;
	if (f->sum4)
		csum_replace2(f->sum4, htons(0x100), 0);
}

/* Around what is at skb->data. */
static bool wrap(struct frame *f, struct sk_buff *skb)
{
	unsigned int size = 14, i;
	u8 *at;

	for (i = 0; i < f->tags; i++)
		size += f->tag[i].proto == htons(ETH_P_PPP_SES) ? 8 : 4;
	if (skb_cow_head(skb, size))
		return false;
	at = skb_push(skb, size);
	memcpy(at, f->mac, 12);
	at += 12;
	for (i = 0; i < f->tags; i++) {
		*(__be16 *)at = f->tag[i].proto;
		if (f->tag[i].proto == htons(ETH_P_PPP_SES)) {
			__be16 ppp = f->key.n_proto == htons(ETH_P_IP) ? htons(PPP_IP) :
									 htons(PPP_IPV6);

			*(__be16 *)(at + 2) = htons(0x1100);
			*(__be16 *)(at + 4) = htons(f->tag[i].id);
			*(__be16 *)(at + 6) = htons(f->bytes + 2);
			*(__be16 *)(at + 8) = ppp;
			return true;
		}
		*(__be16 *)(at + 2) = htons(f->tag[i].id);
		at += 4;
	}
	*(__be16 *)at = f->key.n_proto;
	return true;
}

static bool execute(struct frame *f, const struct rule *r, struct sk_buff *skb)
{
	unsigned int popped = 0, pushed = 0, i;
	struct tag tag[TAGS];

	for (i = 0; i < r->actions; i++) {
		const struct flow_action_entry *act = &r->action[i];

		if (act->id == FLOW_ACTION_MANGLE)
			mangle(f, r, act);
		else if (act->id == FLOW_ACTION_VLAN_POP)
			popped++;
		else if (act->id == FLOW_ACTION_VLAN_PUSH)
			tag[pushed++] = (struct tag){ act->vlan.vid, act->vlan.proto };
		else if (act->id == FLOW_ACTION_PPPOE_PUSH)
			tag[pushed++] = (struct tag){ act->pppoe.sid, htons(ETH_P_PPP_SES) };
	}
	/* No action takes a session away: all hardware does. MediaTek's takes tags, too. */
	for (i = popped; i < f->tags && pushed < TAGS && !is_mtk(); i++)
		if (f->tag[i].proto != htons(ETH_P_PPP_SES))
			tag[pushed++] = f->tag[i];
	if (natnic_driver == AIROHA && f->key.n_proto == htons(ETH_P_IPV6))
		ether_addr_copy(f->mac + 6, r->out->nic->dev_addr);
	if (f->sum && !*f->sum)
		*f->sum = CSUM_MANGLED_0;
	memcpy(f->tag, tag, sizeof(tag));
	f->tags = pushed;
	lose_hop(f);
	skb_pull(skb, f->l3);
	return wrap(f, skb);
}

static bool matches(const struct rule *r, const struct frame *f)
{
	unsigned int i, tags = 0;

	if (is_mtk())
		return true;
	for (i = 0; i < f->tags; i++) {
		if (f->tag[i].proto == htons(ETH_P_PPP_SES))
			continue;
		if (tags == r->tags || f->tag[i].proto != r->tag[tags].proto ||
		    f->tag[i].id != r->tag[tags].id)
			return false;
		tags++;
	}
	return tags == r->tags;
}

/* MediaTek's hardware forwards a flow at so many packets a second; idle, it forgets. */
static bool is_bound(struct rule *r)
{
	unsigned long age = r->key.proto == IPPROTO_TCP ? 7 * HZ : 12 * HZ;

	if (!is_mtk())
		return true;
	if (r->bound && time_after(jiffies, r->used + age)) {
		r->bound = false;
		r->seen = 0;
	}
	if (r->bound)
		return true;
	if (time_after(jiffies, r->second + HZ)) {
		r->second = jiffies;
		r->seen = 0;
	}
	if (++r->seen >= natnic_rate)
		r->bound = true;	/* from the next one on */
	return false;
}

u32 natnic_key_hash(const struct tuple *key)
{
	return jhash(key->src, 32, (__force u32)key->sport << 16 | (__force u32)key->dport);
}

/* Forward a frame: where it leaves, or NULL if the CPU gets it. The table is locked. */
struct port *natnic_rule_forward(struct port *port, struct sk_buff *skb)
{
	unsigned int size = skb->len;
	struct frame f = {};
	struct rule *r;

	if (!parse_l2(&f, skb) || !parse_l3(&f, skb) || !parse_l4(&f, skb))
		return NULL;
	r = natnic_table_find(port, &f.key);
	if (!r || !matches(r, &f) || !is_bound(r) || f.bytes > r->out->nic->mtu)
		return NULL;
	r->used = jiffies;
	r->count[0]++;
	r->count[1] += size;
	skb->ip_summed = CHECKSUM_NONE;
	return execute(&f, r, skb) ? r->out : NULL;
}
