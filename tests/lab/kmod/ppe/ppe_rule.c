// SPDX-License-Identifier: GPL-2.0-only
/* Flower rules, as nf_flow_table_offload.c writes them, for the callback that gmac1 binds. */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_csum.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>
#include "ppe.h"

#define ACTIONS 24

struct keys {
	struct flow_dissector_key_meta meta;
	struct flow_dissector_key_control control;
	struct flow_dissector_key_basic basic;
	union {
		struct flow_dissector_key_ipv4_addrs v4;
		struct flow_dissector_key_ipv6_addrs v6;
	};
	struct flow_dissector_key_ports ports;
	struct flow_dissector_key_eth_addrs eth;
	struct flow_dissector_key_vlan vlan;
};

/* A rule and all that it points to. */
struct flower {
	struct flow_dissector dissector;
	struct keys key, mask;
	struct flow_rule *rule;
};

static struct flow_block block;

#define USE(f, id, field) use(f, FLOW_DISSECTOR_KEY_##id, offsetof(struct keys, field))

static void use(struct flower *f, enum flow_dissector_key_id id, unsigned short offset)
{
	f->dissector.used_keys |= BIT_ULL(id);
	f->dissector.offset[id] = offset;
}

static struct net_device *device_of(u8 number)
{
	if (number > PPE_GMACS + 1 && natppe.lan)
		return natppe.lan;
	return number > PPE_GMACS ? natppe.wlan : natppe.eth.netdev[(number ?: 1) - 1];
}

static void match(struct flower *f, const struct ppe_rule *r)
{
	USE(f, META, meta);
	USE(f, CONTROL, control);
	USE(f, BASIC, basic);
	f->key.meta.ingress_ifindex = device_of(r->in)->ifindex;
	f->mask.meta.ingress_ifindex = -1;
	f->mask.control.addr_type = 0xffff;
	f->key.basic.n_proto = r->v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	f->key.basic.ip_proto = r->proto;
	f->mask.basic.n_proto = 0xffff;
	f->mask.basic.ip_proto = 0xff;
	if (r->bridged) {
		USE(f, ETH_ADDRS, eth);
		ether_addr_copy(f->key.eth.src, r->smac);
		ether_addr_copy(f->key.eth.dst, r->dmac);
		return;
	}
	if (r->v6) {
		USE(f, IPV6_ADDRS, v6);
		f->key.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
		memcpy(&f->key.v6.src, r->src, 16);
		memcpy(&f->key.v6.dst, r->dst, 16);
		memset(&f->mask.v6, 0xff, sizeof(f->mask.v6));
	} else {
		USE(f, IPV4_ADDRS, v4);
		f->key.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
		memcpy(&f->key.v4.src, r->src, 4);
		memcpy(&f->key.v4.dst, r->dst, 4);
		memset(&f->mask.v4, 0xff, sizeof(f->mask.v4));
	}
	USE(f, PORTS, ports);
	f->key.ports.src = htons(r->sport);
	f->key.ports.dst = htons(r->dport);
	f->mask.ports.src = 0xffff;
	f->mask.ports.dst = 0xffff;
}

static struct flow_action_entry *action(struct flower *f, enum flow_action_id id)
{
	struct flow_action_entry *a = &f->rule->action.entries[f->rule->action.num_entries++];

	a->id = id;
	return a;
}

static void mangle(struct flower *f, enum flow_action_mangle_base where, u32 offset, u32 keep,
		   u32 value)
{
	struct flow_action_entry *a = action(f, FLOW_ACTION_MANGLE);

	a->mangle.htype = where;
	a->mangle.offset = offset;
	a->mangle.mask = keep;
	a->mangle.val = value;
}

static void mangle_addresses(struct flower *f, const struct ppe_rule *r)
{
	u16 half;
	u32 word;

	memcpy(&half, r->smac, 2);
	memcpy(&word, r->smac + 2, 4);
	mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 4, 0x0000ffff, (u32)half << 16);
	mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 8, 0, word);
	memcpy(&word, r->dmac, 4);
	memcpy(&half, r->dmac + 4, 2);
	mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 0, 0, word);
	mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 4, 0xffff0000, half);
}

