// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network cards that forward by rules of TC_SETUP_FT. Nothing tells them what to do but
 * the rules: a frame that arrives at a card and that one matches is changed as it says
 * and leaves by another card; the driver's device never sees it.
 *
 *   insmod natnic.ko driver=mtk		devices nic0, nic1, ... and wire0, wire1, ...: the
 *						ends of their cables
 *   /proc/natnic		"port" per card: frames and bytes forwarded, given up;
 *				"rule" per rule, "call" per call of the driver, "callbacks"
 *   insmod natnic.ko wlan=1		nic1 is a wlan that MediaTek's PPE reaches by WED
 *   echo "fail replace 3 -28"	the third REPLACE from now on answers -ENOSPC; kinds:
 *				bind, replace, destroy, stats
 *   echo "random 10"		one call in ten answers an errno at random; 0: none
 *   echo "places 4"		REPLACE of a fifth rule answers -ENOSPC; 0: no limit
 *   echo "rate 100"		packets a second at which mtk's hardware binds a flow: 30
 *   echo "swallow nic0 1"	what arrives at nic0 and is forwarded is counted and lost
 *   echo "hold rtnl"		returns, and gives RTNL back, after "go"
 *   echo "hold features"	who turns hw-tc-offload off waits for "go" behind the change,
 *				before anybody is told of it; /sys/module/natnic/parameters/held
 *   echo "storm 1"		whoever asks for the path below a card has a rule change then;
 *				0: no longer
 *   echo clear			forget calls
 *   echo forget		forget rules: nf_flow_table leaves its own behind, see unbind()
 *
 * driver=generic takes all that makes sense. mtk and airoha: what mtk_ppe_offload.c and
 * airoha_ppe.c take, forwarding after 30 packets in a second, ages; mt7621 counts nothing.
 * mlx5: what a representor takes, one block per card, counters up to a second old.
 * netdevsim: BIND succeeds and adds no callback.
 */
#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/netlink.h>
#include "natnic.h"

#define PORTS_MAX 8
#define CALLS_MAX 4096		/* later ones are counted, not kept */

static char *driver = "generic";
module_param(driver, charp, 0444);
static int ports = 2;
module_param(ports, int, 0444);
static int wlan = -1;
module_param(wlan, int, 0444);

int natnic_driver;
unsigned int natnic_rate = 30;
static const char * const drivers[] = {
	"generic", "mtk", "mt7621", "airoha", "mlx5", "netdevsim"
};

/* The second word is what natflow_hwnat finds in the device tree. */
static const char * const told_as[] = {
	"natnic", "mtk_soc_eth", "mtk_soc_eth mt7621", "airoha_eth", "mlx5e_rep", "netdevsim"
};

static struct port port[PORTS_MAX];
static DEFINE_SPINLOCK(lock);		/* the table, counters */
static DEFINE_HASHTABLE(table, 12);
static LIST_HEAD(rules);
static unsigned int rule_count, places;
static LIST_HEAD(callbacks);		/* RTNL */

enum { BIND, UNBIND, REPLACE, DESTROY, STATS, KINDS };
static const char * const kinds[] = { "bind", "unbind", "replace", "destroy", "stats" };

struct call {
	u8 kind, port;
	unsigned long cookie;
	int err;
};

static struct call call[CALLS_MAX];
static unsigned int calls;
static struct { unsigned int left; int err; } fail[KINDS];
static unsigned int random_one_in;

static bool storm;
static bool held, hold_features;	/* RTNL, but for a look at @held */
module_param(held, bool, 0444);
static DECLARE_COMPLETION(go);

/* Context: RTNL held. */
static void hold(void)
{
	reinit_completion(&go);
	WRITE_ONCE(held, true);
	wait_for_completion_killable(&go);
	WRITE_ONCE(held, false);
}

struct port *natnic_port_find(const struct net_device *dev)
{
	int i;

	for (i = 0; i < ports; i++)
		if (port[i].nic == dev)
			return &port[i];
	return NULL;
}

static void note(int kind, struct port *p, unsigned long cookie, int err)
{
	spin_lock_bh(&lock);
	if (calls < CALLS_MAX)
		call[calls] = (struct call){ kind, p - port, cookie, err };
	calls++;
	spin_unlock_bh(&lock);
}

