// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of natflow_qos_ctl's rules, and of set-token-ctrl. */
#include "limit.h"
#include "put.h"

enum field {
	FIELD_USER,
	FIELD_USER_PORT,
	FIELD_REMOTE,
	FIELD_REMOTE_PORT,
	FIELD_PROTO,
	FIELD_RX,
	FIELD_TX,
	FIELD_BURST,
	FIELD_OUT,
	FIELD_GROUP,
	FIELD_DSCP,
	FIELD_PRIO,
	FIELDS
};

#define RATES "1 to 1000000000000 bytes a second; leave it out if there is no limit"
#define WHOM "an address, ADDR/BITS with no further bits set, or the name of an ipset"
#define NAME "a name of 15 characters at most"
#define PORT "a number from 1 to 65535; sets of ports are not supported"

static const struct natflow_field fields[FIELDS] = {
	[FIELD_USER] = { "user=", WHOM },
	[FIELD_USER_PORT] = { "user_port=", PORT },
	[FIELD_REMOTE] = { "remote=", WHOM },
	[FIELD_REMOTE_PORT] = { "remote_port=", PORT },
	[FIELD_PROTO] = { "proto=", "tcp or udp" },
	[FIELD_RX] = { "rxbytes=", RATES },
	[FIELD_TX] = { "txbytes=", RATES },
	[FIELD_BURST] = { "burst=", "1 to 4294967295 bytes" },
	[FIELD_OUT] = { "out=", "auto or police; rules do not shape" },
	[FIELD_GROUP] = { "group=", NAME },
	[FIELD_DSCP] = { "dscp=", "set: and 0 to 63, keep or wash" },
	[FIELD_PRIO] = { "prio=", "0 to 15" },
};

enum group_field {
	GROUP_NAME,
	GROUP_RX,
	GROUP_TX,
	GROUP_BURST,
	GROUP_FIELDS
};

static const struct natflow_field group_fields[GROUP_FIELDS] = {
	[GROUP_NAME] = { "name=", NAME },
	[GROUP_RX] = { "rxbytes=", RATES },
	[GROUP_TX] = { "txbytes=", RATES },
	[GROUP_BURST] = { "burst=", "1 to 4294967295 bytes" },
};

/* "ADDR", "ADDR/BITS", or a name. */
static int read_end(char *text, struct natflow_limit_end *end)
{
	u8 addr[16] = {}, family, len;
	char *slash = strchr(text, '/');
	unsigned int i;
	int err = natflow_prefix_parse(text, addr, &family, &len);

	if (slash)
		*slash = '/';
	/* A wrong address is not the name of a set. */
	if (err == -EINVAL && text[strspn(text, "0123456789.")] && !strpbrk(text, "/: ")) {
		end->kind = NATFLOW_LIMIT_SET;
		return natflow_set_name_copy(text, end->set) ? 0 : -EINVAL;
	}
	if (err)
		return err;
	for (i = len; i < 8 * sizeof(addr); i++)
		if (addr[i / 8] & 0x80 >> i % 8)
			return -EINVAL;
	end->kind = NATFLOW_LIMIT_PREFIX;
	end->family = family;
	end->len = len;
	memcpy(end->addr, addr, sizeof(addr));
	return 0;
}

static int read_port(const char *text, u16 *port)
{
	u32 n;
	int err = kstrtou32(text, 10, &n);

	if (err)
		return isdigit((unsigned char)*text) ? err : -EOPNOTSUPP;
	*port = n;
	return n && n <= 65535 ? 0 : -ERANGE;
}

static int read_proto(const char *text, u8 *proto)
{
	if (!strcmp(text, "tcp"))
		*proto = IPPROTO_TCP;
	else if (!strcmp(text, "udp"))
		*proto = IPPROTO_UDP;
	return *proto ? 0 : -EINVAL;
}

static int read_rate(const char *text, u64 *rate)
{
	int err = kstrtou64(text, 10, rate);

	return !err && (!*rate || *rate > NATFLOW_RATE_MAX) ? -ERANGE : err;
}

static int read_burst(const char *text, u32 *burst)
{
	return kstrtou32(text, 10, burst) ?: *burst ? 0 : -ERANGE;
}

static int read_out(const char *text, bool *police)
{
	*police = !strcmp(text, "police");
	if (*police || !strcmp(text, "auto"))
		return 0;
	return strcmp(text, "shape") && strcmp(text, "edt") ? -EINVAL : -EOPNOTSUPP;
}

