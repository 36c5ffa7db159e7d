// SPDX-License-Identifier: GPL-2.0-only
/* What the commands of natflow_ctl do. Each is applied as a whole or not at all. */
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include "settings.h"
#include "../core/doubt.h"
#include "../core/base/ct.h"
#include "../core/topo/egress.h"
#include "../core/hooks.h"
#include "../core/base/log.h"
#include "../core/topo/port.h"
#include "../core/rules.h"
#include "../core/flow/flow.h"
#include "../lib/text/command.h"
#include "../natflow_urllogger.h"

static void set_flow_limit(struct natflow_net *nn, struct natflow_table *table)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.flow_limit, table->limit);
	natflow_flow_resize(nn, table);
	mutex_unlock(&nn->lock);
}

static void set_disabled(struct natflow_net *nn, bool disabled)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.disabled, disabled);
	if (!disabled)
		WRITE_ONCE(nn->config.enabled_once, true);
	mutex_unlock(&nn->lock);
	natflow_hooks_update(nn);
}

static void set_select(struct natflow_net *nn, const struct natflow_command *cmd)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.mark, cmd->mark);
	WRITE_ONCE(nn->config.mark_mask, cmd->mask);
	WRITE_ONCE(nn->config.select, cmd->value);
	mutex_unlock(&nn->lock);
	natflow_hooks_update(nn);
}

static void set_revalidate(struct natflow_net *nn, bool revalidate)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.revalidate, revalidate);
	mutex_unlock(&nn->lock);
	natflow_rules_tick(nn, true);	/* packets know now where the tables are */
	natflow_hooks_update(nn);
}

static void set_group(struct natflow_net *nn, const struct natflow_group *group)
{
	rtnl_lock();
	if (natflow_port_regroup(nn, group))
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
	rtnl_unlock();
}

static void list_devices(struct natflow_net *nn)
{
	struct net_device *dev;

	rtnl_lock();
	for_each_netdev(nn->net, dev) {
		struct natflow_port *port = natflow_port_find(nn, dev->ifindex);

		natflow_log(nn, NATFLOW_LOG_ERROR, "device %s ifindex=%d mtu=%u port=%s group=%d",
			    dev->name, dev->ifindex, dev->mtu,
			    port ? "hooked" : natflow_port_device_ok(dev) ? "idle" : "unsuitable",
			    port ? port->in_group : 0);
	}
	rtnl_unlock();
}

static bool leaves_by(struct natflow_flow *flow, unsigned int dir, const char *name)
{
	const struct natflow_egress *eg =
		rcu_dereference(natflow_flow_dir(flow, dir, natflow_flow_family(flow))->egress);

	return eg && READ_ONCE(eg->alive) && !strcmp(eg->dev->name, name);
}

static bool comes_in_by(struct natflow_flow *flow, unsigned int dir, const char *name)
{
	const struct net_device *dev = dev_get_by_index_rcu(flow->nn->net,
							    READ_ONCE(flow->iif[dir]));

	return dev && !strcmp(dev->name, name);
}

static bool passes_device(struct natflow_flow *flow, const char *name)
{
	return comes_in_by(flow, 0, name) || comes_in_by(flow, 1, name) ||
	       leaves_by(flow, 0, name) || leaves_by(flow, 1, name);
}

/* Context: RCU read side. */
static bool flow_matches(struct natflow_flow *flow, const void *arg)
{
	const struct natflow_filter *f = arg;
	u8 family = natflow_flow_family(flow);
	const struct natflow_key_tail *tail;
	const u8 *src, *dst;
	union natflow_key key;

	natflow_ct_key(flow->ct, IP_CT_DIR_ORIGINAL, 0, &key);
	tail = natflow_key_tail(&key, family);
	src = (const u8 *)&key;
	dst = src + (family == NFPROTO_IPV4 ? 4 : 16);
	if ((f->src_family && f->src_family != family) ||
	    (f->dst_family && f->dst_family != family))
		return false;
	return (!f->proto || f->proto == natflow_ct_proto(flow->ct)) &&
	       (!f->src_family || natflow_prefix_match(src, f->src, f->src_len)) &&
	       (!f->dst_family || natflow_prefix_match(dst, f->dst, f->dst_len)) &&
	       (!f->sport || f->sport == ntohs(tail->ports.sport)) &&
	       (!f->dport || f->dport == ntohs(tail->ports.dport)) &&
	       (!*f->dev || passes_device(flow, f->dev));
}