/* An errno at random, or 0. DESTROY does not fail twice in a row. */
static int random_failure(int kind)
{
	static const int errnos[] = { -EIO, -ENOENT, -EINVAL, -ENOSPC, -ENOMEM, -EOPNOTSUPP };
	static int last;

	if (!random_one_in || kind < REPLACE || get_random_u32() % random_one_in)
		return last = 0;
	if (kind == DESTROY && last)
		return last = 0;
	return last = errnos[get_random_u32() % (kind == REPLACE ? ARRAY_SIZE(errnos) : 3)];
}

/* The errno that this call was told to answer, or 0. */
static int failure(int kind)
{
	int err;

	spin_lock_bh(&lock);
	err = random_failure(kind);
	if (fail[kind].left && !--fail[kind].left)
		err = fail[kind].err;
	spin_unlock_bh(&lock);
	return err;
}

static bool is_same(const struct tuple *a, const struct tuple *b)
{
	return a->n_proto == b->n_proto && a->proto == b->proto && a->sport == b->sport &&
	       a->dport == b->dport && !memcmp(a->src, b->src, 16) && !memcmp(a->dst, b->dst, 16);
}

/* Of two rules the newer: it is at its list's head. One table of all cards is MediaTek's. */
struct rule *natnic_table_find(struct port *p, const struct tuple *key)
{
	bool shared = is_mtk();
	struct rule *r;

	hash_for_each_possible(table, r, hash, natnic_key_hash(key))
		if (is_same(&r->key, key) &&
		    (shared || (r->port == p && r->ifindex == p->nic->ifindex)))
			return r;
	return NULL;
}

static struct rule *find_cookie(struct port *p, unsigned long cookie)
{
	bool shared = is_mtk();
	struct rule *r;

	list_for_each_entry(r, &rules, list)
		if (r->cookie == cookie && (shared || r->port == p))
			return r;
	return NULL;
}

static int replace(struct port *p, struct flow_cls_offload *cls)
{
	struct rule *r = natnic_rule_read(p, cls);
	int err = 0;

	if (IS_ERR(r))
		return PTR_ERR(r);
	spin_lock_bh(&lock);
	if (find_cookie(p, cls->cookie)) {
		err = -EEXIST;
	} else if (places && rule_count >= places) {
		err = -ENOSPC;
	} else {
		hash_add(table, &r->hash, natnic_key_hash(&r->key));
		list_add_tail(&r->list, &rules);
		rule_count++;
	}
	spin_unlock_bh(&lock);
	if (err)
		kfree(r);
	return err;
}

static int unknown(void)
{
	return natnic_driver == MLX5 ? -EINVAL : -ENOENT;
}

static int destroy(struct port *p, unsigned long cookie)
{
	struct rule *r;

	spin_lock_bh(&lock);
	r = find_cookie(p, cookie);
	if (r) {
		hash_del(&r->hash);
		list_del(&r->list);
		rule_count--;
	}
	spin_unlock_bh(&lock);
	kfree(r);
	return r ? 0 : unknown();
}

static void forget(void)
{
	struct rule *r, *next;

	list_for_each_entry_safe(r, next, &rules, list) {
		hash_del(&r->hash);
		list_del(&r->list);
		kfree(r);
	}
	rule_count = 0;
}

/* Counts that mlx5 tells are those of the last time that it looked. */
static void look(struct rule *r)
{
	if (natnic_driver == MLX5 && r->cached_at && time_before(jiffies, r->cached_at + HZ))
		return;
	r->cached_at = jiffies ?: 1;
	memcpy(r->cached, r->count, sizeof(r->count));
}

/* mtk reckons from its clock alone what was never forwarded: used when that was 0. */
static unsigned long last_used(const struct rule *r)
{
	bool clock = natnic_driver == MTK || natnic_driver == MT7621;

	return clock && !r->count[0] ? jiffies - jiffies / HZ % 256 * HZ : r->used;
}

