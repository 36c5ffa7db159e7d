// SPDX-License-Identifier: GPL-2.0-only
/* natflow-list: compiles block lists into a set that natflow loads without parsing. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>
#include "../lib/names/domains.h"
#include "../lib/text/listline.h"

static const char usage[] =
	"Usage: natflow-list [--skip-bad] [-o SET] [FILE...]\n"
	"Compile block lists into a set of names (standard input without FILE or for \"-\").\n"
	"\n"
	"  -o, --output SET  output file (default: standard output)\n"
	"      --skip-bad    skip lines without a host name (default: refuse the list)\n"
	"      --help        this text\n"
	"\n"
	"Formats: plain names, *.NAME, hosts files (0.0.0.0 NAME...), dnsmasq (address=/NAME/,\n"
	"local=/NAME/) and adblock (||NAME^; @@||NAME^ is exempt).\n"
	"\n"
	"  natflow-list --skip-bad -o ads.set hosts.txt easylist.txt\n"
	"  { echo list name=ads load=$(stat -c %s ads.set); cat ads.set; } > /dev/hostacl_ctl\n"
	"\n"
	"Exit status: 0 done, 1 a line was refused or a file failed, 2 wrong usage.\n";

static struct natflow_domains set;
static struct {
	u64 tag;
	bool allow;
} *names;
static u32 count, room;

static bool skip_bad, many_files;
static u32 skipped, first_line;
static const char *first_file;

static int add(const struct natflow_hostname *host, bool allow)
{
	if (count == room) {
		room = room ? 2 * room : 65536;
		names = realloc(names, room * sizeof(*names));
		if (!names)
			return -ENOMEM;
	}
	names[count].tag = natflow_domains_tag(&set, host->text, host->len);
	names[count++].allow = allow;
	return 0;
}

/* Add all names of a line, or none. */
static int add_line(struct natflow_listline *line, const char *file)
{
	int ret = natflow_listline_begin(line);
	struct natflow_hostname host;
	u32 before = count;

	while (!ret) {
		ret = natflow_listline_next(line, &host);
		if (ret <= 0)
			break;
		ret = add(&host, line->allow);
	}
	if (ret == -ENOMEM)
		fprintf(stderr, "natflow-list: %s:%u: no memory\n", file, line->number);
	if (ret != -EINVAL)
		return ret;
	count = before;
	if (skip_bad) {
		if (!skipped++) {
			first_line = line->number;
			first_file = file;
		}
		return 0;
	}
	fprintf(stderr, "natflow-list: %s:%u: '%.60s': expected %s; %s\n", file, line->number,
		line->text, line->expected, "--skip-bad leaves such lines out");
	return ret;
}

static int read_file(const char *path)
{
	bool in = !strcmp(path, "-");
	const char *file = in ? "standard input" : path;
	struct natflow_listline line = {};
	FILE *f = in ? stdin : fopen(path, "r");
	int c, err = 0;

	while (f && !err && (c = getc_unlocked(f)) != EOF)
		if (natflow_listline_push(&line, c))
			err = add_line(&line, file);
	if (!f || ferror(f)) {
		fprintf(stderr, "natflow-list: %s: %s\n", file, strerror(errno));
		return -EIO;
	}
	if (!err && line.open && natflow_listline_push(&line, '\n'))
		err = add_line(&line, file);
	if (!in)
		fclose(f);
	return err;
}

/* Return: false if the set is too small. */
static bool fill(void)
{
	u32 i;

	for (i = 0; i < count; i++) {
		u16 *value = natflow_domains_put(&set, names[i].tag);

		if (!value)
			return false;
		if (names[i].allow)
			*value = NATFLOW_DOMAINS_ALLOW;
	}
	return true;
}

static int make_set(void)
{
	unsigned int tries;

	for (tries = 0; tries < NATFLOW_DOMAINS_TRIES; tries++) {
		set.buckets = natflow_domains_buckets(count, tries);
		set.count = 0;
		set.bucket = aligned_alloc(64, set.buckets * sizeof(*set.bucket));
		if (!set.bucket)
			break;
		memset(set.bucket, 0, set.buckets * sizeof(*set.bucket));
		if (fill())
			return 0;
		free(set.bucket);
	}
	fprintf(stderr, "natflow-list: no room for %u names\n", count);
	return -ENOMEM;
}

static int write_set(const char *path)
{
	struct natflow_domains_file head = {
		.magic = natflow_domains_magic(&set), .key = { set.key[0], set.key[1] },
		.buckets = set.buckets, .count = set.count,
	};
	FILE *f = path ? fopen(path, "w") : stdout;
	bool good = f && fwrite(&head, sizeof(head), 1, f) == 1 &&
		    fwrite(set.bucket, sizeof(*set.bucket), set.buckets, f) == set.buckets;

	if (f && fclose(f))
		good = false;
	if (!good)
		fprintf(stderr, "natflow-list: %s: %s\n", path ?: "standard output",
			strerror(errno));
	return good ? 0 : -EIO;
}

/* 98412 as 98,412. */
static const char *grouped(u32 n, char *text)
{
	char plain[16];
	int len = sprintf(plain, "%u", n), i;
	char *at = text;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = plain[i];
	}
	*at = '\0';
	return text;
}

static void report(void)
{
	char text[16];

	fprintf(stderr, "natflow-list: %s taken", grouped(set.count, text));
	if (count > set.count)
		fprintf(stderr, ", %s of them twice or more", grouped(count - set.count, text));
	fprintf(stderr, ", %s skipped", grouped(skipped, text));
	if (skipped && many_files)
		fprintf(stderr, ", first: %s line %u", first_file, first_line);
	else if (skipped)
		fprintf(stderr, ", first: line %u", first_line);
	fputc('\n', stderr);
}

static int refuse(void)
{
	fputs("natflow-list --help says more\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' }, { "skip-bad", no_argument, NULL, 's' },
		{ "output", required_argument, NULL, 'o' }, {},
	};
	const char *output = NULL;
	int c, err = 0;

	while ((c = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 || fflush(stdout);
		if (c == 's')
			skip_bad = true;
		else if (c == 'o')
			output = optarg;
		else
			return refuse();
	}
	if (!output && isatty(STDOUT_FILENO)) {
		fputs("natflow-list: a set is not text for a terminal: use -o SET\n", stderr);
		return refuse();
	}
	if (getrandom(set.key, sizeof(set.key), 0) != sizeof(set.key)) {
		perror("natflow-list: getrandom");
		return 1;
	}
	many_files = argc - optind > 1;
	if (optind == argc)
		err = read_file("-");
	while (!err && optind < argc)
		err = read_file(argv[optind++]);
	if (err || make_set() || write_set(output))
		return 1;
	report();
	return 0;
}
