// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of domains. A list is loaded as the lines of a published block list, up to
 * "end", or as a binary set of natflow-list. For each line only the domain's tag is
 * kept; a set of the right size is filled at the end. The list in force changes only
 * when loading has succeeded.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "../lib/names/hostname.h"
#include "../lib/text/listline.h"
#include "sites.h"

#define CHUNK		32768U		/* tags */
#define CHUNKS		128		/* four million tags */
#define BYTES_MAX	(64U << 20)	/* of a binary set */

struct chunk {
	u64 tag[CHUNK];
	DECLARE_BITMAP(allow, CHUNK);
};

struct natflow_site_load {
	char name[NATFLOW_NAME_MAX];
	struct natflow_listline line;
	bool skip;			/* lines without a domain are skipped, not refused */
	u32 skipped, first_skipped;	/* lines; number of the first */
	struct natflow_domains set;	/* text: only its key; binary: all of it */
	struct chunk *chunk[CHUNKS];
	u32 count;			/* tags */
	/* Binary: */
	u32 bytes, done;		/* announced, received; 0: text */
	struct natflow_domains_file head;
};

void natflow_site_names_put(struct natflow_site_names *names)
{
	if (names && refcount_dec_and_test(&names->ref)) {
		vfree(names->set.bucket);
		kfree(names);
	}
}

/**
 * natflow_site_list_make() - allocate a list
 * @name: of the list
 * @text: its policy as written
 * @policy: its policy as parsed
 * @names: its domains, shared; may be NULL
 *
 * Context: process, may sleep.
 * Return: the list with one reference, or NULL.
 */
struct natflow_site_list *natflow_site_list_make(const char *name, const char *text,
						 const struct natflow_site_policy *policy,
						 struct natflow_site_names *names)
{
	struct natflow_site_list *list = kzalloc(sizeof(*list), GFP_KERNEL_ACCOUNT);

	if (!list)
		return NULL;
	refcount_set(&list->ref, 1);
	strscpy(list->name, name, sizeof(list->name));
	strscpy(list->text, text, sizeof(list->text));
	list->policy = *policy;
	list->names = names;
	if (names)
		refcount_inc(&names->ref);
	return list;
}

/**
 * natflow_site_list_put() - drop a reference
 * @list: list; when the last reference is dropped, packets do not find it any more
 */
void natflow_site_list_put(struct natflow_site_list *list)
{
	if (!refcount_dec_and_test(&list->ref))
		return;
	natflow_site_names_put(list->names);
	kfree(list);
}

/**
 * natflow_site_load_begin() - begin to load the domains of a list
 * @name: of the list
 * @bytes: size of the binary set, or 0: text
 * @skip: skip lines of the text without a domain instead of refusing the list
 *
 * Context: process, may sleep.
 * Return: freed with natflow_site_load_free(), or NULL.
 */
struct natflow_site_load *natflow_site_load_begin(const char *name, u32 bytes, bool skip)
{
	struct natflow_site_load *load = kvzalloc(sizeof(*load), GFP_KERNEL_ACCOUNT);
	static u64 key[2];

	if (!load)
		return NULL;
	strscpy(load->name, name, sizeof(load->name));
	/* One key for all lists, so that a name's suffixes are hashed once for all of them. */
	get_random_once(key, sizeof(key));
	memcpy(load->set.key, key, sizeof(key));
	load->bytes = bytes;
	load->skip = skip;
	return load;
}

static int add(struct natflow_site_load *load, const struct natflow_hostname *host)
{
	struct chunk **chunk = &load->chunk[load->count / CHUNK];
	u32 i = load->count % CHUNK;

	if (load->count == CHUNK * CHUNKS)
		return -E2BIG;
	if (!*chunk)
		*chunk = kvmalloc(sizeof(**chunk), GFP_KERNEL_ACCOUNT);
	if (!*chunk)
		return -ENOMEM;
	(*chunk)->tag[i] = natflow_domains_tag(&load->set, host->text, host->len);
	__assign_bit(i, (*chunk)->allow, load->line.allow);
	load->count++;
	return 0;
}

/* Add all domains of a line, or none. */
static int add_line(struct natflow_site_load *load)
{
	int ret = natflow_listline_begin(&load->line);
	struct natflow_hostname host;
	u32 before = load->count;

	while (!ret) {
		ret = natflow_listline_next(&load->line, &host);
		if (ret <= 0)
			break;
		ret = add(load, &host);
	}
	if (ret != -EINVAL || !load->skip)
		return ret;
	load->count = before;
	if (!load->skipped++)
		load->first_skipped = load->line.number;
	return 0;
}

/* Return: 1 at the end. */
static int feed_text(struct natflow_site_load *load, const char *data, size_t len, size_t *used)
{
	int ret = 0;

	while (*used < len && !ret) {
		if (!natflow_listline_push(&load->line, data[(*used)++]))
			continue;
		ret = natflow_listline_is(&load->line, "end") ? 1 : add_line(load);
	}
	return ret;
}