static int read_group(const char *text, char *name)
{
	if (!natflow_name_valid(text))
		return -EINVAL;
	strcpy(name, text);
	return 0;
}

/* @most: what @text may be at most. @n: 1 + that */
static int read_small(const char *text, u32 most, u8 *n)
{
	u32 value;
	int err = kstrtou32(text, 10, &value);

	if (err)
		return err;
	*n = value + 1;
	return value > most ? -ERANGE : 0;
}

static int read_dscp(const char *text, u8 *dscp)
{
	*dscp = !strcmp(text, "wash");
	if (*dscp || !strcmp(text, "keep"))
		return 0;
	return strncmp(text, "set:", 4) ? -EINVAL : read_small(text + 4, 63, dscp);
}

static int read_field(int which, char *text, void *args)
{
	struct natflow_limit_args *limit = args;

	if (!*text)
		return 0;
	switch (which) {
	case FIELD_USER:
		return read_end(text, &limit->match.user);
	case FIELD_USER_PORT:
		return read_port(text, &limit->match.user.port);
	case FIELD_REMOTE:
		return read_end(text, &limit->match.remote);
	case FIELD_REMOTE_PORT:
		return read_port(text, &limit->match.remote.port);
	case FIELD_PROTO:
		return read_proto(text, &limit->match.proto);
	case FIELD_RX:
		return read_rate(text, &limit->rates.rx);
	case FIELD_TX:
		return read_rate(text, &limit->rates.tx);
	case FIELD_BURST:
		return read_burst(text, &limit->rates.burst);
	case FIELD_GROUP:
		return read_group(text, limit->group);
	case FIELD_DSCP:
		return read_dscp(text, &limit->dscp);
	case FIELD_PRIO:
		return read_small(text, 15, &limit->prio);
	default:
		return read_out(text, &limit->police);
	}
}

/**
 * natflow_limit_parse() - user=,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,...
 * @value: arguments, in any order; an empty one, or none, stands for any. Is taken apart.
 * @verb: verb
 * @cmd: gets a struct natflow_limit_args
 *
 * Return: 0, -EINVAL, -ERANGE, or -EOPNOTSUPP for an output that does not exist.
 */
int natflow_limit_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_limit_args *limit = NATFLOW_ARGS(cmd, struct natflow_limit_args);
	static const struct natflow_fields rule = {
		.field = fields, .count = FIELDS, .read = read_field,
	};
	u64 seen;
	int err = natflow_fields_parse(value, &rule, verb, cmd, &seen);

	if (err)
		return err;
	if (limit->rates.rx || limit->rates.tx || *limit->group || limit->dscp || limit->prio)
		return 0;
	return natflow_command_fail(cmd, cmd->text, "a rate, group=, dscp= or prio=", -EINVAL);
}

static int print_end(const char *word, const struct natflow_limit_end *end, char *text, size_t size)
{
	char addr[NATFLOW_LIMIT_ADDR_MAX];

	switch (end->kind) {
	case NATFLOW_LIMIT_SET:
		return snprintf(text, size, "%s%s", word, end->set);
	case NATFLOW_LIMIT_PREFIX:
		*natflow_put_address(addr, end->family, end->addr) = '\0';
		if (end->len == (end->family == NFPROTO_IPV4 ? 32 : 128))
			return snprintf(text, size, "%s%s", word, addr);
		return snprintf(text, size, "%s%s/%u", word, addr, end->len);
	default:
		return snprintf(text, size, "%s", word);
	}
}

static int print_number(const char *word, u64 n, char *text, size_t size)
{
	return n ? snprintf(text, size, "%s%llu", word, (unsigned long long)n) :
		   snprintf(text, size, "%s", word);
}

/**
 * natflow_limit_print() - a rule as natflow_limit_parse() reads it
 * @limit: rule
 * @text: where to
 * @size: of @text, at least NATFLOW_LINE_MAX
 *
 * Return: characters.
 */
