// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of sites. Names come as text, one a line up to "end", or as a set that
 * was made before. Of each name only its tag is kept while the others come, and
 * when all have come a set of the right size is filled. Until then nothing
 * changes, and whoever goes away before has changed nothing.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "../lib/hostname.h"
#include "sites.h"

#define CHUNK		32768U		/* tags */
#define CHUNKS		128		/* four million tags */
#define BYTES_MAX	(64U << 20)	/* of a set that was made before */

struct natflow_site_load {
	char name[NATFLOW_NAME_MAX];
	struct natflow_line line;
	struct natflow_domains set;	/* its key, and when loading as bytes all of it */
	u64 *chunk[CHUNKS];
	u32 count;			/* tags */
	/* As bytes: */
	u32 bytes, done;		/* announced, here; 0: text */
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
 * natflow_site_list_make() - a list
 * @name: of it
 * @text: its policy in words
 * @policy: the same
 * @names: shared; may be NULL
 *
 * Context: process, may sleep.
 * Return: the list with one reference, or NULL.
 */
struct natflow_site_list *natflow_site_list_make(const char *name, const char *text,
						 const struct natflow_site_policy *policy,
						 struct natflow_site_names *names)
{
	struct natflow_site_list *list = kzalloc(sizeof(*list), GFP_KERNEL);

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
 * @list: list that, with the last reference, no packet finds any more
 */
void natflow_site_list_put(struct natflow_site_list *list)
{
	if (!refcount_dec_and_test(&list->ref))
		return;
	natflow_site_names_put(list->names);
	kfree(list);
}

/**
 * natflow_site_load_begin() - names will come
 * @name: of their list
 * @bytes: of a set that was made before, or 0: text
 *
 * Context: process, may sleep.
 * Return: freed with natflow_site_load_free(), or NULL.
 */
struct natflow_site_load *natflow_site_load_begin(const char *name, u32 bytes)
{
	struct natflow_site_load *load = kvzalloc(sizeof(*load), GFP_KERNEL);

	if (!load)
		return NULL;
	strscpy(load->name, name, sizeof(load->name));
	get_random_bytes(load->set.key, sizeof(load->set.key));
	load->bytes = bytes;
	return load;
}

static int add(struct natflow_site_load *load, const char *text)
{
	struct natflow_hostname host;
	u64 **chunk = &load->chunk[load->count / CHUNK];

	if (!natflow_hostname_pattern(&host, text, strlen(text)))
		return -EINVAL;
	if (load->count == CHUNK * CHUNKS)
		return -E2BIG;
	if (!*chunk)
		*chunk = kvmalloc_array(CHUNK, sizeof(**chunk), GFP_KERNEL);
	if (!*chunk)
		return -ENOMEM;
	(*chunk)[load->count++ % CHUNK] = natflow_domains_tag(&load->set, host.text, host.len);
	return 0;
}

/* Return: 1 at the end. */
static int feed_text(struct natflow_site_load *load, const char *data, size_t len, size_t *used)
{
	size_t i;

	for (i = 0; i < len; i++) {
		int ret = natflow_line_push(&load->line, data[i]);
		char *text = strim(load->line.text);

		*used = i + 1;
		if (!ret)
			continue;
		if (ret < 0)
			return ret;
		if (!strcmp(text, "end"))
			return 1;
		ret = *text && *text != '#' ? add(load, text) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

/* The head is here: is it one, and of a set that fits what was announced? */
static int check_head(struct natflow_site_load *load)
{
	const struct natflow_domains_file *head = &load->head;
	struct natflow_domains *set = &load->set;

	if (head->magic != NATFLOW_DOMAINS_MAGIC || !head->buckets ||
	    (u64)head->buckets * sizeof(*set->bucket) + sizeof(*head) != load->bytes ||
	    head->count > (u64)head->buckets * NATFLOW_DOMAINS_SLOTS)
		return -EINVAL;
	set->bucket = vmalloc(array_size(head->buckets, sizeof(*set->bucket)));
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
 * natflow_site_load_feed() - some more
 * @load: from natflow_site_load_begin()
 * @data: bytes
 * @len: how many
 * @used: how many of them were the list's
 *
 * Context: process, may sleep.
 * Return: 1 when all is there, 0 when more must come, or an errno.
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

/* Return: false if a tag finds no room. */
static bool fill(struct natflow_domains *set, const struct natflow_site_load *load)
{
	u32 i;

	for (i = 0; i < load->count; i++) {
		if (!natflow_domains_put(set, load->chunk[i / CHUNK][i % CHUNK]))
			return false;
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
		set->bucket = vzalloc(array_size(set->buckets, sizeof(*set->bucket)));
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
 * natflow_site_load_end() - the names, ready to be looked up
 * @load: all is there
 *
 * Context: process, may sleep.
 * Return: the names with one reference, or an error pointer.
 */
struct natflow_site_names *natflow_site_load_end(struct natflow_site_load *load)
{
	struct natflow_site_names *names = kzalloc(sizeof(*names), GFP_KERNEL);
	int err = names ? 0 : -ENOMEM;

	if (!err && !load->bytes)
		err = make_set(load);
	if (err) {
		kfree(names);
		return ERR_PTR(err);
	}
	refcount_set(&names->ref, 1);
	names->set = load->set;
	load->set.bucket = NULL;
	return names;
}

/* Of which list. */
const char *natflow_site_load_name(const struct natflow_site_load *load)
{
	return load->name;
}

/* Where it was when it failed: a line, with its number, or NULL for bytes. */
const char *natflow_site_load_word(const struct natflow_site_load *load, u32 *line)
{
	*line = load->line.number;
	return load->bytes ? NULL : load->line.text;
}

/**
 * natflow_site_load_free() - over, or never finished
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
