// SPDX-License-Identifier: GPL-2.0-only
/*
 * natflow-list: domains, one a line, to a set that natflow loads as it is.
 *
 *   natflow-list < names > set
 *   { echo "list name=ads load=$(stat -c %s set)"; cat set; } > /dev/hostacl_ctl
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include "../lib/domains.h"
#include "../lib/hostname.h"

static u64 *tags;
static u32 count, room;

static int take(const struct natflow_domains *set, char *line)
{
	struct natflow_hostname host;

	line += strspn(line, " \t");
	line[strcspn(line, " \t\r\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (!natflow_hostname_pattern(&host, line, strlen(line)))
		return -EINVAL;
	if (count == room) {
		room = room ? 2 * room : 65536;
		tags = realloc(tags, room * sizeof(*tags));
		if (!tags)
			return -ENOMEM;
	}
	tags[count++] = natflow_domains_tag(set, host.text, host.len);
	return 0;
}

static int read_names(const struct natflow_domains *set)
{
	unsigned int number = 0;
	size_t size = 0;
	char *line = NULL;
	int err = 0;

	while (!err && getline(&line, &size, stdin) >= 0) {
		number++;
		err = take(set, line);
		if (err)
			fprintf(stderr, "natflow-list: line %u: '%.60s': %s\n", number, line,
				strerror(-err));
	}
	free(line);
	return err;
}

/* Return: false if a tag found no room. */
static bool fill(struct natflow_domains *set)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (!natflow_domains_put(set, tags[i]))
			return false;
	return true;
}

static int make_set(struct natflow_domains *set)
{
	unsigned int tries;

	for (tries = 0; tries < NATFLOW_DOMAINS_TRIES; tries++) {
		set->buckets = natflow_domains_buckets(count, tries);
		set->count = 0;
		set->bucket = aligned_alloc(64, set->buckets * sizeof(*set->bucket));
		if (!set->bucket)
			return -ENOMEM;
		memset(set->bucket, 0, set->buckets * sizeof(*set->bucket));
		if (fill(set))
			return 0;
		free(set->bucket);
	}
	return -ENOSPC;
}

int main(void)
{
	struct natflow_domains_file head = { .magic = NATFLOW_DOMAINS_MAGIC };
	struct natflow_domains set = {};
	int err;

	if (getrandom(set.key, sizeof(set.key), 0) != sizeof(set.key))
		return 1;
	err = read_names(&set);
	if (!err)
		err = make_set(&set);
	if (err)
		return 1;
	memcpy(head.key, set.key, sizeof(head.key));
	head.buckets = set.buckets;
	head.count = set.count;
	if (fwrite(&head, sizeof(head), 1, stdout) != 1 ||
	    fwrite(set.bucket, sizeof(*set.bucket), set.buckets, stdout) != set.buckets ||
	    fflush(stdout)) {
		perror("natflow-list");
		return 1;
	}
	return 0;
}
