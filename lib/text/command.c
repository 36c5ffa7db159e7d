// SPDX-License-Identifier: GPL-2.0-only
/* The grammars of /dev/natflow_ctl and /dev/hostacl_ctl. Nothing is applied here. */
#include "command.h"
#include "../names/dns_reply.h"

const char * const natflow_level_words[4] = { "counters", "domain", "host", "url" };

/* What a verb takes after its "=". */
struct verb {
	const char *name;	/* with its "=" if it takes a value */
	enum natflow_verb verb;
	int (*parse)(char *value, const struct verb *verb, struct natflow_command *cmd);
	u32 min, max;
	const char *expected;
	const char *example;	/* a line that is understood */
};

/* A word of the original natflow's that this one does not have. */
struct absent {
	const char *name;	/* as of a verb */
	const char *instead;
};

struct natflow_grammar {
	const struct verb *verbs;
	unsigned int count;
	const struct absent *absent;
	unsigned int absent_count;
	const char *example;	/* for a line that begins with none of these */
};

static int fail(struct natflow_command *cmd, const char *word, const char *expected, int err)
{
	cmd->word = word;
	cmd->expected = expected;
	return err;
}

static int parse_number(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	int err = kstrtou32(value, 10, &cmd->value);

	if (!err && (cmd->value < verb->min || cmd->value > verb->max))
		err = -ERANGE;
	return err ? fail(cmd, value, verb->expected, err) : 0;
}

static int parse_nothing(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	return *value ? fail(cmd, value, verb->expected, -EINVAL) : 0;
}

static int parse_name(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	if (!natflow_name_valid(value))
		return fail(cmd, value, verb->expected, -EINVAL);
	strcpy(cmd->name, value);
	return 0;
}

static int choose(const char * const *words, u32 count, char *value, const struct verb *verb,
		  struct natflow_command *cmd)
{
	for (cmd->value = 0; cmd->value < count; cmd->value++)
		if (!strcmp(value, words[cmd->value]))
			return 0;
	return fail(cmd, value, verb->expected, -EINVAL);
}

static int parse_fail(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	static const char * const words[] = { "open", "closed" };

	return choose(words, ARRAY_SIZE(words), value, verb, cmd);
}

static int parse_level(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	return choose(natflow_level_words, ARRAY_SIZE(natflow_level_words), value, verb, cmd);
}

/* Whose names are not logged. */
static int parse_skip(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	strcpy(cmd->url, value);
	return natflow_source_parse(value, &cmd->source) ? 0 :
	       fail(cmd, value, verb->expected, -EINVAL);
}

static int parse_action(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	return choose(natflow_action_words, ARRAY_SIZE(natflow_action_words), value, verb, cmd);
}

static int parse_answer(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	return choose(natflow_dns_answer_words, ARRAY_SIZE(natflow_dns_answer_words), value, verb,
		      cmd);
}

static int parse_https(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	static const char * const words[] = { "pass", "nodata" };

	return choose(words, ARRAY_SIZE(words), value, verb, cmd);
}

static int parse_rule_id(const char *text, struct natflow_command *cmd)
{
	u32 id;
	int err = kstrtou32(text, 10, &id);

	if (err || id > 31)
		return fail(cmd, text, "a number from 0 to 31", err ?: -ERANGE);
	cmd->id = id;
	return 0;
}

/* A host stands for what is below it, with or without "*." in front. */
static int parse_host(const char *text, struct natflow_command *cmd)
{
	if (!natflow_hostname_pattern(&cmd->host, text, strlen(text)))
		return fail(cmd, text, "a host name", -EINVAL);
	return 0;
}

/* ID,ACTION,HOST */
static int parse_rule(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	char *action = strchr(value, ','), *host = action ? strchr(action + 1, ',') : NULL;
	u32 number;
	int err;

	if (!host)
		return fail(cmd, value, verb->expected, -EINVAL);
	*action++ = '\0';
	*host++ = '\0';
	err = parse_rule_id(value, cmd);
	if (err)
		return err;
	err = kstrtou32(action, 10, &number);
	if (err || number > 3)
		return fail(cmd, action, "0 record, 1 drop, 2 reset or 3 redirect", err ?: -ERANGE);
	cmd->action = number;
	return parse_host(host, cmd);
}