/* What is made before anything is changed. NULL: stays as it is. */
struct plan {
	struct natflow_table *table;
	struct natflow_group *group;
	struct natflow_log_skip *skip;
};

static int plan_group(const struct natflow_net *nn, struct natflow_command *cmd,
		      struct plan *plan)
{
	struct natflow_group *group = plan->group;

	if (!group) {
		group = kmemdup(&nn->group, sizeof(*group), GFP_KERNEL);
		if (!group)
			return -ENOMEM;
		plan->group = group;
	}
	if (cmd->verb == NATFLOW_CMD_GROUP_CLEAR) {
		group->count = 0;
		return 0;
	}
	if (natflow_port_named(group, cmd->name))
		return 0;
	if (group->count == NATFLOW_GROUP_MAX)
		return natflow_command_refuse(cmd, "at most 32 names", "ifname_group_clear",
					      -ENOSPC);
	strscpy(group->name[group->count++], cmd->name, IFNAMSIZ);
	return 0;
}

static int plan_skip(const struct natflow_net *nn, struct natflow_command *cmd, struct plan *plan)
{
	const struct natflow_log_skip *old = natflow_urllogger_skip(nn);
	struct natflow_log_skip *skip = plan->skip;
	unsigned int i;

	if (!skip) {
		skip = old ? kmemdup(old, sizeof(*old), GFP_KERNEL) :
			     kzalloc(sizeof(*skip), GFP_KERNEL);
		if (!skip)
			return -ENOMEM;
		plan->skip = skip;
	}
	if (cmd->verb == NATFLOW_CMD_LOG_SKIP_CLEAR) {
		skip->count = 0;
		return 0;
	}
	for (i = 0; i < skip->count; i++)
		if (!strcmp(skip->text[i], cmd->url))
			return 0;
	if (skip->count == NATFLOW_LOG_SKIP_MAX)
		return natflow_command_refuse(cmd, "at most 16 of them", "log_skip_clear", -ENOSPC);
	skip->source[i] = cmd->source;
	strscpy(skip->text[i], cmd->url, sizeof(skip->text[i]));
	skip->count++;
	return 0;
}

/* Everything that can fail; the table last, so that only the group may have to be freed. */
static int prepare(struct natflow_net *nn, struct natflow_command *cmd, unsigned int count,
		   struct plan *plan)
{
	u32 limit = nn->config.flow_limit;
	unsigned int i;
	int err = 0;

	for (i = 0; i < count && !err; i++) {
		if (cmd[i].verb == NATFLOW_CMD_FLOW_LIMIT)
			limit = cmd[i].value;
		else if (cmd[i].verb == NATFLOW_CMD_GROUP_ADD ||
			 cmd[i].verb == NATFLOW_CMD_GROUP_CLEAR)
			err = plan_group(nn, &cmd[i], plan);
		else if (cmd[i].verb == NATFLOW_CMD_LOG_SKIP ||
			 cmd[i].verb == NATFLOW_CMD_LOG_SKIP_CLEAR)
			err = plan_skip(nn, &cmd[i], plan);
	}
	if (err || limit == nn->config.flow_limit)
		return err;
	plan->table = natflow_table_alloc(limit);
	return plan->table ? 0 : -ENOMEM;
}