static int stats(struct port *p, struct flow_cls_offload *cls)
{
	struct rule *r;

	spin_lock_bh(&lock);
	r = find_cookie(p, cls->cookie);
	if (r) {
		look(r);
		if (natnic_driver != MT7621) {
			cls->stats.pkts += r->cached[0] - r->told[0];
			cls->stats.bytes += r->cached[1] - r->told[1];
		}
		cls->stats.lastused = last_used(r);
		memcpy(r->told, r->cached, sizeof(r->told));
	}
	spin_unlock_bh(&lock);
	return r ? 0 : unknown();
}

static int rule_call(enum tc_setup_type type, void *data, void *priv)
{
	struct flow_cls_offload *cls = data;
	struct port *p = priv;
	int kind, err;

	might_sleep();
	if (type != TC_SETUP_CLSFLOWER || !tc_can_offload(p->nic))
		return -EOPNOTSUPP;
	if (WARN_ON_ONCE(!cls->common.extack))
		return -EINVAL;
	kind = cls->command == FLOW_CLS_REPLACE ? REPLACE :
	       cls->command == FLOW_CLS_DESTROY ? DESTROY : STATS;
	err = failure(kind);
	if (kind == DESTROY && (err == -ENOENT || err == -EINVAL))	/* so it is */
		destroy(p, cls->cookie);
	if (!err)
		err = kind == REPLACE ? replace(p, cls) :
		      kind == DESTROY ? destroy(p, cls->cookie) : stats(p, cls);
	note(kind, p, cls->cookie, err);
	return err;
}

static int bind(struct port *p, struct flow_block_offload *bo)
{
	struct flow_block_cb *cb;
	int err = failure(BIND);

	if (err || natnic_driver == NETDEVSIM)
		return err;
	if (natnic_driver == MLX5 && flow_block_cb_is_busy(rule_call, p, &callbacks))
		return -EBUSY;
	cb = flow_block_cb_lookup(bo->block, rule_call, p);
	if (cb) {
		flow_block_cb_incref(cb);
		return 0;
	}
	cb = flow_block_cb_alloc(rule_call, p, p, NULL);
	if (IS_ERR(cb))
		return PTR_ERR(cb);
	flow_block_cb_incref(cb);
	flow_block_cb_add(cb, bo);
	list_add_tail(&cb->driver_list, &callbacks);
	return 0;
}

/* As mtk's: rules stay. nft_unregister_flowtable_hook() comes before nf_flow_table_free(). */
static int unbind(struct port *p, struct flow_block_offload *bo)
{
	struct flow_block_cb *cb;

	if (natnic_driver == NETDEVSIM)
		return 0;
	cb = flow_block_cb_lookup(bo->block, rule_call, p);
	if (!cb)
		return -ENOENT;
	if (!flow_block_cb_decref(cb)) {
		flow_block_cb_remove(cb, bo);
		list_del(&cb->driver_list);
	}
	return 0;
}

static int setup_tc(struct net_device *dev, enum tc_setup_type type, void *data)
{
	struct port *p = natnic_port_find(dev);
	struct flow_block_offload *bo = data;
	int err;

	if (type != TC_SETUP_FT || !p)
		return -EOPNOTSUPP;
	if (bo->binder_type != FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS)
		return -EOPNOTSUPP;
	bo->driver_block_list = &callbacks;
	err = bo->command == FLOW_BLOCK_BIND ? bind(p, bo) : unbind(p, bo);
	note(bo->command == FLOW_BLOCK_BIND ? BIND : UNBIND, p, 0, err);
	return err;
}

/* The CPU sends. */
static netdev_tx_t nic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct port *p = natnic_port_find(dev);

	skb->ip_summed = CHECKSUM_NONE;
	if (p)
		dev_forward_skb(p->wire, skb);
	else
		kfree_skb(skb);
	return NETDEV_TX_OK;
}

/* A frame arrives at the card. */
static netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct port *p = *(struct port **)netdev_priv(dev), *out;
	unsigned int size = skb->len;

	if (skb_linearize(skb) || skb_cow(skb, 0)) {
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	skb->ip_summed = CHECKSUM_NONE;
	spin_lock_bh(&lock);
	out = netif_running(p->nic) ? natnic_rule_forward(p, skb) : NULL;
	(out ? p->hw : p->cpu)[0]++;
	(out ? p->hw : p->cpu)[1] += size;
	spin_unlock_bh(&lock);
	if (out && p->swallows)
		kfree_skb(skb);
	else
		dev_forward_skb(out ? out->wire : p->nic, skb);
	return NETDEV_TX_OK;
}