/* ID,HOST */
static int parse_rule_host(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	char *host = strchr(value, ',');

	if (!host)
		return fail(cmd, value, verb->expected, -EINVAL);
	*host++ = '\0';
	return parse_rule_id(value, cmd) ?: parse_host(host, cmd);
}

/* NAME and what is done: its names come, it goes, or whom it is for. */
static int parse_list(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	char *rest = value + strcspn(value, " ");

	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " ");
	if (!natflow_name_valid(value))
		return fail(cmd, value, "a name of 15 characters at most", -EINVAL);
	strcpy(cmd->name, value);
	if (!strcmp(rest, "load") || !strcmp(rest, "load skip")) {
		cmd->verb = NATFLOW_CMD_LIST_LOAD;
		cmd->skip = rest[4];
		return 0;
	}
	if (!strncmp(rest, "load=", 5)) {
		cmd->verb = NATFLOW_CMD_LIST_LOAD;
		return kstrtou32(rest + 5, 10, &cmd->value) || !cmd->value ?
		       fail(cmd, rest, verb->expected, -EINVAL) : 0;
	}
	if (!strcmp(rest, "remove")) {
		cmd->verb = NATFLOW_CMD_LIST_REMOVE;
		return 0;
	}
	strcpy(cmd->url, rest);
	if (!*rest || natflow_site_policy_parse(rest, &cmd->site, &cmd->word))
		return fail(cmd, *rest ? cmd->word : rest, verb->expected, -EINVAL);
	return 0;
}

/* http://HOST... or https://HOST... that can stand in a Location header as it is; empty: none. */
static int parse_url(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	size_t skip = !strncmp(value, "http://", 7) ? 7 : !strncmp(value, "https://", 8) ? 8 : 0;
	const char *c;

	if (*value && (!skip || !(isalnum((unsigned char)value[skip]) || value[skip] == '[')))
		return fail(cmd, value, verb->expected, -EINVAL);
	for (c = value; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
			return fail(cmd, value, verb->expected, -EINVAL);
	strcpy(cmd->url, value);
	return 0;
}

/* auto | rules | all | mark:V[/M]; the order of the names is that of enum natflow_select. */
static int parse_select(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	static const char * const modes[] = { "auto", "rules", "all" };
	const char *word;
	int err;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(value, modes[i])) {
			cmd->value = i;
			return 0;
		}
	}
	if (strncmp(value, "mark:", 5))
		return fail(cmd, value, verb->expected, -EINVAL);
	cmd->value = ARRAY_SIZE(modes);
	err = natflow_mark_parse(value + 5, &cmd->mark, &cmd->mask, &word);
	return err ? fail(cmd, word, verb->expected, err) : 0;
}

static int parse_address(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	struct natflow_filter *f = &cmd->filter;

	if (strchr(value, '/') ||
	    natflow_prefix_parse(value, f->src, &f->src_family, &f->src_len))
		return fail(cmd, value, verb->expected, -EINVAL);
	return 0;
}

static int parse_port(const char *text, u32 *port)
{
	int err = kstrtou32(text, 10, port);

	if (!err && !*port)
		err = -EINVAL;
	if (!err && *port > 65535)
		err = -ERANGE;
	return err;
}

