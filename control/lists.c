// SPDX-License-Identifier: GPL-2.0-only
/* Lists of sites: "list name=" of hostacl_ctl, and the file of names that a load takes. */
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "hostacl.h"
#include "verb.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../lib/text/rule.h"
#include "../natflow_urllogger.h"
#include "../policy/acl.h"
#include "../policy/sites.h"

#define DEVICE "hostacl_ctl"

/* The names of a list that are being written. */
struct list_body {
	struct natflow_body body;
	struct natflow_site_load *load;
};

static struct natflow_site_load *load_of(const struct natflow_body *body)
{
	return container_of(body, struct list_body, body)->load;
}

static const char *problem(const struct natflow_listline *line, int err)
{
	switch (err) {
	case -EINVAL:
		return line ? line->expected : "what natflow-list wrote for this machine";
	case -E2BIG:
		return "at most 4194304 names";
	case -ENOENT:
		return "the list to be there until its names are";
	default:
		return "more free memory";
	}
}

static void log_refused(struct natflow_net *nn, const struct natflow_site_load *load,
			const char *expected)
{
	const struct natflow_listline *line = natflow_site_load_line(load);
	const char *list = natflow_site_load_name(load);

	if (line)
		natflow_log(nn, NATFLOW_LOG_ERROR, DEVICE
			    " list %s line %u: '%.60s': expected %s; the list stays as it was",
			    list, line->number, line->text, expected);
	else
		natflow_log(nn, NATFLOW_LOG_ERROR, DEVICE
			    " list %s: expected %s; the list stays as it was", list, expected);
}

static void log_skipped(struct natflow_net *nn, const struct natflow_site_load *load)
{
	u32 first, skipped = natflow_site_load_skipped(load, &first);

	if (skipped)
		natflow_log(nn, NATFLOW_LOG_ERROR, DEVICE
			    " list %s: %u lines skipped that have no host name, first: line %u",
			    natflow_site_load_name(load), skipped, first);
}

/* All names came: put them in place of the list's old ones. Return: 0 or an errno. */
static int replace_names(struct natflow_net *nn, struct natflow_site_load *load)
{
	struct natflow_site_names *names = natflow_site_load_end(load);
	const struct natflow_acl *old = natflow_urllogger_acl(nn);
	int at = natflow_acl_find_list(old, natflow_site_load_name(load)), err = -ENOMEM;
	struct natflow_acl *acl;

	if (IS_ERR(names))
		return PTR_ERR(names);
	acl = natflow_acl_alloc(old, 0);
	if (acl)
		err = at < 0 ? at : natflow_acl_set_list(acl, old->list[at], names);
	natflow_site_names_put(names);
	if (err)
		natflow_acl_free(acl);
	else
		natflow_urllogger_set_acl(nn, acl);
	return err;
}

static ssize_t feed(struct natflow_body *body, struct natflow_net *nn, const char *text,
		    size_t len, bool *done)
{
	struct natflow_site_load *load = load_of(body);
	size_t used;
	int err = natflow_site_load_feed(load, text, len, &used);

	if (!err)
		return used;
	*done = true;
	if (err > 0)
		err = replace_names(nn, load);
	if (err)
		log_refused(nn, load, problem(natflow_site_load_line(load), err));
	else
		log_skipped(nn, load);
	return err ?: used;
}

static bool in_line(const struct natflow_body *body)
{
	const struct natflow_listline *line = natflow_site_load_line(load_of(body));

	return line && line->open;
}

static void cut(struct natflow_body *body, struct natflow_net *nn)
{
	struct natflow_site_load *load = load_of(body);

	log_refused(nn, load, natflow_site_load_line(load) ?
		    "\"end\" as a line of its own before the device is closed" :
		    "as many bytes as load= says");
}

static void free_body(struct natflow_body *body)
{
	natflow_site_load_free(load_of(body));
	kfree(container_of(body, struct list_body, body));
}

static const struct natflow_body_ops body_ops = {
	.feed = feed,
	.in_line = in_line,
	.cut = cut,
	.free = free_body,
	.end = "end",
};

