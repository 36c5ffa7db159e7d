// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family "natflow", see include/uapi/linux/natflow.h.
 *
 * SET takes the lines of the devices in /dev, by the same tables, so nothing can be set
 * by one door only. A socket keeps its namespace, so natflow's part of that stays while a
 * call runs.
 */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include "../core/base/attach.h"
#include "../core/base/ct.h"
#include "../core/base/log.h"
#include "../core/topo/egress.h"
#include "../include/uapi/linux/natflow.h"
#include "../lib/text/filter.h"
#include "ctl.h"
#include "door.h"
#include "flows.h"
#include "netlink.h"
#include "settings.h"
#include "transaction.h"

/* Slots of the table that are looked at in one RCU section. */
#define LOOKS	65536U

static struct genl_family family;

/* -- GET */

static int put_reason(struct sk_buff *skb, enum natflow_reason reason, u64 count)
{
	struct nlattr *nest = nla_nest_start(skb, NATFLOW_A_REASON);

	if (!nest || nla_put_u32(skb, NATFLOW_A_REASON_ID, reason) ||
	    nla_put_string(skb, NATFLOW_A_REASON_GROUP, natflow_reason_group(reason)) ||
	    nla_put_string(skb, NATFLOW_A_REASON_KEY, natflow_reason_key(reason)) ||
	    nla_put_u64_64bit(skb, NATFLOW_A_REASON_COUNT, count, NATFLOW_A_REASON_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_sums(struct sk_buff *skb, const struct natflow_stats *sum)
{
	unsigned int i;
	int err;

	if (nla_put_u64_64bit(skb, NATFLOW_A_PACKETS, sum->hits, NATFLOW_A_PAD) ||
	    nla_put_u64_64bit(skb, NATFLOW_A_BYTES, sum->bytes, NATFLOW_A_PAD))
		return -EMSGSIZE;
	for (i = 1; i <= NATFLOW_REASON_MAX; i++) {
		err = put_reason(skb, i, sum->reason[i]);
		if (err)
			return err;
	}
	return 0;
}

static int put_summary(struct sk_buff *skb, struct natflow_net *nn, const struct natflow_stats *sum)
{
	const u32 halves = READ_ONCE(nn->flows.half_count);
	const struct natflow_table *table;
	char text[32];
	u32 limit;

	rcu_read_lock();
	table = rcu_dereference(nn->flows.table);
	limit = table ? table->limit : READ_ONCE(nn->config.flow_limit);
	rcu_read_unlock();
	if (nla_put_string(skb, NATFLOW_A_VERSION, NATFLOW_VERSION) ||
	    nla_put_u8(skb, NATFLOW_A_DISABLED, READ_ONCE(nn->config.disabled)) ||
	    nla_put_string(skb, NATFLOW_A_SELECT,
			   natflow_settings_select(nn, text, sizeof(text))) ||
	    nla_put_u32(skb, NATFLOW_A_RULES, atomic_read(&nn->rules)) ||
	    nla_put_u8(skb, NATFLOW_A_LEARNING, READ_ONCE(nn->learning)) ||
	    nla_put_u8(skb, NATFLOW_A_HOOKED, natflow_settings_hooked(nn)) ||
	    nla_put_u32(skb, NATFLOW_A_FLOWS, READ_ONCE(nn->flows.count) - halves) ||
	    nla_put_u32(skb, NATFLOW_A_HALVES, halves) ||
	    nla_put_u32(skb, NATFLOW_A_LIMIT, limit))
		return -EMSGSIZE;
	return put_sums(skb, sum);
}

static int get(struct sk_buff *unused, struct genl_info *info)
{
	struct natflow_net *nn = natflow_net(genl_info_net(info));
	struct natflow_stats *sum = kmalloc(sizeof(*sum), GFP_KERNEL);
	struct sk_buff *skb = genlmsg_new(SZ_16K, GFP_KERNEL);
	void *message;
	int err = -ENOMEM;

	if (!sum || !skb)
		goto out;
	natflow_stats_sum(nn->pcpu, sum);
	message = genlmsg_put_reply(skb, info, &family, 0, NATFLOW_CMD_GET);
	err = message ? put_summary(skb, nn, sum) : -EMSGSIZE;
	if (err)
		goto out;
	genlmsg_end(skb, message);
	kfree(sum);
	return genlmsg_reply(skb, info);
out:
	kfree(sum);
	nlmsg_free(skb);
	return err;
}

/* -- SET */

/* The lines of a message, and the one that is to blame. */
struct lines {
	struct natflow_net *nn;
	const struct natflow_device *device;
	struct natflow_held held;
	struct natflow_line line;
	struct natflow_command cmd;
};

/* @cmd says what was expected, unless memory was short. Constant texts only reach @info. */
static int refuse(struct lines *l, struct genl_info *info, const struct nlattr *attr, int err)
{
	if (!l->cmd.expected) {
		NL_SET_ERR_MSG(info->extack, "no memory, nothing was changed");
		return err;
	}
	natflow_ctl_complain(l->nn, l->device, &l->cmd);
	NL_SET_ERR_MSG_ATTR(info->extack, attr,
			    "this line is refused, nothing was changed; natflow_log says why");
	return err;
}

/* A line that a message cannot have. */
static int unable(struct lines *l, struct genl_info *info, const struct nlattr *attr,
		  const char *expected, int err)
{
	natflow_command_refuse(&l->cmd, expected, l->device->grammar.example, err);
	return refuse(l, info, attr, err);
}

static int hold(struct lines *l, struct genl_info *info, const struct nlattr *attr)
{
	struct natflow_command *cmd = &l->cmd;
	int err = natflow_command_parse(&l->device->grammar, l->line.text, cmd);

	cmd->line = l->line.number;
	if (err)
		return refuse(l, info, attr, err);
	if (!cmd->verb)
		return 0;
	if (cmd->verb == &natflow_verb_begin || cmd->verb == &natflow_verb_commit)
		return unable(l, info, attr, "no begin, no commit: a message is all or nothing",
			      -EINVAL);
	if (cmd->body)
		return unable(l, info, attr, "lists to be written to the device", -EOPNOTSUPP);
	err = natflow_held_add(&l->held, l->line.text, cmd->line);
	if (err == -E2BIG)
		return unable(l, info, attr, "at most 2048 lines in a message", err);
	cmd->expected = err ? NULL : cmd->expected;
	return err ? refuse(l, info, attr, err) : 0;
}

/* The text of an attribute; the newline at its end may be missing. */
static int read_lines(struct lines *l, struct genl_info *info, const struct nlattr *attr)
{
	const char *text = nla_data(attr), *end = text + strnlen(text, nla_len(attr));
	int complete, err = 0;

	while (text <= end && !err) {
		complete = natflow_line_push(&l->line, text == end ? '\n' : *text);
		text++;
		if (complete < 0) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "expected at most 255 printable bytes in a line");
			err = complete;
		} else if (complete) {
			err = hold(l, info, attr);
		}
	}
	return err;
}

/* The attribute of line @number. */
static const struct nlattr *attribute_of(struct genl_info *info, u32 number)
{
	const struct nlattr *attr;
	int rest;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rest)
		if (nla_type(attr) == NATFLOW_A_LINE && !--number)
			break;
	return rest > 0 ? attr : NULL;
}