/* What the kernel says when somebody adds a rule for routes. */
static void tell_rule(struct net *net)
{
	struct sk_buff *skb = nlmsg_new(sizeof(struct fib_rule_hdr), GFP_ATOMIC);
	struct nlmsghdr *nlh;

	if (!skb)
		return;
	nlh = nlmsg_put(skb, 0, 0, RTM_NEWRULE, sizeof(struct fib_rule_hdr), 0);
	memset(nlmsg_data(nlh), 0, sizeof(struct fib_rule_hdr));
	((struct fib_rule_hdr *)nlmsg_data(nlh))->family = AF_INET;
	rtnl_notify(skb, net, 0, RTNLGRP_IPV4_RULE, NULL, GFP_ATOMIC);
}

/* As dev_fill_forward_path() for a card without it. */
static int fill_nic_path(struct net_device_path_ctx *ctx, struct net_device_path *path)
{
	path->type = DEV_PATH_ETHERNET;
	path->dev = ctx->dev;
	if (READ_ONCE(storm))
		tell_rule(dev_net(ctx->dev));
	ctx->dev = NULL;
	return 0;
}

static const struct net_device_ops nic_ops = {
	.ndo_start_xmit = nic_xmit,
	.ndo_setup_tc = setup_tc,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_fill_forward_path = fill_nic_path,
};

/* As mt76's (mac80211.c:mt76_net_fill_forward_path()). */
static int fill_wlan_path(struct net_device_path_ctx *ctx, struct net_device_path *path)
{
	path->type = DEV_PATH_MTK_WDMA;
	path->dev = ctx->dev;
	ctx->dev = NULL;
	return 0;
}

static const struct net_device_ops wlan_ops = {
	.ndo_start_xmit = nic_xmit,
	.ndo_setup_tc = setup_tc,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_fill_forward_path = fill_wlan_path,
};

static const struct net_device_ops wire_ops = {
	.ndo_start_xmit = wire_xmit,
	.ndo_set_mac_address = eth_mac_addr,
};

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, told_as[natnic_driver], sizeof(info->driver));
}

static const struct ethtool_ops nic_ethtool_ops = {
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
};

static void show_rule(struct seq_file *m, const struct rule *r)
{
	seq_printf(m, "rule %s cookie=%lx bound=%d packets=%llu bytes=%llu %s\n",
		   r->port->nic->name, r->cookie, r->bound, r->count[0], r->count[1], r->text);
}

static int show(struct seq_file *m, void *v)
{
	struct flow_block_cb *cb;
	unsigned int i, bound = 0;
	struct rule *r;

	rtnl_lock();
	list_for_each_entry(cb, &callbacks, driver_list)
		bound++;
	rtnl_unlock();
	seq_printf(m, "callbacks %u\n", bound);
	spin_lock_bh(&lock);
	seq_printf(m, "rules %u\n", rule_count);
	for (i = 0; i < ports; i++)
		seq_printf(m, "port %s hw %llu %llu cpu %llu %llu\n", port[i].nic->name,
			   port[i].hw[0], port[i].hw[1], port[i].cpu[0], port[i].cpu[1]);
	list_for_each_entry(r, &rules, list)
		show_rule(m, r);
	for (i = 0; i < min_t(unsigned int, calls, CALLS_MAX); i++)
		seq_printf(m, "call %s %s %lx %d\n", kinds[call[i].kind],
			   port[call[i].port].nic->name, call[i].cookie, call[i].err);
	seq_printf(m, "calls %u\n", calls);
	spin_unlock_bh(&lock);
	return 0;
}

static int proc_open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static void set_failure(const char *kind, unsigned int nth, int err)
{
	int i = match_string(kinds, KINDS, kind);

	if (i >= 0) {
		fail[i].left = nth;
		fail[i].err = err;
	}
}

static void set_swallow(const char *name, bool on)
{
	int i;

	for (i = 0; i < ports; i++)
		if (!strcmp(port[i].nic->name, name))
			port[i].swallows = on;
}