static int parse_condition(char *word, struct natflow_filter *f)
{
	if (!strncmp(word, "src=", 4))
		return natflow_prefix_parse(word + 4, f->src, &f->src_family, &f->src_len);
	if (!strncmp(word, "dst=", 4))
		return natflow_prefix_parse(word + 4, f->dst, &f->dst_family, &f->dst_len);
	if (!strncmp(word, "sport=", 6))
		return parse_port(word + 6, &f->sport);
	if (!strncmp(word, "dport=", 6))
		return parse_port(word + 6, &f->dport);
	if (!strcmp(word, "proto=tcp"))
		f->proto = IPPROTO_TCP;
	else if (!strcmp(word, "proto=udp"))
		f->proto = IPPROTO_UDP;
	else if (!strncmp(word, "dev=", 4) && natflow_name_valid(word + 4))
		strcpy(f->dev, word + 4);
	else
		return -EINVAL;
	return 0;
}

/* Conditions separated by blanks; all must hold. */
static int parse_filter(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	while (*value) {
		char *word = value;
		int err;

		value += strcspn(value, " ");
		if (*value)
			*value++ = '\0';
		value += strspn(value, " ");
		err = parse_condition(word, &cmd->filter);
		if (err)
			return fail(cmd, word, verb->expected, err);
	}
	return 0;
}

#define TRANSACTION \
	{ "begin", NATFLOW_CMD_BEGIN, parse_nothing, 0, 0, "nothing behind it", "begin" }, \
	{ "commit", NATFLOW_CMD_COMMIT, parse_nothing, 0, 0, "nothing behind it", "commit" }

static const struct verb ctl_verbs[] = {
	{ "disabled=", NATFLOW_CMD_DISABLED, parse_number, 0, 1, "0 or 1", "disabled=1" },
	{ "select=", NATFLOW_CMD_SELECT, parse_select, 0, 0,
	  "auto, rules, all, or mark:VALUE[/MASK] with VALUE inside MASK",
	  "select=all" },
	{ "delay_pkts=", NATFLOW_CMD_DELAY_PKTS, parse_number, 0, 1000000, "0 to 1000000",
	  "delay_pkts=10" },
	{ "flow_limit=", NATFLOW_CMD_FLOW_LIMIT, parse_number, 16, 4194304, "16 to 4194304",
	  "flow_limit=65536" },
	{ "ifname_group_type=", NATFLOW_CMD_GROUP_TYPE, parse_number, 0, 2, "0, 1 or 2",
	  "ifname_group_type=0" },
	{ "ifname_group_add=", NATFLOW_CMD_GROUP_ADD, parse_name, 0, 0, "an interface name",
	  "ifname_group_add=eth0" },
	{ "ifname_group_clear", NATFLOW_CMD_GROUP_CLEAR, parse_nothing, 0, 0, "nothing behind it",
	  "ifname_group_clear" },
	{ "debug=", NATFLOW_CMD_DEBUG, parse_number, 0, 63, "0 to 63", "debug=3" },
	{ "update_magic", NATFLOW_CMD_UPDATE_MAGIC, parse_nothing, 0, 0, "nothing behind it",
	  "update_magic" },
	{ "flush", NATFLOW_CMD_FLUSH, parse_filter, 0, 0,
	  "proto=tcp|udp, src=ADDR[/LEN], dst=ADDR[/LEN], sport=N, dport=N or dev=NAME",
	  "flush proto=udp dport=53" },
	{ "list_net_device", NATFLOW_CMD_LIST_NET_DEVICE, parse_nothing, 0, 0, "nothing behind it",
	  "list_net_device" },
	{ "revalidate=", NATFLOW_CMD_REVALIDATE, parse_number, 0, 1, "0 or 1", "revalidate=1" },
	TRANSACTION,
	{ "inspect_packets=", NATFLOW_CMD_INSPECT_PACKETS, parse_number, 1, 65535, "1 to 65535",
	  "inspect_packets=64" },
	{ "inspect_fail=", NATFLOW_CMD_INSPECT_FAIL, parse_fail, 0, 0, "open or closed",
	  "inspect_fail=open" },
	{ "log_level=", NATFLOW_CMD_LOG_LEVEL, parse_level, 0, 0,
	  "counters, domain, host or url",
	  "log_level=host" },
	{ "log_query=", NATFLOW_CMD_LOG_QUERY, parse_number, 0, 1, "0 or 1", "log_query=0" },
	{ "log_answers=", NATFLOW_CMD_LOG_ANSWERS, parse_number, 0, 1, "0 or 1", "log_answers=1" },
	{ "log_skip", NATFLOW_CMD_LOG_SKIP, parse_skip, 0, 0,
	  "src=ADDR[/LEN], mac=MAC, dev=NAME or match_set=NAME",
	  "log_skip src=192.168.1.7" },
	{ "log_skip_clear", NATFLOW_CMD_LOG_SKIP_CLEAR, parse_nothing, 0, 0, "nothing behind it",
	  "log_skip_clear" },
	{ "go_slowpath_if_no_qos=", NATFLOW_CMD_GO_SLOWPATH, parse_number, 0, 1, "0 or 1",
	  "go_slowpath_if_no_qos=0" },
};

