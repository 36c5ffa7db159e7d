// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_userinfo_ctl: one line a user when read, as of the original natflow; and verbs. */
#include <linux/err.h>
#include <linux/netdevice.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../lib/text/limit.h"
#include "../lib/text/original.h"
#include "../lib/text/put.h"
#include "../lib/text/settings.h"
#include "../natflow_access.h"
#include "../natflow_limit.h"
#include "../natflow_user.h"
#include "../policy/access.h"
#include "ctl.h"
#include "row.h"
#include "verb.h"

/* -- the lines */

/* The file's lock is held from start to stop, so that the namespace stays. */
static void *list_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct natflow_net *nn = natflow_ctl_enter(m);

	rcu_read_lock();
	return nn ? natflow_user_from(nn, pos) : ERR_PTR(-ENODEV);
}

static void *list_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return natflow_user_from(natflow_ctl_net(m), pos);
}

static void list_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
	natflow_ctl_leave(m);
}

static char *put_pair(char *at, struct natflow_user_sum sum)
{
	return natflow_put_number(natflow_put_number(at, ",", sum.packets), ":", sum.bytes);
}

static char *put_hex(char *at, u8 n)
{
	at = natflow_put_text(at, ",0x");
	*at = "0123456789abcdef"[n & 15];	/* hex_asc_lo() moves between headers */
	return at + 1;
}

static char *put_row(char *at, const struct natflow_net *nn, const struct natflow_user *user)
{
	const struct natflow_users *users = natflow_user_table(nn);
	const struct net_device *dev = dev_get_by_index_rcu(nn->net, READ_ONCE(user->ifindex));

	at = natflow_put_long_address(at, user->key.family, user->key.addr.in6.s6_addr);
	at = natflow_put_mac(natflow_put_text(at, ","), natflow_user_mac(user));
	at = put_hex(at, READ_ONCE(user->access.type));
	at = put_hex(at, READ_ONCE(user->access.status));
	at = natflow_put_number(at, ",", READ_ONCE(user->access.rule));
	at = natflow_put_number(at, ",",
				(u32)ktime_get_boottime_seconds() - READ_ONCE(user->last));
	at = put_pair(at, natflow_user_sum(user, NATFLOW_USER_RX));
	at = put_pair(at, natflow_user_sum(user, NATFLOW_USER_TX));
	at = put_pair(at, natflow_user_long_rate(users, user, NATFLOW_USER_RX));
	at = put_pair(at, natflow_user_long_rate(users, user, NATFLOW_USER_TX));
	at = natflow_put_text(at, ",");
	if (dev)
		at = natflow_put_word(at, dev->name, IFNAMSIZ);
	return natflow_put_text(at, "\n");
}

static int list_show(struct seq_file *m, void *v)
{
	char *row = natflow_row_begin(m);

	if (row)
		natflow_row_end(m, row, put_row(row, natflow_ctl_net(m), v));
	return 0;
}

static const struct seq_operations list_ops = {
	.start = list_start,
	.next = list_next,
	.stop = list_stop,
	.show = list_show,
};

/* -- the verbs */

static int prepare_kick(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_address_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_address_args);

	return natflow_user_known(nn, args->family, args->addr) ? 0 :
	       natflow_command_refuse(cmd, "an address in the list", "kick 192.168.1.7",
				      -ENOENT);
}

static void commit_kick(struct natflow_net *nn, const struct natflow_command *cmd)
{
	const struct natflow_address_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_address_args);

	natflow_access_set_status(nn, args->family, args->addr, NATFLOW_ACCESS_UNKNOWN);
	natflow_user_kick(nn, args->family, args->addr);
}

static const struct natflow_verb_ops kick_ops = {
	.prepare = prepare_kick,
	.commit = commit_kick,
};

const struct natflow_verb natflow_verb_kick = {
	.word = "kick",
	.values = " ADDR",
	.parse = natflow_address_parse,
	.expected = "an address",
	.example = "kick 192.168.1.7",
	.ops = &kick_ops,
};

static void commit_kickall(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_access_forget(nn);
	natflow_user_kick(nn, NFPROTO_UNSPEC, NULL);
}

static const struct natflow_verb_ops kickall_ops = { .commit = commit_kickall };

const struct natflow_verb natflow_verb_kickall = {
	.word = "kickall",
	.values = "",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "kickall",
	.ops = &kickall_ops,
};

static int prepare_status(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_status_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_status_args);

	return natflow_user_known(nn, args->of.family, args->of.addr) ? 0 :
	       natflow_command_refuse(cmd, "an address in the list", "set-status 192.168.1.7 1",
				      -ENOENT);
}

static void commit_status(struct natflow_net *nn, const struct natflow_command *cmd)
{
	const struct natflow_status_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_status_args);

	natflow_access_set_status(nn, args->of.family, args->of.addr, args->status);
}

static const struct natflow_verb_ops status_ops = {
	.prepare = prepare_status,
	.commit = commit_status,
};

const struct natflow_verb natflow_verb_set_status = {
	.word = "set-status",
	.values = " ADDR N",
	.parse = natflow_status_parse,
	.expected = "ADDR and 0, 1, 2, 3, 4, 5, 6 or 15",
	.example = "set-status 192.168.1.7 1",
	.ops = &status_ops,
};

static void *make_token(struct natflow_net *nn, unsigned int lines)
{
	return kzalloc(sizeof(struct natflow_token_args), GFP_KERNEL_ACCOUNT);
}

static int prepare_token(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_token_args *args = NATFLOW_ARGS(cmd, const struct natflow_token_args);

	memcpy(draft, args, sizeof(*args));
	return natflow_user_known(nn, args->family, args->addr) ? 0 :
	       natflow_command_refuse(cmd, "an address in the list",
				      "set-token-ctrl 192.168.1.7 1250000 250000", -ENOENT);
}

/* The one line of a transaction: nothing can fail behind it. */
static int ready_token(struct natflow_net *nn, void *draft)
{
	return natflow_limit_start(nn) ?: natflow_limit_set_user(nn, draft);
}

static void abort_token(void *draft)
{
	kfree(draft);
}

static void commit_token(struct natflow_net *nn, void *draft)
{
	natflow_limit_review(nn);
	kfree(draft);
}

static const struct natflow_draft_ops token_draft = {
	.make = make_token,
	.ready = ready_token,
	.commit = commit_token,
	.abort = abort_token,
};

static const struct natflow_verb_ops token_ops = {
	.draft = &token_draft,
	.prepare = prepare_token,
};

const struct natflow_verb natflow_verb_token = {
	.word = "set-token-ctrl",
	.values = " ADDR RX TX",
	.parse = natflow_token_parse,
	.expected = "ADDR and what it may receive and send: bytes a second, 0: no limit",
	.example = "set-token-ctrl 192.168.1.7 1250000 250000",
	.ops = &token_ops,
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_USERINFO_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_userinfo_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_userinfo_ctl",
		  .fops = &natflow_ctl_fops, .mode = 0600 },
	.grammar = { .verbs = verbs, .absent = natflow_original_words, .example = "kickall" },
	.list = &list_ops,
};