static int run_lines(struct lines *l, struct genl_info *info)
{
	const struct nlattr *attr;
	int rest, err = 0;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rest) {
		if (nla_type(attr) != NATFLOW_A_LINE)
			continue;
		err = read_lines(l, info, attr);
		if (err)
			return err;
	}
	err = natflow_held_run(&l->held, &l->device->grammar, l->nn, &l->cmd);
	natflow_attach_settle(l->nn);
	return err ? refuse(l, info, attribute_of(info, l->cmd.line), err) : 0;
}

static int set(struct sk_buff *skb, struct genl_info *info)
{
	struct natflow_net *nn = natflow_net(genl_info_net(info));
	struct nlattr *device = info->attrs[NATFLOW_A_DEVICE];
	struct lines *l;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, NATFLOW_A_DEVICE) ||
	    GENL_REQ_ATTR_CHECK(info, NATFLOW_A_LINE))
		return -EINVAL;
	l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	if (!l)
		return -ENOMEM;
	l->nn = nn;
	l->device = natflow_ctl_device_named(nla_data(device));
	if (!l->device) {
		NL_SET_ERR_MSG_ATTR(info->extack, device,
				    "no such device, expected one as natflow_ctl");
		kfree(l);
		return -ENODEV;
	}
	natflow_held_init(&l->held);
	natflow_words_hold();
	mutex_lock(&nn->door->lock);
	err = run_lines(l, info);
	mutex_unlock(&nn->door->lock);
	natflow_words_release();
	natflow_held_drop(&l->held);
	kfree(l);
	return err;
}