/* Is the header valid, and does the set fit the announced size? Then allocate it. */
static int check_head(struct natflow_site_load *load)
{
	const struct natflow_domains_file *head = &load->head;
	struct natflow_domains *set = &load->set;

	if (!natflow_domains_check_magic(set, head->magic) || !head->buckets ||
	    (u64)head->buckets * sizeof(*set->bucket) + sizeof(*head) != load->bytes ||
	    head->count > (u64)head->buckets * NATFLOW_DOMAINS_SLOTS)
		return -EINVAL;
	set->bucket = __vmalloc(array_size(head->buckets, sizeof(*set->bucket)),
				GFP_KERNEL_ACCOUNT);
	if (!set->bucket)
		return -ENOMEM;
	set->buckets = head->buckets;
	set->count = head->count;
	memcpy(set->key, head->key, sizeof(set->key));
	return 0;
}

/* Return: 1 at the end. */
static int feed_bytes(struct natflow_site_load *load, const char *data, size_t len, size_t *used)
{
	const u32 head = sizeof(load->head);

	while (*used < len && load->done < load->bytes) {
		size_t n = min_t(size_t, len - *used,
				 (load->done < head ? head : load->bytes) - load->done);
		char *to = load->done < head ? (char *)&load->head + load->done :
					       (char *)load->set.bucket + load->done - head;
		int err;

		memcpy(to, data + *used, n);
		*used += n;
		load->done += n;
		err = load->done == head ? check_head(load) : 0;
		if (err)
			return err;
	}
	return load->done == load->bytes;
}

/**
 * natflow_site_load_feed() - load the next part
 * @load: from natflow_site_load_begin()
 * @data: bytes
 * @len: of @data
 * @used: bytes of @data that belong to the list
 *
 * Context: process, may sleep.
 * Return: 1 if the list is complete, 0 if more is needed, or an errno.
 */
int natflow_site_load_feed(struct natflow_site_load *load, const char *data, size_t len,
			   size_t *used)
{
	*used = 0;
	if (!load->bytes)
		return feed_text(load, data, len, used);
	if (load->bytes < sizeof(load->head) || load->bytes > BYTES_MAX)
		return -EINVAL;
	return feed_bytes(load, data, len, used);
}

/* Return: false if a tag's buckets are full. */
static bool fill(struct natflow_domains *set, const struct natflow_site_load *load)
{
	u32 i;

	for (i = 0; i < load->count; i++) {
		const struct chunk *chunk = load->chunk[i / CHUNK];
		u16 *value = natflow_domains_put(set, chunk->tag[i % CHUNK]);

		if (!value)
			return false;
		if (test_bit(i % CHUNK, chunk->allow))
			*value = NATFLOW_DOMAINS_ALLOW;
		if (!(i % 4096))
			cond_resched();
	}
	return true;
}

static int make_set(struct natflow_site_load *load)
{
	struct natflow_domains *set = &load->set;
	unsigned int tries;

	for (tries = 0; tries < NATFLOW_DOMAINS_TRIES; tries++) {
		set->buckets = natflow_domains_buckets(load->count, tries);
		set->count = 0;
		set->bucket = __vmalloc(array_size(set->buckets, sizeof(*set->bucket)),
					GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!set->bucket)
			return -ENOMEM;
		if (fill(set, load))
			return 0;
		vfree(set->bucket);
		set->bucket = NULL;
	}
	return -ENOSPC;
}

/**
 * natflow_site_load_end() - make the set of domains
 * @load: complete
 *
 * Context: process, may sleep.
 * Return: the names with one reference, or an error pointer.
 */
struct natflow_site_names *natflow_site_load_end(struct natflow_site_load *load)
{
	struct natflow_site_names *names = kzalloc(sizeof(*names), GFP_KERNEL_ACCOUNT);
	int err = names ? 0 : -ENOMEM;

	if (!err && !load->bytes)
		err = make_set(load);
	if (err) {
		kfree(names);
		return ERR_PTR(err);
	}
	refcount_set(&names->ref, 1);
	names->skipped = load->skipped;
	names->first_skipped = load->first_skipped;
	names->set = load->set;
	load->set.bucket = NULL;
	return names;
}

/* The name of the list that is loaded. */
const char *natflow_site_load_name(const struct natflow_site_load *load)
{
	return load->name;
}

/**
 * natflow_site_load_line() - the line that was read last
 * @load: loading
 *
 * Return: the line, maybe cut, or NULL: @load is binary.
 */
const struct natflow_listline *natflow_site_load_line(const struct natflow_site_load *load)
{
	return load->bytes ? NULL : &load->line;
}

/**
 * natflow_site_load_skipped() - lines without a domain
 * @load: complete
 * @first: number of the first of them
 *
 * Return: how many.
 */
u32 natflow_site_load_skipped(const struct natflow_site_load *load, u32 *first)
{
	*first = load->first_skipped;
	return load->skipped;
}

/**
 * natflow_site_load_free() - end loading, complete or not
 * @load: may be NULL
 */
void natflow_site_load_free(struct natflow_site_load *load)
{
	unsigned int i;

	if (!load)
		return;
	for (i = 0; i < CHUNKS; i++)
		kvfree(load->chunk[i]);
	vfree(load->set.bucket);
	kvfree(load);
}