/* One command; nothing here can fail. */
static void apply(struct natflow_net *nn, const struct natflow_command *cmd)
{
	switch (cmd->verb) {
	case NATFLOW_CMD_DISABLED:
		set_disabled(nn, cmd->value);
		break;
	case NATFLOW_CMD_SELECT:
		set_select(nn, cmd);
		break;
	case NATFLOW_CMD_DELAY_PKTS:
		WRITE_ONCE(nn->config.delay_pkts, cmd->value);
		break;
	case NATFLOW_CMD_GROUP_TYPE:
		WRITE_ONCE(nn->config.group_type, cmd->value);
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
		break;
	case NATFLOW_CMD_DEBUG:
		WRITE_ONCE(nn->config.debug, cmd->value);
		break;
	case NATFLOW_CMD_REVALIDATE:
		set_revalidate(nn, cmd->value);
		break;
	case NATFLOW_CMD_INSPECT_PACKETS:
		natflow_urllogger_set(nn, NATFLOW_NAMES_PACKETS, cmd->value);
		break;
	case NATFLOW_CMD_INSPECT_FAIL:
		natflow_urllogger_set(nn, NATFLOW_NAMES_CLOSED, cmd->value);
		break;
	case NATFLOW_CMD_LOG_LEVEL:
		natflow_urllogger_set(nn, NATFLOW_NAMES_LEVEL, cmd->value);
		break;
	case NATFLOW_CMD_LOG_ANSWERS:
		natflow_urllogger_set(nn, NATFLOW_NAMES_ANSWERS, cmd->value);
		break;
	case NATFLOW_CMD_LOG_QUERY:
		natflow_urllogger_set(nn, NATFLOW_NAMES_QUERY, cmd->value);
		break;
	case NATFLOW_CMD_UPDATE_MAGIC:
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
		break;
	case NATFLOW_CMD_FLUSH:
		natflow_flow_flush(nn, NATFLOW_END_FLUSH, flow_matches, &cmd->filter);
		break;
	case NATFLOW_CMD_LIST_NET_DEVICE:
		list_devices(nn);
		break;
	case NATFLOW_CMD_GO_SLOWPATH:
		natflow_log(nn, NATFLOW_LOG_ERROR, "go_slowpath_if_no_qos: no effect");
		break;
	default:
		break;
	}
}

/**
 * natflow_settings_apply() - do what parsed lines say, all of it or nothing
 * @nn: namespace
 * @cmd: from natflow_command_parse()
 * @count: of @cmd
 *
 * When it returns 0 the change is in force for the next packet.
 *
 * Context: process, may sleep, only the door's lock held, which keeps other
 * writers out.
 * Return: 0 or an errno; then nothing has changed, and the command that is to
 * blame says what was expected, unless there was no memory.
 */
int natflow_settings_apply(struct natflow_net *nn, struct natflow_command *cmd, unsigned int count)
{
	struct plan plan = {};
	unsigned int i;
	int err = prepare(nn, cmd, count, &plan);

	if (!err && plan.table)
		set_flow_limit(nn, plan.table);
	if (!err && plan.group)
		set_group(nn, plan.group);
	if (!err && plan.skip) {
		natflow_urllogger_set_skip(nn, plan.skip);
		plan.skip = NULL;
	}
	for (i = 0; i < count && !err; i++)
		apply(nn, &cmd[i]);
	kfree(plan.skip);
	kfree(plan.group);
	return err;
}

/**
 * natflow_settings_select() - the value of select= as it would be written
 * @nn: namespace
 * @text: buffer
 * @size: of @text
 *
 * Return: @text.
 */
const char *natflow_settings_select(const struct natflow_net *nn, char *text, unsigned int size)
{
	static const char * const names[] = { "auto", "rules", "all" };
	const struct natflow_config *c = &nn->config;

	if (c->select == NATFLOW_SELECT_MARK)
		snprintf(text, size, "mark:0x%x/0x%x", c->mark, c->mark_mask);
	else
		strscpy(text, names[c->select], size);
	return text;
}

/**
 * natflow_settings_show() - usage, then every setting as a line that sets it
 * @nn: namespace
 * @m: where to
 */