static const struct verb hostacl_verbs[] = {
	TRANSACTION,
	{ "list name=", NATFLOW_CMD_LIST, parse_list, 0, 0,
	  "load, load skip, load=BYTES, remove, or action=WORD and what reading the device lists",
	  "list name=ads action=drop" },
	{ "clear", NATFLOW_CMD_ACL_CLEAR, parse_nothing, 0, 0, "nothing behind it", "clear" },
	{ "add acl=", NATFLOW_CMD_ACL_ADD, parse_rule, 0, 0, "ID,ACTION,HOST",
	  "add acl=0,2,example.com" },
	{ "del acl=", NATFLOW_CMD_ACL_DEL, parse_rule_host, 0, 0, "ID,HOST",
	  "del acl=0,example.com" },
	{ "acl_action_default=", NATFLOW_CMD_ACL_DEFAULT, parse_action, 0, 0,
	  "accept, drop, reset or redirect",
	  "acl_action_default=accept" },
	{ "dns_answer=", NATFLOW_CMD_DNS_ANSWER, parse_answer, 0, 0,
	  "none, nxdomain, nodata, refused or sinkhole",
	  "dns_answer=nxdomain" },
	{ "dns_https=", NATFLOW_CMD_DNS_HTTPS, parse_https, 0, 0, "pass or nodata",
	  "dns_https=nodata" },
	{ "dns_sinkhole=", NATFLOW_CMD_DNS_SINKHOLE, parse_address, 0, 0, "an address",
	  "dns_sinkhole=192.0.2.1" },
	{ "redirect_url=", NATFLOW_CMD_ACL_REDIRECT, parse_url, 0, 0, "a URL",
	  "redirect_url=http://192.168.1.1/blocked.html" },
};

/* Of its natflow_ctl, and of devices that are not here. Reading a device does not show them. */
static const struct absent ctl_absent[] = {
	{ "hwnat=", "no packet hardware is driven; leave it out, flows are fast in software" },
	{ "hwnat_wed_disabled=", "no Wi-Fi hardware is driven; leave it out" },
	{ "vline_add=", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_apply", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_clear", "no transparent lines yet; there is nothing to clear" },
	{ "relay_add=", "no relay of ARP or neighbour discovery yet; use proxy_arp or odhcpd" },
	{ "lan_zone", "no zones; name devices in firewall rules, or use ifname_group_add=NAME" },
	{ "wan_zone", "no zones; name devices in firewall rules, or use ifname_group_add=NAME" },
	{ "update_match", "no zones; rules match devices by themselves" },
	{ "print_zone", "no zones; list_net_device shows the devices" },
	{ "clean", "no zones and no users; there is nothing to clean" },
	{ "auth", "no users and no portal yet; use an ipset and firewall rules" },
	{ "dst_bypasslist_name=", "no users and no portal yet; use an ipset and firewall rules" },
	{ "src_bypasslist_name=", "no users and no portal yet; use an ipset and firewall rules" },
	{ "redirect_ip=", "no portal yet; redirect by a DNAT rule" },
	{ "redirect_ip6=", "no portal yet; redirect by a DNAT rule" },
	{ "no_flow_timeout=", "no users yet; connections time out as conntrack says" },
	{ "https_redirect_en=", "no portal yet; redirect by a DNAT rule" },
	{ "https_redirect_port=", "no portal yet; redirect by a DNAT rule" },
	{ "auth_open_weixin_reply=", "no portal yet; leave it out" },
	{ "kickall", "no users yet; write flush, or use conntrack -F" },
	{ "kick", "no users yet; write flush src=ADDR, or use conntrack -D" },
	{ "set-status", "no users yet; use an ipset and firewall rules" },
	{ "set-token-ctrl", "no rate limits yet; use tc" },
	{ "tc_classid_mode=", "no rate limits yet; use tc, marks of fast flows are kept" },
	{ "add user=", "no rate limits yet; use tc" },
	{ "enable", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "enable=", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "disable", "no protocol detection yet; there is nothing to switch off" },
	{ "events_clear", "no protocol detection yet; there is nothing to clear" },
};