static bool start_hold(const char *what)
{
	bool rtnl = !strncmp(what, "rtnl", 4), features = !strncmp(what, "features", 8);

	rtnl_lock();
	hold_features |= features;
	if (rtnl)
		hold();
	rtnl_unlock();
	return rtnl || features;
}

static ssize_t proc_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	char line[64] = {}, word[16];
	unsigned int n;
	bool known = true;
	int err;

	if (copy_from_user(line, buf, min(size, sizeof(line) - 1)))
		return -EFAULT;
	if (!strncmp(line, "go", 2)) {
		complete(&go);
		return size;
	}
	if (!strncmp(line, "hold ", 5))
		return start_hold(line + 5) ? size : -EINVAL;
	spin_lock_bh(&lock);
	if (!strncmp(line, "clear", 5))
		calls = 0;
	else if (!strncmp(line, "forget", 6))
		forget();
	else if (sscanf(line, "fail %15s %u %d", word, &n, &err) == 3)
		set_failure(word, n, err);
	else if (sscanf(line, "swallow %15s %u", word, &n) == 2)
		set_swallow(word, n);
	else if (sscanf(line, "random %u", &n) == 1)
		random_one_in = n;
	else if (sscanf(line, "places %u", &n) == 1)
		places = n;
	else if (sscanf(line, "rate %u", &n) == 1)
		natnic_rate = n;
	else if (sscanf(line, "storm %u", &n) == 1)
		WRITE_ONCE(storm, n);
	else
		known = false;
	spin_unlock_bh(&lock);
	return known ? size : -EINVAL;
}

static const struct proc_ops proc_ops = {
	.proc_open = proc_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = proc_write,
};

static int features_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_FEAT_CHANGE && hold_features && natnic_port_find(dev) &&
	    !tc_can_offload(dev)) {
		hold_features = false;
		hold();
	}
	return NOTIFY_DONE;
}

/* Before any other. */
static struct notifier_block features_nb = { .notifier_call = features_event, .priority = INT_MAX };

static struct net_device *make(const char *name, const struct net_device_ops *ops, struct port *p)
{
	struct net_device *dev = alloc_netdev(sizeof(p), name, NET_NAME_ENUM, ether_setup);

	if (!dev)
		return NULL;
	*(struct port **)netdev_priv(dev) = p;
	dev->netdev_ops = ops;
	dev->priv_flags |= IFF_NO_QUEUE | IFF_LIVE_ADDR_CHANGE;
	dev->max_mtu = 9000;
	eth_hw_addr_random(dev);
	if (ops != &wire_ops) {
		dev->ethtool_ops = &nic_ethtool_ops;
		dev->hw_features |= NETIF_F_HW_TC;
		dev->features |= NETIF_F_HW_TC;
	}
	if (!register_netdev(dev))
		return dev;
	free_netdev(dev);
	return NULL;
}

static void natnic_exit(void)
{
	int i;

	remove_proc_entry("natnic", NULL);
	unregister_netdevice_notifier(&features_nb);
	for (i = 0; i < ports; i++) {
		if (port[i].wire)
			unregister_netdev(port[i].wire);
		if (port[i].nic)
			unregister_netdev(port[i].nic);
	}
	/* Frames on their way looked at both ends. */
	for (i = 0; i < ports; i++) {
		if (port[i].wire)
			free_netdev(port[i].wire);
		if (port[i].nic)
			free_netdev(port[i].nic);
	}
	WARN_ON(!list_empty(&callbacks));
	forget();
}

static int __init natnic_init(void)
{
	int i;

	natnic_driver = match_string(drivers, ARRAY_SIZE(drivers), driver);
	if (natnic_driver < 0 || ports < 1 || ports > PORTS_MAX)
		return -EINVAL;
	if (!proc_create("natnic", 0600, NULL, &proc_ops))
		return -ENOMEM;
	register_netdevice_notifier(&features_nb);
	for (i = 0; i < ports; i++) {
		port[i].nic = make("nic%d", i == wlan ? &wlan_ops : &nic_ops, &port[i]);
		if (port[i].nic)
			port[i].wire = make("wire%d", &wire_ops, &port[i]);
		if (!port[i].wire) {
			natnic_exit();
			return -ENOMEM;
		}
	}
	return 0;
}
module_init(natnic_init);
module_exit(natnic_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("cards of the lab's that forward by rules");
