// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of natflow_user_ctl's lines about policies. */
#include "known.h"
#include "policy.h"

#define MINUTES_MAX	44640	/* of a month */

const char * const natflow_verdict_words[NATFLOW_POLICY_VERDICTS] = {
	"", "allow", "block", "portal"
};

const char * const natflow_subject_words[NATFLOW_SUBJECTS] = {
	"device", "name", "ip", "cidr", "set", "zone"
};

static const char * const periods[NATFLOW_POLICY_PERIODS] = { "day", "week", "month" };

/* -- fields */

/* Does ",word=" begin here? Other commas are part of a schedule. */
static bool is_next(const char *comma)
{
	size_t len;

	for (len = 1; (comma[len] >= 'a' && comma[len] <= 'z') || comma[len] == '_'; len++)
		;
	return len > 1 && comma[len] == '=';
}

/* Cut off the first field. Return: the rest, or NULL. */
static char *cut(char *text)
{
	char *comma = strchr(text, ',');

	while (comma && comma[1] && !is_next(comma))
		comma = strchr(comma + 1, ',');
	if (comma)
		*comma++ = '\0';
	return comma;
}

/* The name of a policy: letters, digits, '-', '_' and '.'. */
static int read_name(const char *text, char *name)
{
	size_t i, len = strlen(text);

	if (!len || len >= NATFLOW_POLICY_NAME_MAX)
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return -EINVAL;
	strcpy(name, text);
	return 0;
}

/* -- a policy */

static int read_schedule(const char *text, struct natflow_policy *p)
{
	char range[NATFLOW_SCHEDULE_TEXT_MAX];

	for (;;) {
		size_t len = strcspn(text, ";");

		if (p->ranges == NATFLOW_POLICY_RANGES_MAX)
			return -E2BIG;
		if (len >= sizeof(range))
			return -EINVAL;
		memcpy(range, text, len);
		range[len] = '\0';
		if (!natflow_schedule_parse(range, &p->range[p->ranges++]))
			return -EINVAL;
		if (!text[len])
			return 0;
		text += len + 1;
	}
}

/* "N/day". */
static int read_quota(char *text, u64 most, u64 *quota, u8 *period)
{
	char *slash = strchr(text, '/');
	int at, err;

	if (!slash)
		return -EINVAL;
	at = natflow_word_index(periods, NATFLOW_POLICY_PERIODS, slash + 1, strlen(slash + 1));
	if (at < 0)
		return -EINVAL;
	*period = at;
	*slash = '\0';
	err = kstrtou64(text, 10, quota);
	*slash = '/';
	return !err && (!*quota || *quota > most) ? -ERANGE : err;
}

static int read_minutes(char *text, struct natflow_policy *p)
{
	u64 minutes = 0;
	int err = read_quota(text, MINUTES_MAX, &minutes, &p->minutes_period);

	p->minutes = minutes;
	return err;
}

/* Return: the index, which is never 0, or -EINVAL. */
static int read_choice(const char * const *from, int count, const char *text)
{
	int at = natflow_word_index(from, count, text, strlen(text));

	return at >= 0 && *text ? at : -EINVAL;
}

static int read_verdict(const char *text, struct natflow_policy *p)
{
	int at = read_choice(natflow_verdict_words, NATFLOW_POLICY_VERDICTS, text);

	p->verdict = at;
	return at < 0 ? at : 0;
}

static int read_log(const char *text, struct natflow_policy *p)
{
	int at = read_choice(natflow_level_words, ARRAY_SIZE(natflow_level_words), text);

	p->log = at + 1;
	return at < 0 ? at : 0;
}

static int read_sites(const char *text, struct natflow_policy *p)
{
	if (!natflow_name_valid(text))
		return -EINVAL;
	strcpy(p->sites, text);
	return 0;
}

static int read_over(const char *text, struct natflow_policy *p)
{
	p->throttle = !strcmp(text, "throttle");
	return p->throttle || !strcmp(text, "block") ? 0 : -EINVAL;
}

/* "RX/TX". */
static int read_rate(char *text, struct natflow_policy *p)
{
	char *slash = strchr(text, '/');
	int err;

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	err = kstrtou64(text, 10, &p->rx) ?: kstrtou64(slash + 1, 10, &p->tx);
	*slash = '/';
	if (err)
		return err;
	return (p->rx || p->tx) && p->rx <= NATFLOW_RATE_MAX && p->tx <= NATFLOW_RATE_MAX ?
	       0 : -ERANGE;
}

enum field {
	FIELD_NAME,
	FIELD_VERDICT,
	FIELD_SCHEDULE,
	FIELD_VOLUME,
	FIELD_MINUTES,
	FIELD_OVER,
	FIELD_RATE,
	FIELD_SITES,
	FIELD_LOG,
	FIELDS
};