const struct natflow_grammar natflow_grammar_ctl = {
	ctl_verbs, ARRAY_SIZE(ctl_verbs), ctl_absent, ARRAY_SIZE(ctl_absent), "select=all"
};

const struct natflow_grammar natflow_grammar_hostacl = {
	hostacl_verbs, ARRAY_SIZE(hostacl_verbs), NULL, 0, "add acl=0,2,example.com"
};

/* Does @line begin with the word @name? Return: what follows it, or NULL. */
static char *after_word(char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(line, name, len))
		return NULL;
	line += len;
	if (name[len - 1] != '=') {
		if (*line && *line != ' ')
			return NULL;
		line += strspn(line, " ");
	}
	return line;
}

/* No verb of this grammar: one of the original natflow's, or none at all. */
static int refuse_word(const struct natflow_grammar *grammar, char *line,
		       struct natflow_command *cmd)
{
	unsigned int i;

	cmd->example = grammar->example;
	for (i = 0; i < grammar->absent_count; i++) {
		if (after_word(line, grammar->absent[i].name)) {
			cmd->absent = true;
			return fail(cmd, line, grammar->absent[i].instead, -EOPNOTSUPP);
		}
	}
	return fail(cmd, line, "a command that reading the device lists", -EINVAL);
}

/**
 * natflow_command_refuse() - a line that was understood cannot be done
 * @cmd: the line
 * @expected: what would have been possible
 * @example: a line that helps
 * @err: errno
 *
 * Return: @err.
 */
int natflow_command_refuse(struct natflow_command *cmd, const char *expected, const char *example,
			   int err)
{
	cmd->example = example;
	return fail(cmd, cmd->what, expected, err);
}

/**
 * natflow_command_parse() - understand one line
 * @grammar: the device's
 * @line: NUL-terminated, at most NATFLOW_LINE_MAX bytes; is taken apart
 * @cmd: the result; @cmd->word points into @line on error
 *
 * Return: 0, -EINVAL for what is not understood, -ERANGE for a number out of
 * range, -EOPNOTSUPP for a word of the original natflow's that is not here. On
 * error @cmd says where, what was expected, and gives an example.
 */
int natflow_command_parse(const struct natflow_grammar *grammar, char *line,
			  struct natflow_command *cmd)
{
	size_t len, i;

	memset(cmd, 0, sizeof(*cmd));
	line += strspn(line, " ");
	for (len = strlen(line); len && line[len - 1] == ' '; len--)
		line[len - 1] = '\0';
	if (!*line || *line == '#')
		return 0;
	for (i = 0; i < grammar->count; i++) {
		const struct verb *verb = &grammar->verbs[i];
		char *value = after_word(line, verb->name);

		if (value) {
			cmd->verb = verb->verb;
			cmd->what = verb->name;
			cmd->example = verb->example;
			return verb->parse(value, verb, cmd);
		}
	}
	return refuse_word(grammar, line, cmd);
}