int natflow_limit_print(const struct natflow_limit_args *limit, char *text, size_t size)
{
	const struct natflow_limit_match *m = &limit->match;
	int n = print_end("user=", &m->user, text, size);

	n += print_number(",user_port=", m->user.port, text + n, size - n);
	n += print_end(",remote=", &m->remote, text + n, size - n);
	n += print_number(",remote_port=", m->remote.port, text + n, size - n);
	n += snprintf(text + n, size - n, ",proto=%s",
		      m->proto == IPPROTO_TCP ? "tcp" : m->proto ? "udp" : "");
	n += print_number(",rxbytes=", limit->rates.rx, text + n, size - n);
	n += print_number(",txbytes=", limit->rates.tx, text + n, size - n);
	if (limit->rates.burst)
		n += print_number(",burst=", limit->rates.burst, text + n, size - n);
	if (limit->police)
		n += snprintf(text + n, size - n, ",out=police");
	if (*limit->group)
		n += snprintf(text + n, size - n, ",group=%s", limit->group);
	if (limit->dscp)
		n += snprintf(text + n, size - n, ",dscp=set:%u", limit->dscp - 1);
	if (limit->prio)
		n += snprintf(text + n, size - n, ",prio=%u", limit->prio - 1);
	return n;
}

static int read_group_field(int which, char *text, void *args)
{
	struct natflow_group_args *group = args;

	switch (which) {
	case GROUP_NAME:
		return read_group(text, group->name);
	case GROUP_RX:
		return *text ? read_rate(text, &group->rates.rx) : 0;
	case GROUP_TX:
		return *text ? read_rate(text, &group->rates.tx) : 0;
	default:
		return read_burst(text, &group->rates.burst);
	}
}

/**
 * natflow_group_parse() - name=NAME,rxbytes=,txbytes=,burst=
 * @value: arguments, in any order; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_group_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_group_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_group_args *group = NATFLOW_ARGS(cmd, struct natflow_group_args);
	static const struct natflow_fields shared = {
		.field = group_fields, .count = GROUP_FIELDS, .read = read_group_field,
	};
	u64 seen;
	int err = natflow_fields_parse(value, &shared, verb, cmd, &seen);

	if (err)
		return err;
	return *group->name && (group->rates.rx || group->rates.tx) ? 0 :
	       natflow_command_fail(cmd, cmd->text, "name=, and rxbytes= or txbytes=", -EINVAL);
}

/**
 * natflow_group_print() - a group as natflow_group_parse() reads it
 * @group: group
 * @text: where to
 * @size: of @text, at least NATFLOW_LINE_MAX
 *
 * Return: characters.
 */
int natflow_group_print(const struct natflow_group_args *group, char *text, size_t size)
{
	int n = snprintf(text, size, "name=%s", group->name);

	n += print_number(",rxbytes=", group->rates.rx, text + n, size - n);
	n += print_number(",txbytes=", group->rates.tx, text + n, size - n);
	if (group->rates.burst)
		n += print_number(",burst=", group->rates.burst, text + n, size - n);
	return n;
}

/**
 * natflow_token_parse() - ADDR RX TX
 * @value: arguments; is taken apart. A rate of 0 is no limit.
 * @verb: verb
 * @cmd: gets a struct natflow_token_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_token_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_token_args *args = NATFLOW_ARGS(cmd, struct natflow_token_args);
	char *rx = strchr(value, ' '), *tx = rx ? strchr(rx + 1, ' ') : NULL;
	u8 len;

	if (!tx)
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	*rx++ = '\0';
	*tx++ = '\0';
	if (strchr(value, '/') || natflow_prefix_parse(value, args->addr, &args->family, &len))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	if (kstrtou64(rx, 10, &args->rx) || args->rx > NATFLOW_RATE_MAX)
		return natflow_command_fail(cmd, rx, verb->expected, -ERANGE);
	if (kstrtou64(tx, 10, &args->tx) || args->tx > NATFLOW_RATE_MAX)
		return natflow_command_fail(cmd, tx, verb->expected, -ERANGE);
	return 0;
}

/**
 * natflow_limit_matches() - is an end of a flow one that a rule names, apart from sets
 * @end: of the rule
 * @family: NFPROTO_*
 * @addr: network order
 * @port: host order, 0 if the protocol has none
 */
bool natflow_limit_matches(const struct natflow_limit_end *end, u8 family, const u8 *addr, u16 port)
{
	if (end->port && end->port != port)
		return false;
	return end->kind != NATFLOW_LIMIT_PREFIX ||
	       (end->family == family && natflow_prefix_match(addr, end->addr, end->len));
}