static const struct natflow_field fields[FIELDS] = {
	[FIELD_NAME] = { "name=", "1 to 31 letters, digits, '-', '_' or '.'" },
	[FIELD_VERDICT] = { "verdict=", "allow, block or portal" },
	[FIELD_SCHEDULE] = { "schedule=", "at most 8 of DAYS HH:MM-HH:MM with ';' between them" },
	[FIELD_VOLUME] = { "volume=", "BYTES/day, BYTES/week or BYTES/month" },
	[FIELD_MINUTES] = { "minutes=", "1 to 44640, and /day, /week or /month" },
	[FIELD_OVER] = { "over=", "block or throttle" },
	[FIELD_RATE] = { "rate=", "RX/TX, each 0 to 1000000000000 bytes a second, not both 0" },
	[FIELD_SITES] = { "sites=", "the name of a list, of 15 characters at most" },
	[FIELD_LOG] = { "log=", "counters, domain, host or url" },
};

static int read_field(int which, char *text, void *args)
{
	struct natflow_policy *p = args;

	switch (which) {
	case FIELD_NAME:
		return read_name(text, p->name);
	case FIELD_VERDICT:
		return read_verdict(text, p);
	case FIELD_SCHEDULE:
		return read_schedule(text, p);
	case FIELD_VOLUME:
		return read_quota(text, S64_MAX, &p->volume, &p->volume_period);
	case FIELD_MINUTES:
		return read_minutes(text, p);
	case FIELD_OVER:
		return read_over(text, p);
	case FIELD_RATE:
		return read_rate(text, p);
	case FIELD_SITES:
		return read_sites(text, p);
	default:
		return read_log(text, p);
	}
}

/* Fields that have no effect beside others. Return: what is missing, or NULL. */
static const char *contradiction(const struct natflow_policy *p, u64 seen)
{
	bool limited = p->volume || p->minutes;

	if (!(seen & BIT_ULL(FIELD_NAME)))
		return "name=";
	if (seen & BIT_ULL(FIELD_OVER) && !limited)
		return "volume= or minutes= beside over=";
	if (p->throttle && !natflow_policy_has_rate(p))
		return "rate= beside over=throttle";
	return (limited || natflow_policy_has_rate(p)) && p->verdict == NATFLOW_POLICY_BLOCK ?
	       "another verdict= beside volume=, minutes= or rate=" : NULL;
}

/**
 * natflow_policy_parse() - name=NAME and what the policy says
 * @value: arguments, in any order; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_policy
 *
 * Return: 0, -EINVAL, -ERANGE or -E2BIG.
 */
int natflow_policy_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	struct natflow_policy *policy = NATFLOW_ARGS(cmd, struct natflow_policy);
	static const struct natflow_fields all = {
		.field = fields, .count = FIELDS, .read = read_field, .cut = cut,
	};
	const char *lacks;
	u64 seen;
	int err = natflow_fields_parse(value, &all, verb, cmd, &seen);

	if (err)
		return err;
	lacks = contradiction(policy, seen);
	return lacks ? natflow_command_fail(cmd, cmd->text, lacks, -EINVAL) : 0;
}

/**
 * natflow_policy_name_parse() - name=NAME
 * @value: argument
 * @verb: verb
 * @cmd: gets the name in ->args, a NUL-terminated string
 *
 * Return: 0 or -EINVAL.
 */
int natflow_policy_name_parse(char *value, const struct natflow_verb *verb,
			      struct natflow_command *cmd)
{
	if (strncmp(value, "name=", 5) || read_name(value + 5, NATFLOW_ARGS(cmd, char)))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	return 0;
}

/**
 * natflow_policy_print() - a policy as natflow_policy_parse() reads it
 * @p: policy
 * @text: where to
 * @size: of @text, at least NATFLOW_LINE_MAX: it is not longer than what was read
 *
 * Return: characters.
 */
int natflow_policy_print(const struct natflow_policy *p, char *text, size_t size)
{
	int len = snprintf(text, size, "name=%s", p->name);
	unsigned int i;

	if (p->verdict)
		len += snprintf(text + len, size - len, ",verdict=%s",
				natflow_verdict_words[p->verdict]);
	for (i = 0; i < p->ranges; i++) {
		len += snprintf(text + len, size - len, i ? ";" : ",schedule=");
		len += natflow_schedule_print(&p->range[i], text + len, size - len);
	}
	if (p->volume)
		len += snprintf(text + len, size - len, ",volume=%llu/%s", p->volume,
				periods[p->volume_period]);
	if (p->minutes)
		len += snprintf(text + len, size - len, ",minutes=%u/%s", p->minutes,
				periods[p->minutes_period]);
	if (p->throttle)
		len += snprintf(text + len, size - len, ",over=throttle");
	if (natflow_policy_has_rate(p))
		len += snprintf(text + len, size - len, ",rate=%llu/%llu", p->rx, p->tx);
	if (*p->sites)
		len += snprintf(text + len, size - len, ",sites=%s", p->sites);
	if (p->log)
		len += snprintf(text + len, size - len, ",log=%s", natflow_level_words[p->log - 1]);
	return len;
}

/**
 * natflow_policy_has_rate() - does a policy limit whom it is bound to
 * @p: policy
 */
bool natflow_policy_has_rate(const struct natflow_policy *p)
{
	return p->rx || p->tx;
}

/**
 * natflow_policy_is_on() - does a policy have its effect
 * @p: policy
 * @minute: of the week, which begins on Monday
 */
