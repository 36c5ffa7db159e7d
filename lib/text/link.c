// SPDX-License-Identifier: GPL-2.0-only
/* The line "link dev=NAME[,tx=RATE][,rx=RATE][,dscp=...][,overhead=BYTES|PRESET][,mpu=BYTES]". */
#include "link.h"

#define RATE_MIN	8000	/* bit/s */

/* Bytes beside those of IP; 20 of Ethernet are its preamble and the gap between frames. */
static const struct preset {
	const char *word;
	u8 overhead, mpu;
	bool atm;
} presets[] = {
	{ "ethernet", 14 + 4 + 20, 84, false },			/* IEEE 802.3 */
	{ "ethernet-vlan", 14 + 4 + 4 + 20, 84, false },	/* with one tag of 802.1Q */
	{ "pppoe-vlan", 8 + 14 + 4 + 4 + 20, 84, false },	/* RFC 2516 in the above */
	{ "docsis", 14 + 4, 64, false },			/* frames with their FCS */
	/* RFC 2684: PPP 2, PPPoE 6, Ethernet 14, LLC and SNAP 10, AAL5 8. */
	{ "atm", 2 + 6 + 14 + 10 + 8, 0, true },
};

static const struct { const char *word; u32 factor; } units[] = {
	{ "kbit", 1000 }, { "mbit", 1000 * 1000 }, { "gbit", 1000 * 1000 * 1000 },
};

static const char * const dscps[NATFLOW_LINK_DSCPS] = {
	[NATFLOW_LINK_RESTORE] = "restore", [NATFLOW_LINK_KEEP] = "keep",
	[NATFLOW_LINK_WASH] = "wash",
};

/* "40mbit": an integer and its unit. */
static int read_rate(char *text, u64 *rate)
{
	size_t digits = strspn(text, "0123456789");
	unsigned int i;
	u32 n;
	char c;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(text + digits, units[i].word))
			break;
	if (!digits || i == ARRAY_SIZE(units))
		return -EINVAL;
	c = text[digits];
	text[digits] = '\0';
	if (kstrtou32(text, 10, &n))
		return -ERANGE;
	text[digits] = c;
	*rate = (u64)n * units[i].factor;
	return *rate < RATE_MIN || *rate > NATFLOW_LINK_RATE_MAX ? -ERANGE : 0;
}

static int read_overhead(const char *text, struct natflow_link *link)
{
	unsigned int i;
	u32 n;

	link->has_overhead = true;
	for (i = 0; i < ARRAY_SIZE(presets); i++) {
		if (strcmp(text, presets[i].word))
			continue;
		link->overhead = presets[i].overhead;
		link->mpu = presets[i].mpu;
		link->atm = presets[i].atm;
		return 0;
	}
	if (kstrtou32(text, 10, &n))
		return -EINVAL;
	link->overhead = n;
	return n > NATFLOW_LINK_BYTES_MAX ? -ERANGE : 0;
}

static int read_dscp(const char *text, struct natflow_link *link)
{
	u8 i;

	for (i = NATFLOW_LINK_RESTORE; i < NATFLOW_LINK_DSCPS; i++)
		if (!strcmp(text, dscps[i])) {
			link->dscp = i;
			return 0;
		}
	return -EINVAL;
}

static int read_field(char *field, struct natflow_link *link)
{
	char *value = strchr(field, '=');
	u32 n;
	int err;

	if (!value)
		return -EINVAL;
	value++;
	if (!strncmp(field, "dev=", 4)) {
		if (*link->dev || !natflow_name_valid(value))
			return -EINVAL;
		strcpy(link->dev, value);
		return 0;
	}
	if (!strncmp(field, "tx=", 3))
		return link->tx ? -EINVAL : read_rate(value, &link->tx);
	if (!strncmp(field, "rx=", 3))
		return link->rx ? -EINVAL : read_rate(value, &link->rx);
	if (!strncmp(field, "overhead=", 9))
		return link->has_overhead ? -EINVAL : read_overhead(value, link);
	if (!strncmp(field, "dscp=", 5))
		return link->dscp ? -EINVAL : read_dscp(value, link);
	if (strncmp(field, "mpu=", 4))
		return -EINVAL;
	err = kstrtou32(value, 10, &n);
	if (err)
		return err;
	link->mpu = n;
	return n > NATFLOW_LINK_BYTES_MAX ? -ERANGE : 0;
}

/**
 * natflow_link_parse() - dev=NAME[,tx=RATE][,rx=RATE][,dscp=...][,overhead=...][,mpu=...]
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_link
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_link_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_link *link = NATFLOW_ARGS(cmd, struct natflow_link);
	char *field = value, *next;
	int err;

	memset(link, 0, sizeof(*link));
	do {
		next = strchr(field, ',');
		if (next)
			*next++ = '\0';
		err = read_field(field, link);
		if (err)
			return natflow_command_fail(cmd, field, verb->expected, err);
		field = next;
	} while (field);
	return *link->dev && (link->rx || (link->tx && !link->dscp)) ? 0 :
	       natflow_command_fail(cmd, value, verb->expected, -EINVAL);
}

static size_t print_rate(const char *word, u64 rate, char *text, size_t size)
{
	int i = ARRAY_SIZE(units);
	u64 n;
	u32 rest;

	if (!rate)
		return 0;
	do {
		n = div_u64_rem(rate, units[--i].factor, &rest);
	} while (i && rest);
	return snprintf(text, size, ",%s=%llu%s", word, (unsigned long long)n, units[i].word);
}

/**
 * natflow_link_text() - a line, as it can be written
 * @link: line
 * @text: NATFLOW_LINK_TEXT_MAX bytes
 *
 * Return: @text.
 */
const char *natflow_link_text(const struct natflow_link *link, char *text)
{
	size_t len = snprintf(text, NATFLOW_LINK_TEXT_MAX, "link dev=%s", link->dev);
	unsigned int i;

	len += print_rate("tx", link->tx, text + len, NATFLOW_LINK_TEXT_MAX - len);
	len += print_rate("rx", link->rx, text + len, NATFLOW_LINK_TEXT_MAX - len);
	if (link->dscp)
		len += snprintf(text + len, NATFLOW_LINK_TEXT_MAX - len, ",dscp=%s",
				dscps[link->dscp]);
	for (i = 0; i < ARRAY_SIZE(presets); i++)
		if (link->has_overhead && presets[i].overhead == link->overhead &&
		    presets[i].atm == link->atm)
			break;
	if (link->has_overhead && i < ARRAY_SIZE(presets))
		len += snprintf(text + len, NATFLOW_LINK_TEXT_MAX - len, ",overhead=%s",
				presets[i].word);
	else if (link->has_overhead)
		len += snprintf(text + len, NATFLOW_LINK_TEXT_MAX - len, ",overhead=%u",
				link->overhead);
	if (link->mpu && (i == ARRAY_SIZE(presets) || !link->has_overhead ||
			  presets[i].mpu != link->mpu))
		snprintf(text + len, NATFLOW_LINK_TEXT_MAX - len, ",mpu=%u", link->mpu);
	return text;
}
