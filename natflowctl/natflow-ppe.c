// SPDX-License-Identifier: GPL-2.0-only
/* natflow-ppe: reads what mtk_ppe_debugfs.c prints of a PPE's table, and says what it means. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include "../natflow_hwnat/foe.h"

static const char usage[] =
	"Usage: natflow-ppe [--soc NAME] [--clock HEX] [FILE...]\n"
	"Say what the entries of a MediaTek PPE mean (standard input without FILE or for \"-\").\n"
	"\n"
	"  -s, --soc NAME    mt7621, mt7622, mt7623, mt7981, mt7986 or mt7988 (default: from a\n"
	"                    bound entry)\n"
	"  -c, --clock HEX   register 0x10 of the frame engine, for age= instead of time=\n"
	"      --help        this text\n"
	"\n"
	"  natflow-ppe /sys/kernel/debug/ppe0/entries\n"
	"  natflow-ppe /sys/kernel/debug/ppe0/bind | grep ' from=192.168.1.22:'\n"
	"\n"
	"One line for each entry, KEY=VALUE; Documentation/hardware.md explains the keys.\n"
	"Exit status: 0 done, 1 a line is no entry or a file failed, 2 wrong usage.\n";

/* A line of the kernel, and its words as far as they are printed. */
struct entry {
	u32 slot, words[NATFLOW_FOE_WORDS];
	bool ipv6, ports, addresses, counted;
	u64 packets, bytes;
};

static const struct natflow_foe_soc *soc;
static bool has_clock;
static u32 clock_now;

static const char *find(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? at + strlen(key) : NULL;
}

static u32 word(const u8 *bytes)
{
	return (u32)bytes[0] << 24 | (u32)bytes[1] << 16 | (u32)bytes[2] << 8 | bytes[3];
}

static bool read_hex(const char *at, u32 *value)
{
	return strspn(at, "0123456789abcdef") == 8 && sscanf(at, "%8x", value) == 1;
}

/* Addresses are printed in full: IPv6 has always 39 characters. */
static bool read_end(const char **at, u32 *words, unsigned int *port, bool *ipv6, bool *ports)
{
	char text[40] = "";
	u8 addr[16];
	int len = strspn(*at, "0123456789abcdef:"), i, used = 0;

	*ipv6 = len >= 39 && (*at)[4] == ':';
	len = *ipv6 ? 39 : strspn(*at, "0123456789.");
	if (len >= (int)sizeof(text))
		return false;
	memcpy(text, *at, len);
	if (inet_pton(*ipv6 ? AF_INET6 : AF_INET, text, addr) != 1)
		return false;
	for (i = 0; i < (*ipv6 ? 4 : 1); i++)
		words[i] = word(addr + 4 * i);
	*at += len;
	*ports = sscanf(*at, ":%5u%n", port, &used) == 1;
	*at += used;
	return *port <= 65535;
}

/* SRC:PORT->DST:PORT to the words of a tuple: of IPv4 3, of IPv6 9. */
static bool read_tuple(const char *at, u32 *words, bool *ipv6, bool *ports)
{
	unsigned int sport = 0, dport = 0;
	u32 src[4], dst[4];
	bool ipv6_too, ports_too;
	int n;

	if (!read_end(&at, src, &sport, ipv6, ports) || strncmp(at, "->", 2))
		return false;
	at += 2;
	if (!read_end(&at, dst, &dport, &ipv6_too, &ports_too) || *at != ' ')
		return false;
	n = *ipv6 ? 4 : 1;
	memcpy(words, src, n * sizeof(*words));
	memcpy(words + n, dst, n * sizeof(*words));
	words[2 * n] = sport << 16 | dport;
	return ipv6_too == *ipv6 && ports_too == *ports;
}

static bool read_l2(const char *line, u32 *l2)
{
	const char *eth = find(line, " eth="), *etype = find(line, " etype=");
	const char *vlan = find(line, " vlan=");
	unsigned int m[12], type, outer, inner, i;
	u8 mac[12];

	if (!eth || !etype || !vlan || sscanf(etype, "%4x", &type) != 1 ||
	    sscanf(vlan, "%5u,%5u", &outer, &inner) != 2 || outer > 65535 || inner > 65535)
		return false;
	if (sscanf(eth, "%2x:%2x:%2x:%2x:%2x:%2x->%2x:%2x:%2x:%2x:%2x:%2x", m, m + 1, m + 2, m + 3,
		   m + 4, m + 5, m + 6, m + 7, m + 8, m + 9, m + 10, m + 11) != 12)
		return false;
	for (i = 0; i < 12; i++)
		mac[i] = m[i];
	/* The kernel prints the type's bytes in the other order. */
	l2[0] = (type & 0xff) << 24 | type >> 8 << 16 | outer;
	l2[1] = word(mac + 6);
	l2[2] = (u32)mac[10] << 24 | (u32)mac[11] << 16 | inner;
	l2[3] = word(mac);
	l2[4] = (u32)mac[4] << 24 | (u32)mac[5] << 16;
	return true;
}

