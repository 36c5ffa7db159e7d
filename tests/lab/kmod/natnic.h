/* SPDX-License-Identifier: GPL-2.0-only */
/* Cards that forward by rules: natnic_dev.c has devices, natnic_rule.c rules and frames. */
#ifndef _NATNIC_H
#define _NATNIC_H

#include <linux/netdevice.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>

enum { GENERIC, MTK, MT7621, AIROHA, MLX5, NETDEVSIM };

#define ACTIONS 24
#define TAGS 4

struct port {
	struct net_device *nic, *wire;	/* the driver's device; the other end of its cable */
	u64 hw[2], cpu[2];		/* packets and bytes that arrived: forwarded, given up */
	bool swallows;			/* what it forwards is lost, and counted */
};

struct tag {
	u16 id;
	__be16 proto;			/* ETH_P_PPP_SES: a session, the last one */
};

/* What is compared; a frame's, or a rule's. */
struct tuple {
	__be16 n_proto;			/* network order, as in the frame */
	u8 proto;
	__be32 src[4], dst[4];
	__be16 sport, dport;
};

struct rule {
	struct hlist_node hash;
	struct list_head list;
	unsigned long cookie;
	struct port *port, *out;	/* its callback's; REDIRECT's */
	int ifindex;			/* META */
	struct tuple key;
	u8 tags;
	struct tag tag[2];
	u32 csum;
	unsigned int actions;
	struct flow_action_entry action[ACTIONS];
	bool bound;
	unsigned long second, used;	/* jiffies */
	unsigned int seen;		/* in that second, by the CPU */
	u64 count[2], told[2], cached[2];
	unsigned long cached_at;
	char text[];
};

extern int natnic_driver;
extern unsigned int natnic_rate;	/* packets a second that bind a flow */

/* One table for all cards, which is MediaTek's: where it came in is in no key. */
static inline bool is_mtk(void)
{
	return natnic_driver == MTK || natnic_driver == MT7621 || natnic_driver == AIROHA;
}

struct rule *natnic_rule_read(struct port *port, struct flow_cls_offload *cls);
struct port *natnic_rule_forward(struct port *port, struct sk_buff *skb);
struct port *natnic_port_find(const struct net_device *dev);

/* The table; its lock is held. */
struct rule *natnic_table_find(struct port *port, const struct tuple *key);
u32 natnic_key_hash(const struct tuple *key);

#endif /* _NATNIC_H */