static void mangle_tuple(struct flower *f, const struct ppe_rule *r)
{
	enum flow_action_mangle_base l4 = r->proto == IPPROTO_UDP ? FLOW_ACT_MANGLE_HDR_TYPE_UDP :
								    FLOW_ACT_MANGLE_HDR_TYPE_TCP;
	u32 word;

	if (r->mangle & 1) {
		memcpy(&word, r->new_src, 4);
		mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_IP4, offsetof(struct iphdr, saddr), 0, word);
		mangle(f, l4, 0, ~(__force u32)htonl(0xffff0000),
		       (__force u32)htonl((u32)r->new_sport << 16));
	}
	if (r->mangle & 2) {
		memcpy(&word, r->new_dst, 4);
		mangle(f, FLOW_ACT_MANGLE_HDR_TYPE_IP4, offsetof(struct iphdr, daddr), 0, word);
		mangle(f, l4, 0, ~(__force u32)htonl(0xffff), (__force u32)htonl(r->new_dport));
	}
	if (r->mangle)
		action(f, FLOW_ACTION_CSUM)->csum_flags = TCA_CSUM_UPDATE_FLAG_IPV4HDR;
}

static void actions(struct flower *f, const struct ppe_rule *r)
{
	unsigned int i;

	if (!r->bridged)
		mangle_addresses(f, r);
	for (i = 0; i < min_t(unsigned int, r->encaps, ARRAY_SIZE(r->encap)); i++) {
		struct flow_action_entry *a;

		if (r->encap[i].proto == ETH_P_PPP_SES) {
			action(f, FLOW_ACTION_PPPOE_PUSH)->pppoe.sid = r->encap[i].id;
			continue;
		}
		a = action(f, FLOW_ACTION_VLAN_PUSH);
		a->vlan.vid = r->encap[i].id;
		a->vlan.proto = htons(r->encap[i].proto);
	}
	if (!r->bridged)
		mangle_tuple(f, r);
	action(f, FLOW_ACTION_REDIRECT)->dev = device_of(r->out);
}

static int call(struct flow_cls_offload *cls)
{
	struct flow_block_cb *cb = list_first_entry_or_null(&block.cb_list, struct flow_block_cb,
						     list);

	return cb ? cb->cb(TC_SETUP_CLSFLOWER, cls, cb->cb_priv) : -ENOTCONN;
}

/* Run one command; the caller has bound. */
void ppe_rule_run(const struct ppe_rule *r, struct ppe_answer *answer)
{
	struct netlink_ext_ack extack = {};
	struct flow_cls_offload cls = { .command = r->command, .cookie = r->cookie };
	struct flower *f = kzalloc(sizeof(*f), GFP_KERNEL);

	memset(answer, 0, sizeof(*answer));
	if (r->command >= PPE_SET) {
		kfree(f);
		ppe_direct(r, answer);
		return;
	}
	answer->rc = -ENOMEM;
	if (!f)
		return;
	f->rule = flow_rule_alloc(ACTIONS);
	if (!f->rule)
		goto free;
	f->rule->action.num_entries = 0;
	f->rule->match.dissector = &f->dissector;
	f->rule->match.key = &f->key;
	f->rule->match.mask = &f->mask;
	if (r->command == FLOW_CLS_REPLACE) {
		match(f, r);
		actions(f, r);
	}
	cls.common.extack = &extack;
	cls.common.protocol = htons(ETH_P_ALL);
	cls.rule = f->rule;
	answer->rc = call(&cls);
	answer->packets = cls.stats.pkts;
	answer->bytes = cls.stats.bytes;
	if (r->command == FLOW_CLS_STATS && !answer->rc)
		answer->idle = (jiffies - (unsigned long)cls.stats.lastused) / HZ;
	kfree(f->rule);
free:
	kfree(f);
}

static int setup(enum flow_block_command command)
{
	struct netlink_ext_ack extack = {};
	struct net_device *gmac = natppe.eth.netdev[0];
	struct flow_block_cb *cb, *next;
	struct flow_block_offload bo = {
		.command = command, .binder_type = FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS,
		.block = &block, .net = dev_net(gmac), .extack = &extack,
		.cb_list_head = &block.cb_list,
	};
	int err;

	INIT_LIST_HEAD(&bo.cb_list);
	rtnl_lock();
	err = gmac->netdev_ops->ndo_setup_tc(gmac, TC_SETUP_FT, &bo);
	rtnl_unlock();
	if (err)
		return err;
	if (command == FLOW_BLOCK_BIND) {
		list_splice(&bo.cb_list, &block.cb_list);
		return 0;
	}
	list_for_each_entry_safe(cb, next, &bo.cb_list, list) {
		list_del(&cb->list);
		flow_block_cb_free(cb);
	}
	return 0;
}

/* As nf_flow_table binds gmac1, whose callback serves all of the PPE. */
int ppe_rule_bind(void)
{
	flow_block_init(&block);
	return setup(FLOW_BLOCK_BIND);
}

void ppe_rule_unbind(void)
{
	setup(FLOW_BLOCK_UNBIND);
}