static bool read_entry(const char *line, struct entry *e)
{
	const char *orig = find(line, " orig="), *new = find(line, " new=");
	const char *ib1 = find(line, " ib1="), *ib2 = find(line, " ib2=");
	const char *packets = find(line, " packets=");
	u32 new_words[9];
	bool new_ipv6, new_ports;

	*e = (struct entry){};
	if (!orig || !ib1 || !ib2 || sscanf(line, "%6x ", &e->slot) != 1 ||
	    !read_hex(ib1, &e->words[0]))
		return false;
	e->addresses = strncmp(orig, "(null)", 6);
	if (e->addresses && !read_tuple(orig, e->words + 1, &e->ipv6, &e->ports))
		return false;
	if (new && !read_tuple(new, new_words, &new_ipv6, &new_ports))
		return false;
	if (new && !e->ipv6)
		memcpy(e->words + 5, new_words, 3 * sizeof(*new_words));
	e->counted = packets && sscanf(packets, "%llu bytes=%llu", &e->packets, &e->bytes) == 2;
	return read_hex(ib2, &e->words[e->ipv6 ? 14 : 4]) &&
	       read_l2(line, e->words + (e->ipv6 ? 15 : 11));
}

/* 1: layout v1; 2: v2 or v3; 0: the entry does not show it. v1 has TTL where v2 has a type. */
static int guess(const char *line)
{
	struct entry e;

	if (!read_entry(line, &e) || !e.addresses || strstr(line, "DS-LITE orig=") ||
	    strstr(line, "6RD orig=") || (e.words[0] >> 28 & 3) < NATFLOW_FOE_BIND)
		return 0;
	return e.words[0] & 1 << 24 ? 1 : 2;
}

static void put_end(const char *key, const u32 *words, bool ipv6, bool ports, u16 port)
{
	char text[INET6_ADDRSTRLEN];
	u32 addr[4];
	int i;

	for (i = 0; i < 4; i++)
		addr[i] = htonl(words[i]);
	inet_ntop(ipv6 ? AF_INET6 : AF_INET, addr, text, sizeof(text));
	printf(ipv6 && ports ? " %s=[%s]" : " %s=%s", key, text);
	if (ports)
		printf(":%u", port);
}

static void put_mac(const char *key, const u8 *mac)
{
	printf(" %s=%02x:%02x:%02x:%02x:%02x:%02x", key, mac[0], mac[1], mac[2], mac[3], mac[4],
	       mac[5]);
}

static void put_time(const struct natflow_foe *foe)
{
	u32 mask = foe->state == NATFLOW_FOE_UNBIND ? 0xff : natflow_foe_time(soc, ~0);

	if (has_clock)
		printf(" age=%u", (clock_now - foe->time) & mask);
	else
		printf(" time=%u", foe->time);
}

static void put_port(const struct natflow_foe *foe)
{
	static const char * const names[16] = {
		[NATFLOW_FOE_CPU] = "cpu", [NATFLOW_FOE_GDM1] = "gdm1",
		[NATFLOW_FOE_GDM2] = "gdm2", [NATFLOW_FOE_GDM3] = "gdm3",
		[NATFLOW_FOE_DROP] = "drop", [NATFLOW_FOE_WDMA0] = "wdma0",
		[NATFLOW_FOE_WDMA1] = "wdma1", [NATFLOW_FOE_WDMA2] = "wdma2",
	};

	if (foe->wed && soc->version == 1)
		printf(" port=wdma%u", foe->wdma);
	else if (names[foe->port])
		printf(" port=%s", names[foe->port]);
	else
		printf(" port=%u", foe->port);
}

/* PPPoE's session and what v2 and v3 know of a wlan's station are not in the kernel's line. */
static void put_bound(const struct natflow_foe *foe)
{
	put_mac("src", foe->src);
	put_mac("dst", foe->dst);
	if (foe->vlans)
		printf(" vlan=%u", foe->vlan[0]);
	if (foe->vlans > 1)
		printf(",%u", foe->vlan[1]);
	if (foe->pppoe)
		printf(" pppoe=yes");
	if (foe->dsa)
		printf(" dsa=%u", foe->dsa_port);
	put_port(foe);
	if (foe->queued)
		printf(" queue=%u", foe->queue);
	if (foe->wed)
		printf(" ring=%u", foe->ring);
	if (foe->wed && soc->version == 1)
		printf(" bss=%u wcid=%u", foe->bss, foe->wcid);
	if (foe->group != soc->group)
		printf(" group=%u", foe->group);
	if (!foe->ttl)
		printf(" ttl=kept");
}

static bool is_v6(const struct natflow_foe *foe)
{
	return foe->type == NATFLOW_FOE_IPV6_3T || foe->type == NATFLOW_FOE_IPV6_5T;
}