bool natflow_policy_is_on(const struct natflow_policy *p, unsigned int minute)
{
	unsigned int i;

	for (i = 0; i < p->ranges; i++)
		if (natflow_schedule_includes(&p->range[i], minute))
			return true;
	return !p->ranges;
}

/* -- a bind */

/**
 * natflow_subject_prefix() - the subject of a prefix
 * @s: the result
 * @family: NFPROTO_*
 * @addr: network order
 * @len: bits of the prefix; the rest of @addr does not matter
 */
void natflow_subject_prefix(struct natflow_subject *s, u8 family, const u8 *addr, u8 len)
{
	memset(s, 0, sizeof(*s));
	s->kind = NATFLOW_SUBJECT_CIDR;
	s->family = family;
	s->len = len;
	memcpy(s->addr, addr, (len + 7) / 8);
	if (len % 8)
		s->addr[len / 8] &= 0xff00 >> len % 8;
}

/* No group's, not none. */
static bool read_device(const char *text, struct natflow_subject *s)
{
	static const u8 none[6];

	return natflow_mac_parse(text, s->addr) && !(s->addr[0] & 1) &&
	       memcmp(s->addr, none, sizeof(none));
}

static bool read_device_name(const char *text, char *name)
{
	if (!*text || !natflow_known_name_valid(text))
		return false;
	strcpy(name, text);
	return true;
}

static bool read_ip(char *text, struct natflow_subject *s)
{
	return !strchr(text, '/') && !natflow_prefix_parse(text, s->addr, &s->family, &s->len);
}

static bool read_cidr(char *text, struct natflow_subject *s)
{
	struct natflow_subject prefix;
	char *slash = strchr(text, '/');
	bool ok;

	if (!slash)
		return false;
	ok = !natflow_prefix_parse(text, s->addr, &s->family, &s->len);
	*slash = '/';
	if (!ok)
		return false;
	natflow_subject_prefix(&prefix, s->family, s->addr, s->len);
	return !memcmp(prefix.addr, s->addr, sizeof(prefix.addr));
}

static bool read_zone(const char *text, struct natflow_subject *s)
{
	u32 zone;

	if (kstrtou32(text, 10, &zone) || zone > NATFLOW_AUTH_ZONE_MAX)
		return false;
	s->addr[0] = zone;
	return true;
}

static bool read_subject(char *text, struct natflow_subject *s)
{
	switch (s->kind) {
	case NATFLOW_SUBJECT_DEVICE:
		return read_device(text, s);
	case NATFLOW_SUBJECT_NAME:
		return read_device_name(text, s->name);
	case NATFLOW_SUBJECT_IP:
		return read_ip(text, s);
	case NATFLOW_SUBJECT_CIDR:
		return read_cidr(text, s);
	case NATFLOW_SUBJECT_SET:
		return !strchr(text, ' ') && natflow_set_name_copy(text, s->name);
	default:
		return read_zone(text, s);
	}
}

static const char * const subjects[NATFLOW_SUBJECTS] = {
	[NATFLOW_SUBJECT_DEVICE] = "the MAC of a host, as in device=02:00:00:00:00:01",
	[NATFLOW_SUBJECT_NAME] = "the name of a device, of 31 characters at most",
	[NATFLOW_SUBJECT_IP] = "an address",
	[NATFLOW_SUBJECT_CIDR] = "ADDR/BITS, of ADDR only the first BITS set",
	[NATFLOW_SUBJECT_SET] = "the name of an ipset, of 31 characters at most",
	[NATFLOW_SUBJECT_ZONE] = "the number of a zone, 0 to 126",
};

static int parse_subject(char *text, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_bind_args *args = NATFLOW_ARGS(cmd, struct natflow_bind_args);
	struct natflow_subject *s = &args->of;
	size_t len = strcspn(text, "=");
	int kind = natflow_word_index(natflow_subject_words, NATFLOW_SUBJECTS, text, len);

	if (kind < 0 || text[len] != '=')
		return natflow_command_fail(cmd, text, verb->expected, -EINVAL);
	s->kind = kind;
	return read_subject(text + len + 1, s) ? 0 :
	       natflow_command_fail(cmd, text, subjects[kind], -EINVAL);
}

/**
 * natflow_bind_parse() - policy=NAME,SUBJECT
 * @value: arguments, in this order; is taken apart
 * @verb: verb; ->max is 1 if policy= may be missing
 * @cmd: gets a struct natflow_bind_args
 *
 * Return: 0 or -EINVAL.
 */
int natflow_bind_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_bind_args *args = NATFLOW_ARGS(cmd, struct natflow_bind_args);
	char *rest = value;

	if (!verb->max || !strncmp(value, "policy=", 7)) {
		rest = strchr(value, ',');
		if (rest)
			*rest++ = '\0';
		if (strncmp(value, "policy=", 7) || read_name(value + 7, args->policy))
			return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	}
	if (!rest)
		return natflow_command_fail(cmd, cmd->text, verb->expected, -EINVAL);
	return parse_subject(rest, verb, cmd);
}