/* -- FLOW_GET */

/* netlink_callback.ctx of a dump. */
struct dump {
	loff_t pos;
	struct natflow_filter *filter;	/* NULL: all */
};

static struct dump *dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct dump) > sizeof(cb->ctx));
	return (struct dump *)cb->ctx;
}

static int put_end(struct sk_buff *skb, const union natflow_key *key, u8 family, bool behind)
{
	const struct natflow_key_tail *tail = natflow_key_tail((void *)key, family);
	const unsigned int len = family == NFPROTO_IPV4 ? 4 : 16;
	const unsigned int more = behind ? NATFLOW_A_DIR_TO_SRC - NATFLOW_A_DIR_SRC : 0;
	const u8 *addr = (const u8 *)key;

	return nla_put(skb, NATFLOW_A_DIR_SRC + more, len, addr) ?:
	       nla_put(skb, NATFLOW_A_DIR_DST + more, len, addr + len) ?:
	       nla_put_be16(skb, NATFLOW_A_DIR_SPORT + more, tail->ports.sport) ?:
	       nla_put_be16(skb, NATFLOW_A_DIR_DPORT + more, tail->ports.dport);
}

static int put_devices(struct sk_buff *skb, struct natflow_flow *flow, unsigned int d)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	const struct natflow_egress *eg = rcu_dereference(dir->egress);
	const int in = READ_ONCE(flow->iif[d]);

	if (in && nla_put_u32(skb, NATFLOW_A_DIR_IN, in))
		return -EMSGSIZE;
	return eg && READ_ONCE(eg->alive) ?
	       nla_put_u32(skb, NATFLOW_A_DIR_OUT, eg->out->ifindex) : 0;
}

static int put_dir(struct sk_buff *skb, struct natflow_flow *flow, unsigned int d)
{
	struct nlattr *nest = nla_nest_start(skb, d ? NATFLOW_A_REPLY : NATFLOW_A_ORIG);
	const u8 family = natflow_flow_family(flow);
	union natflow_key key;
	u64 packets, bytes;

	if (!nest)
		return -EMSGSIZE;
	natflow_flows_traffic(flow, d, &packets, &bytes);
	natflow_ct_key(flow->ct, d, 0, &key);
	if (put_end(skb, &key, family, false))
		return -EMSGSIZE;
	natflow_ct_after(flow->ct, d, &key);
	if (put_end(skb, &key, family, true) || put_devices(skb, flow, d) ||
	    nla_put_u64_64bit(skb, NATFLOW_A_DIR_PACKETS, packets, NATFLOW_A_DIR_PAD) ||
	    nla_put_u64_64bit(skb, NATFLOW_A_DIR_BYTES, bytes, NATFLOW_A_DIR_PAD))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* Context: RCU read side. Return: 0 or -EMSGSIZE: not in this skb. */
static int put_flow(struct sk_buff *skb, struct netlink_callback *cb, struct natflow_flow *flow)
{
	const u32 idle = jiffies_to_msecs(jiffies - READ_ONCE(flow->used));
	void *message = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family,
				    NLM_F_MULTI, NATFLOW_CMD_FLOW_GET);

	if (!message)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, message);
	if (nla_put_be32(skb, NATFLOW_A_ID, natflow_ct_id(flow->ct)) ||
	    nla_put_u8(skb, NATFLOW_A_FAMILY, natflow_flow_family(flow)) ||
	    nla_put_u8(skb, NATFLOW_A_PROTOCOL, natflow_ct_proto(flow->ct)) ||
	    nla_put_u8(skb, NATFLOW_A_STATE, natflow_flows_state(flow)) ||
	    nla_put_u8(skb, NATFLOW_A_HW, natflow_flows_hw(flow)) ||
	    nla_put_u32(skb, NATFLOW_A_IDLE, idle) ||
	    put_dir(skb, flow, 0) || put_dir(skb, flow, 1)) {
		genlmsg_cancel(skb, message);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, message);
	return 0;
}