/* 6.1 and later have tables of 8192 or 16384 slots. */
static void put_way(const struct entry *e, const struct natflow_foe *foe)
{
	u32 entries;

	for (entries = 8192; entries <= 16384; entries *= 2) {
		u32 way = e->slot - natflow_foe_bucket(soc, entries, foe);

		if (way < soc->ways) {
			printf(" way=%u", way);
			return;
		}
	}
	printf(" way=none");
}

static void put_flow(const struct entry *e, const struct natflow_foe *foe, int err)
{
	bool ipv6 = is_v6(foe);

	if (e->ports)
		put_way(e, foe);
	put_end("from", foe->orig.src, ipv6, e->ports, foe->orig.sport);
	put_end("to", foe->orig.dst, ipv6, e->ports, foe->orig.dport);
	if (foe->state == NATFLOW_FOE_UNBIND)
		return;
	if (memcmp(&foe->orig, &foe->new, sizeof(foe->new))) {
		put_end("new_from", foe->new.src, ipv6, e->ports, foe->new.sport);
		put_end("new_to", foe->new.dst, ipv6, e->ports, foe->new.dport);
	}
	put_bound(foe);
	if (err)
		printf(" odd=%04x", e->words[ipv6 ? 15 : 11] >> 16);
}

static void put_entry(const struct entry *e)
{
	static const char * const states[] = { "invalid", "unbound", "bound", "fin" };
	static const char * const types[] = { "v4", "v4-3t", "bridge", "dslite", "v6-3t", "v6",
					      [7] = "6rd" };
	struct natflow_foe foe;
	int err = natflow_foe_decode(soc, e->words, &foe);

	printf("index=%05x state=%s", e->slot, states[foe.state]);
	if (foe.type < ARRAY_SIZE(types) && types[foe.type])
		printf(" type=%s", types[foe.type]);
	else
		printf(" type=%u", foe.type);
	printf(" proto=%s", foe.udp ? "udp" : e->ports ? "tcp" : "other");
	if (foe.permanent)
		printf(" permanent=yes");
	put_time(&foe);
	if (foe.state == NATFLOW_FOE_UNBIND)
		printf(" seen=%u", foe.packets);
	if (err == -EOPNOTSUPP || !e->addresses || e->ipv6 != is_v6(&foe))
		printf(" from=?");
	else
		put_flow(e, &foe, err);
	if (e->counted && soc->mib)
		printf(" packets=%llu bytes=%llu", e->packets, e->bytes);
	putchar('\n');
}

struct lines {
	char **line;
	size_t count;
};

static int read_file(const char *path, struct lines *all)
{
	bool in = !strcmp(path, "-");
	FILE *f = in ? stdin : fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		all->line = realloc(all->line, (all->count + 1) * sizeof(*all->line));
		if (!all->line)
			exit(1);
		all->line[all->count++] = line;
		line = NULL;
	}
	free(line);
	if (!f || ferror(f)) {
		fprintf(stderr, "natflow-ppe: %s: %s\n", path, strerror(errno));
		return -EIO;
	}
	if (!in)
		fclose(f);
	return 0;
}

/* Of each layout the SoC that has most of it. */
static bool guess_soc(const struct lines *all)
{
	int votes[3] = {};
	size_t i;

	for (i = 0; i < all->count; i++)
		votes[guess(all->line[i])]++;
	if (votes[1] != votes[2])
		soc = natflow_foe_soc(votes[1] > votes[2] ? "mt7622" : "mt7988");
	return soc;
}

static int show(const struct lines *all)
{
	struct entry e;
	int bad = 0;
	size_t i;

	if (all->count && !soc && !guess_soc(all)) {
		fputs("natflow-ppe: no bound entry shows what SoC it is: use --soc\n", stderr);
		return 1;
	}
	for (i = 0; i < all->count; i++) {
		if (read_entry(all->line[i], &e)) {
			put_entry(&e);
		} else {
			fprintf(stderr, "natflow-ppe: line %zu is no entry of mtk_ppe: '%.60s'\n",
				i + 1, strtok(all->line[i], "\n") ?: "");
			bad = 1;
		}
		free(all->line[i]);
	}
	free(all->line);
	return bad || fflush(stdout);
}

static int refuse(void)
{
	fputs("natflow-ppe --help says more\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "soc", required_argument, NULL, 's' },
		{ "clock", required_argument, NULL, 'c' }, {},
	};
	struct lines all = {};
	int c, err = 0;

	while ((c = getopt_long(argc, argv, "hs:c:", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 || fflush(stdout);
		if (c == 's')
			soc = natflow_foe_soc(optarg);
		else if (c == 'c')
			has_clock = sscanf(optarg, "%8x", &clock_now) == 1;
		if (c == '?' || (c == 's' && !soc) || (c == 'c' && !has_clock))
			return refuse();
	}
	if (optind == argc)
		err = read_file("-", &all);
	while (optind < argc)
		err |= read_file(argv[optind++], &all);
	return show(&all) || err;
}
