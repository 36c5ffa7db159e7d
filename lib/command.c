// SPDX-License-Identifier: GPL-2.0-only
/* The grammar of /dev/natflow_ctl. One table; nothing is applied here. */
#include "command.h"

/**
 * natflow_line_push() - add one byte
 * @line: collector, zeroed before first use
 * @c: the byte
 *
 * Return: 1 when @line->text holds a whole line, NUL-terminated and without its
 * newline; 0 when more is needed; -EINVAL at the end of a line that was too
 * long or held a control character. After 1 or -EINVAL the next byte begins
 * the next line.
 */
int natflow_line_push(struct natflow_line *line, char c)
{
	bool bad = line->bad;

	if (!line->len && !bad)
		line->number++;
	if (c == '\n') {
		line->text[line->len] = '\0';
		line->len = 0;
		line->bad = false;
		return bad ? -EINVAL : 1;
	}
	if (c == '\t' || c == '\r')
		c = ' ';
	if (line->len == NATFLOW_LINE_MAX - 1 || (unsigned char)c < ' ' || c == 0x7f) {
		/* Not the first byte of the next line, so that it is counted once. */
		line->bad = true;
		return 0;
	}
	line->text[line->len++] = c;
	return 0;
}

/**
 * natflow_prefix_match() - is an address inside a prefix
 * @addr: network order
 * @prefix: network order
 * @bits: prefix length
 */
bool natflow_prefix_match(const u8 *addr, const u8 *prefix, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(addr, prefix, bytes))
		return false;
	return !rest || !((addr[bytes] ^ prefix[bytes]) >> (8 - rest));
}

/* What a verb takes after its "=". */
struct verb {
	const char *name;	/* with its "=" if it takes a value */
	enum natflow_verb verb;
	int (*parse)(char *value, const struct verb *verb, struct natflow_command *cmd);
	u32 min, max;
	const char *expected;
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

/* Names as the kernel takes them (net/core/dev.c:dev_valid_name()). */
static bool valid_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < NATFLOW_NAME_MAX && !strpbrk(name, "/: ,") &&
	       strcmp(name, ".") && strcmp(name, "..");
}

static int parse_name(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	if (!valid_name(value))
		return fail(cmd, value, verb->expected, -EINVAL);
	strcpy(cmd->name, value);
	return 0;
}

/* auto | rules | all | mark:V[/M]; the order of the names is that of enum natflow_select. */
static int parse_select(char *value, const struct verb *verb, struct natflow_command *cmd)
{
	static const char * const modes[] = { "auto", "rules", "all" };
	char *mask;
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
	cmd->mask = 0xffffffff;
	mask = strchr(value, '/');
	if (mask) {
		*mask = '\0';
		err = kstrtou32(mask + 1, 0, &cmd->mask);
		if (err || !cmd->mask)
			return fail(cmd, mask + 1, verb->expected, err ?: -EINVAL);
	}
	err = kstrtou32(value + 5, 0, &cmd->mark);
	if (err || cmd->mark & ~cmd->mask)
		return fail(cmd, value + 5, verb->expected, err ?: -EINVAL);
	return 0;
}