void natflow_settings_show(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_log_skip *skip = natflow_urllogger_skip(nn);
	const struct natflow_config *c = &nn->config;
	unsigned int i;
	char text[32];

	seq_puts(m, "# Version: " NATFLOW_VERSION "\n"
		 "# First: iptables -I FORWARD 1 -j FLOWOFFLOAD (and ip6tables); then cat /proc/natflow\n"
		 "# A line that is refused is explained in /proc/natflow_log\n"
		 "# Usage: one command a line; what this prints can be written back\n"
		 "#    disabled=0|1            1 sends everything to the stack at once\n"
		 "#    select=auto|rules|all|mark:V[/M]  which flows are accelerated\n"
		 "#    delay_pkts=N            leave a flow's first N packets to the stack\n"
		 "#    flow_limit=N            flows the table holds; those that fit stay\n"
		 "#    ifname_group_type=0|1|2 0 all, 1 only inside the group, 2 only outside\n"
		 "#    ifname_group_add=NAME   ifname_group_clear\n"
		 "#    debug=0..63             2 keeps warnings, 4 facts in natflow_log; errors always\n"
		 "#    revalidate=0|1          1 has every flow pass the firewall again after it changed\n"
		 "#    inspect_packets=N       of a flow, before its name must be known\n"
		 "#    inspect_fail=open|closed  what happens to flows whose name cannot be relied on\n"
		 "#    log_level=counters|domain|host|url  what of a name the log keeps\n"
		 "#    log_query=0|1           1 keeps what follows \"?\" in a URL\n"
		 "#    log_answers=0|1         1 keeps what the DNS answers, too\n"
		 "#    log_skip src=ADDR[/LEN]|mac=MAC|dev=NAME|match_set=IPSET  whose names are not logged\n"
		 "#    log_skip_clear\n"
		 "#    update_magic            look at every flow again\n"
		 "#    flush [proto=tcp|udp] [src=A[/L]] [dst=A[/L]] [sport=N] [dport=N] [dev=NAME]\n"
		 "#    list_net_device         to natflow_log\n"
		 "#    go_slowpath_if_no_qos=0|1  accepted, no effect\n"
		 "#    begin ... commit        all lines in between, or none\n");
	/* Writing disabled=0 is a choice of its own: only who made it gets it replayed. */
	if (c->disabled || c->enabled_once)
		seq_printf(m, "disabled=%d\n", c->disabled);
	else
		seq_puts(m, "#    disabled=0 (never written)\n");
	seq_printf(m, "select=%s\n", natflow_settings_select(nn, text, sizeof(text)));
	seq_printf(m, "delay_pkts=%u\n", c->delay_pkts);
	seq_printf(m, "flow_limit=%u\n", c->flow_limit);
	seq_printf(m, "ifname_group_type=%u\n", c->group_type);
	seq_printf(m, "debug=%u\n", c->debug);
	seq_printf(m, "revalidate=%d\n", c->revalidate);
	seq_printf(m, "inspect_packets=%u\n", natflow_urllogger_get(nn, NATFLOW_NAMES_PACKETS));
	seq_printf(m, "inspect_fail=%s\n",
		   natflow_urllogger_get(nn, NATFLOW_NAMES_CLOSED) ? "closed" : "open");
	seq_printf(m, "log_level=%s\n",
		   natflow_level_words[natflow_urllogger_get(nn, NATFLOW_NAMES_LEVEL)]);
	seq_printf(m, "log_query=%u\n", natflow_urllogger_get(nn, NATFLOW_NAMES_QUERY));
	seq_printf(m, "log_answers=%u\n", natflow_urllogger_get(nn, NATFLOW_NAMES_ANSWERS));
	seq_puts(m, "log_skip_clear\n");
	for (i = 0; skip && i < skip->count; i++)
		seq_printf(m, "log_skip %s\n", skip->text[i]);
	seq_puts(m, "ifname_group_clear\n");
	rtnl_lock();
	for (i = 0; i < nn->group.count; i++)
		seq_printf(m, "ifname_group_add=%s\n", nn->group.name[i]);
	rtnl_unlock();
}
