// SPDX-License-Identifier: GPL-2.0-only
/* What the commands of hostacl_ctl do: a copy of the rules is changed and takes their place. */
#include <linux/err.h>
#include <linux/seq_file.h>
#include "../lib/text/command.h"
#include "../natflow_urllogger.h"
#include "../policy/acl.h"
#include "hostacl.h"

static int set_policy(struct natflow_acl *acl, struct natflow_command *cmd)
{
	struct natflow_site_list *like = natflow_site_list_make(cmd->name, cmd->url, &cmd->site,
								NULL);
	int err = like ? natflow_acl_set_list(acl, like, NULL) : -ENOMEM;

	if (like)
		natflow_site_list_put(like);
	return err == -ENOSPC ? natflow_command_refuse(cmd, "at most 64 lists",
						       "list name=ads remove", err) : err;
}

static int no_such_list(struct natflow_command *cmd)
{
	return natflow_command_refuse(cmd, "the name of a list that is there",
				      "list name=ads action=drop", -ENOENT);
}

static int change(struct natflow_acl *acl, struct natflow_command *cmd)
{
	switch (cmd->verb) {
	case NATFLOW_CMD_ACL_CLEAR:
		acl->count = 0;
		break;
	case NATFLOW_CMD_ACL_ADD:
		if (acl->count == NATFLOW_ACL_HOSTS_MAX)
			return natflow_command_refuse(cmd, "at most 1024 rules", "clear", -ENOSPC);
		natflow_acl_add(acl, cmd->id, cmd->action, &cmd->host);
		break;
	case NATFLOW_CMD_ACL_DEL:
		return natflow_acl_del(acl, cmd->id, &cmd->host) ? 0 :
		       natflow_command_refuse(cmd, "a rule of that number for that host",
					      "add acl=0,2,example.com", -ENOENT);
	case NATFLOW_CMD_ACL_DEFAULT:
		acl->action_default = cmd->value;
		break;
	case NATFLOW_CMD_ACL_REDIRECT:
		strscpy(acl->redirect_url, cmd->url, sizeof(acl->redirect_url));
		break;
	case NATFLOW_CMD_DNS_ANSWER:
		acl->dns.answer = cmd->value;
		break;
	case NATFLOW_CMD_DNS_HTTPS:
		acl->dns.no_https = cmd->value;
		break;
	case NATFLOW_CMD_DNS_SINKHOLE:
		if (cmd->filter.src_family == NFPROTO_IPV4)
			memcpy(acl->dns.sink4, cmd->filter.src, sizeof(acl->dns.sink4));
		else
			memcpy(acl->dns.sink6, cmd->filter.src, sizeof(acl->dns.sink6));
		break;
	case NATFLOW_CMD_LIST:
		return set_policy(acl, cmd);
	case NATFLOW_CMD_LIST_REMOVE:
		return natflow_acl_remove_list(acl, cmd->name) ? 0 : no_such_list(cmd);
	default:
		break;
	}
	return 0;
}

/**
 * natflow_hostacl_apply() - do what parsed lines say, all of it or nothing
 * @nn: namespace
 * @cmd: from natflow_command_parse()
 * @count: of @cmd
 *
 * When it returns 0 the change is in force for the next packet of every flow,
 * also of one that was accelerated.
 *
 * Context: process, may sleep, only the door's lock held.
 * Return: 0 or an errno; then nothing has changed, and the command that is to
 * blame says what was expected, unless there was no memory.
 */
int natflow_hostacl_apply(struct natflow_net *nn, struct natflow_command *cmd, unsigned int count)
{
	struct natflow_acl *acl = natflow_acl_alloc(natflow_urllogger_acl(nn), count);
	unsigned int i;
	int err = 0;

	if (!acl)
		return -ENOMEM;
	for (i = 0; i < count && !err; i++)
		err = change(acl, &cmd[i]);
	if (err)
		natflow_acl_free(acl);
	else
		natflow_urllogger_set_acl(nn, acl);
	return err;
}

/**
 * natflow_hostacl_load() - the names of a list will follow
 * @nn: namespace
 * @cmd: NATFLOW_CMD_LIST_LOAD
 *
 * Context: process, may sleep, the door's lock held.
 * Return: for natflow_site_load_feed(), or an error pointer: -ENOENT without a
 * list of that name.
 */
struct natflow_site_load *natflow_hostacl_load(struct natflow_net *nn, struct natflow_command *cmd)
{
	if (natflow_acl_find_list(natflow_urllogger_acl(nn), cmd->name) < 0)
		return ERR_PTR(no_such_list(cmd));
	return natflow_site_load_begin(cmd->name, cmd->value, cmd->skip) ?: ERR_PTR(-ENOMEM);
}

/**
 * natflow_hostacl_loaded() - all names of a list came: they take the old ones' place
 * @nn: namespace
 * @load: complete; still the caller's
 *
 * Context: process, may sleep, the door's lock held.
 * Return: 0 or an errno; then nothing has changed.
 */
int natflow_hostacl_loaded(struct natflow_net *nn, struct natflow_site_load *load)
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

/**
 * natflow_hostacl_show() - usage, then every rule as a line that adds it
 * @nn: namespace
 * @m: where to
 */
void natflow_hostacl_show(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_acl *acl = natflow_urllogger_acl(nn);
	unsigned int i;

	seq_puts(m, "# Usage: one command a line; what this prints can be written back, but the\n"
		 "# domains of lists are not printed: load each list from its file again\n"
		 "#    clear                       no rules\n"
		 "#    add acl=ID,ACTION,HOST      ID 0..31, the lowest that matches decides\n"
		 "#                                ACTION 0 record, 1 drop, 2 reset, 3 redirect\n"
		 "#                                where there are ipsets host_acl_ruleID_ipv4, _ipv6 or\n"
		 "#                                _mac it is only for who is in one of them\n"
		 "#                                HOST and the names below it\n"
		 "#    del acl=ID,HOST             takes this host from the rule\n"
		 "#    acl_action_default=accept|drop|reset|redirect  for names without a rule\n"
		 "#    redirect_url=URL            where HTTP requests are redirected to\n"
		 "#    dns_answer=none|nxdomain|nodata|refused|sinkhole  to questions for names that\n"
		 "#                                are dropped or reset; none: they are let through\n"
		 "#    dns_sinkhole=ADDR           of each family, for dns_answer=sinkhole\n"
		 "#    dns_https=pass|nodata       nodata: no HTTPS records, so no ECH\n"
		 "#    list name=NAME action=accept|drop|reset|redirect [src=ADDR[/LEN]] [mac=MAC]\n"
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
		 "#                                what rules say comes first\n"
		 "#    begin ... commit            all lines in between, or none\n"
		 "# Rules act while /proc/sys/urllogger_store/enable is 1\n"
		 "clear\n");
	seq_printf(m, "acl_action_default=%s\n", natflow_action_words[acl->action_default]);
	seq_printf(m, "redirect_url=%s\n", acl->redirect_url);
	seq_printf(m, "dns_answer=%s\ndns_sinkhole=%pI4\ndns_sinkhole=%pI6c\ndns_https=%s\n",
		   natflow_dns_answer_words[acl->dns.answer], acl->dns.sink4, acl->dns.sink6,
		   acl->dns.no_https ? "nodata" : "pass");
	for (i = 0; i < acl->count; i++)
		seq_printf(m, "add acl=%u,%u,%s\n", acl->rule[i].id, acl->rule[i].action,
			   acl->rule[i].host);
	for (i = 0; i < acl->lists; i++)
		show_list(m, acl->list[i]);
}