static int no_such_list(struct natflow_command *cmd)
{
	return natflow_command_refuse(cmd, "the name of a list that is there",
				      "list name=ads action=drop", -ENOENT);
}

static struct natflow_body *begin_load(struct natflow_net *nn, struct natflow_command *cmd)
{
	const struct natflow_list_args *args = NATFLOW_ARGS(cmd, const struct natflow_list_args);
	struct list_body *body;

	if (natflow_acl_find_list(natflow_urllogger_acl(nn), args->name) < 0)
		return ERR_PTR(no_such_list(cmd));
	body = kzalloc(sizeof(*body), GFP_KERNEL_ACCOUNT);
	if (!body)
		return ERR_PTR(-ENOMEM);
	body->body.ops = &body_ops;
	body->load = natflow_site_load_begin(args->name, args->bytes, args->skip);
	if (!body->load) {
		kfree(body);
		return ERR_PTR(-ENOMEM);
	}
	return &body->body;
}

static int set_policy(struct natflow_acl *acl, struct natflow_command *cmd)
{
	const struct natflow_list_args *args = NATFLOW_ARGS(cmd, const struct natflow_list_args);
	struct natflow_site_list *like = natflow_site_list_make(args->name, args->text,
								&args->policy, NULL);
	int err = like ? natflow_acl_set_list(acl, like, NULL) : -ENOMEM;

	if (like)
		natflow_site_list_put(like);
	return err == -ENOSPC ? natflow_command_refuse(cmd, "at most 64 lists",
						       "list name=ads remove", err) : err;
}

static int prepare_list(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_list_args *args = NATFLOW_ARGS(cmd, const struct natflow_list_args);

	if (args->act == NATFLOW_LIST_POLICY)
		return set_policy(draft, cmd);
	return natflow_acl_remove_list(draft, args->name) ? 0 : no_such_list(cmd);
}

static void show_list(struct seq_file *m, const struct natflow_site_list *list)
{
	const struct natflow_site_names *names = list->names;

	seq_printf(m, "list name=%s %s\n", list->name, list->text);
	if (!names) {
		seq_printf(m, "# list %s: nothing is loaded\n", list->name);
		return;
	}
	seq_printf(m, "# list %s: %u domains, %u hits", list->name, names->set.count,
		   atomic_read(&names->hits));
	if (names->skipped)
		seq_printf(m, ", %u skipped, first: line %u", names->skipped, names->first_skipped);
	seq_printf(m, ", %zu bytes\n", names->set.buckets * sizeof(*names->set.bucket));
}

static void show_lists(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_acl *acl = natflow_urllogger_acl(nn);
	unsigned int i;

	for (i = 0; i < acl->lists; i++)
		show_list(m, acl->list[i]);
}

static const struct natflow_verb_ops list_ops = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_list,
	.body = begin_load,
	.no_transaction = "no load between begin and commit",
	.show = show_lists,
	.show_last = true,
};

static const char expected[] =
	"load, load skip, load=BYTES, remove, or action=WORD and what reading the device lists";

const struct natflow_verb natflow_verb_list = {
	.word = "list name=",
	.values = "NAME action=accept|drop|reset|redirect [src=ADDR[/LEN]] [mac=MAC]\n"
		"#        [dev=NAME] [match_set=IPSET] [days=mon-fri] [time=HH:MM-HH:MM]\n"
		"#                                whom a list is for, and when\n"
		"#        [mark=V[/M]] [add_set=IPSET]  marks the connection, adds the server's address\n"
		"#    list name=NAME load [skip]  a file follows, then \"end\": names, *.name, hosts file,\n"
		"#                                dnsmasq's address=/name/, ||name^; @@||name^ is exempt\n"
		"#                                a line that is none of these refuses the file; skip: is\n"
		"#                                left out\n"
		"#    list name=NAME load=BYTES   a list made by natflow-list follows\n"
		"#    list name=NAME remove\n"
		"#                                the longest domain decides, accept before others;\n"
		"#                                what rules say comes first",
	.parse = natflow_list_parse,
	.expected = expected,
	.example = "list name=ads action=drop",
	.ops = &list_ops,
};