/* As many flows as fit, from one RCU section. Return: is it over, by the end or a full skb? */
static bool put_some(struct sk_buff *skb, struct netlink_callback *cb, struct natflow_net *nn)
{
	struct dump *dump = dump_of(cb);
	struct natflow_flow *flow = NULL;
	unsigned int looks = LOOKS;

	cb->seq = 1 + READ_ONCE(nn->flows.resizes);
	while ((flow = natflow_flows_from(nn, flow, &dump->pos, &looks))) {
		if ((!dump->filter || natflow_flows_match(flow, dump->filter)) &&
		    put_flow(skb, cb, flow))
			return true;
		dump->pos++;
	}
	return looks;
}

static int dump_flows(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct natflow_net *nn = natflow_net(sock_net(skb->sk));
	bool over;

	do {
		rcu_read_lock();
		over = put_some(skb, cb, nn);
		rcu_read_unlock();
		cond_resched();
	} while (!over);
	return skb->len;
}

/* A filter is what may stand behind the word flush. */
static int start_flows(struct netlink_callback *cb)
{
	struct nlattr *attr = natflow_compat_dump_attrs(cb)[NATFLOW_A_FILTER];
	struct dump *dump = dump_of(cb);
	struct natflow_command *cmd;
	int err = -ENOMEM;

	if (!attr)
		return 0;
	cmd = kzalloc(sizeof(*cmd), GFP_KERNEL);
	dump->filter = kzalloc(sizeof(*dump->filter), GFP_KERNEL_ACCOUNT);
	if (cmd && dump->filter) {
		nla_strscpy(cmd->text, attr, sizeof(cmd->text));
		err = natflow_filter_parse(cmd->text, &natflow_verb_flush, cmd);
		*dump->filter = *NATFLOW_ARGS(cmd, struct natflow_filter);
		if (err)
			NL_SET_ERR_MSG_ATTR(cb->extack, attr,
					    "expected conditions as behind the word flush");
	}
	if (err)
		kfree(dump->filter);
	kfree(cmd);
	return err;
}

static int end_flows(struct netlink_callback *cb)
{
	kfree(dump_of(cb)->filter);
	return 0;
}

/* -- the family */

static const struct nla_policy policy[NATFLOW_A_MAX + 1] = {
	[NATFLOW_A_DEVICE] = { .type = NLA_NUL_STRING, .len = 31 },
	[NATFLOW_A_LINE] = { .type = NLA_NUL_STRING, .len = NATFLOW_LINE_MAX - 1 },
	[NATFLOW_A_FILTER] = { .type = NLA_NUL_STRING, .len = NATFLOW_LINE_MAX - 1 },
};

static const struct genl_ops ops[] = {
	{ .cmd = NATFLOW_CMD_GET, .doit = get },
	{ .cmd = NATFLOW_CMD_SET, .doit = set, .flags = GENL_UNS_ADMIN_PERM },
	{ .cmd = NATFLOW_CMD_FLOW_GET, .start = start_flows, .dumpit = dump_flows,
	  .done = end_flows, .flags = GENL_UNS_ADMIN_PERM },
};

static struct genl_family family __ro_after_init = {
	.name		= NATFLOW_GENL_NAME,
	.version	= NATFLOW_GENL_VERSION,
	.maxattr	= NATFLOW_A_MAX,
	.policy		= policy,
	.ops		= ops,
	.n_ops		= ARRAY_SIZE(ops),
	.resv_start_op	= NATFLOW_CMD_GET,
	.netnsok	= true,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
};

/**
 * natflow_netlink_init() - be found by the name "natflow"
 *
 * Return: 0 or an errno.
 */
int __init natflow_netlink_init(void)
{
	return genl_register_family(&family);
}

/** natflow_netlink_exit() - the reverse; a dump that is not at its end keeps the module */
void natflow_netlink_exit(void)
{
	genl_unregister_family(&family);
}