/* ADDR[/BITS], either family. */
static int parse_prefix(char *text, u8 *addr, u8 *family, u8 *len)
{
	char *slash = strchr(text, '/');
	u32 bits, most;
	int err;

	if (slash)
		*slash = '\0';
	if (in4_pton(text, -1, addr, -1, NULL) == 1)
		*family = NFPROTO_IPV4;
	else if (in6_pton(text, -1, addr, -1, NULL) == 1)
		*family = NFPROTO_IPV6;
	else
		return -EINVAL;
	most = *family == NFPROTO_IPV4 ? 32 : 128;
	bits = most;
	err = slash ? kstrtou32(slash + 1, 10, &bits) : 0;
	if (!err && bits > most)
		err = -ERANGE;
	if (!err)
		*len = bits;
	return err;
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
		return parse_prefix(word + 4, f->src, &f->src_family, &f->src_len);
	if (!strncmp(word, "dst=", 4))
		return parse_prefix(word + 4, f->dst, &f->dst_family, &f->dst_len);
	if (!strncmp(word, "sport=", 6))
		return parse_port(word + 6, &f->sport);
	if (!strncmp(word, "dport=", 6))
		return parse_port(word + 6, &f->dport);
	if (!strcmp(word, "proto=tcp"))
		f->proto = IPPROTO_TCP;
	else if (!strcmp(word, "proto=udp"))
		f->proto = IPPROTO_UDP;
	else if (!strncmp(word, "dev=", 4) && valid_name(word + 4))
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

static const struct verb verbs[] = {
	{ "disabled=", NATFLOW_CMD_DISABLED, parse_number, 0, 1, "0 or 1" },
	{ "select=", NATFLOW_CMD_SELECT, parse_select, 0, 0,
	  "auto, rules, all, or mark:VALUE[/MASK] with VALUE inside MASK" },
	{ "delay_pkts=", NATFLOW_CMD_DELAY_PKTS, parse_number, 0, 1000000, "0 to 1000000" },
	{ "flow_limit=", NATFLOW_CMD_FLOW_LIMIT, parse_number, 16, 4194304, "16 to 4194304" },
	{ "ifname_group_type=", NATFLOW_CMD_GROUP_TYPE, parse_number, 0, 2, "0, 1 or 2" },
	{ "ifname_group_add=", NATFLOW_CMD_GROUP_ADD, parse_name, 0, 0, "an interface name" },
	{ "ifname_group_clear", NATFLOW_CMD_GROUP_CLEAR, parse_nothing, 0, 0, "nothing" },
	{ "debug=", NATFLOW_CMD_DEBUG, parse_number, 0, 63, "0 to 63" },
	{ "update_magic", NATFLOW_CMD_UPDATE_MAGIC, parse_nothing, 0, 0, "nothing" },
	{ "flush", NATFLOW_CMD_FLUSH, parse_filter, 0, 0,
	  "proto=tcp|udp, src=ADDR[/LEN], dst=ADDR[/LEN], sport=N, dport=N or dev=NAME" },
	{ "list_net_device", NATFLOW_CMD_LIST_NET_DEVICE, parse_nothing, 0, 0, "nothing" },
	{ "revalidate=", NATFLOW_CMD_REVALIDATE, parse_number, 0, 1, "0 or 1" },
	{ "begin", NATFLOW_CMD_BEGIN, parse_nothing, 0, 0, "nothing" },
	{ "commit", NATFLOW_CMD_COMMIT, parse_nothing, 0, 0, "nothing" },
	{ "go_slowpath_if_no_qos=", NATFLOW_CMD_GO_SLOWPATH, parse_number, 0, 1, "0 or 1" },
};

/* Does @line begin with this verb? Return: what follows it, or NULL. */
static char *after_verb(char *line, const struct verb *verb)
{
	size_t len = strlen(verb->name);

	if (strncmp(line, verb->name, len))
		return NULL;
	line += len;
	if (verb->name[len - 1] != '=') {
		if (*line && *line != ' ')
			return NULL;
		line += strspn(line, " ");
	}
	return line;
}

/**
 * natflow_command_parse() - understand one line
 * @line: NUL-terminated, at most NATFLOW_LINE_MAX bytes; is taken apart
 * @cmd: the result; @cmd->word points into @line on error
 *
 * Return: 0, -EINVAL for what is not understood, -ERANGE for a number out of
 * range. On error @cmd says where and what was expected.
 */
int natflow_command_parse(char *line, struct natflow_command *cmd)
{
	size_t len, i;

	memset(cmd, 0, sizeof(*cmd));
	line += strspn(line, " ");
	for (len = strlen(line); len && line[len - 1] == ' '; len--)
		line[len - 1] = '\0';
	if (!*line || *line == '#')
		return 0;
	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		char *value = after_verb(line, &verbs[i]);

		if (value) {
			cmd->verb = verbs[i].verb;
			return verbs[i].parse(value, &verbs[i], cmd);
		}
	}
	return fail(cmd, line, "a command; reading the device lists them", -EINVAL);
}
