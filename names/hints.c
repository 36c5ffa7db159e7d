// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hints: the DNS names by which clients learned addresses. The table is lossy: a
 * pair of client and server has one hint, the last one. If the table is full, the
 * client that holds most loses its oldest one. A client may ask over one family and
 * connect over the other, so a hint is found by the client's MAC. It is found by its
 * address, too: a client may have no MAC, or share that of a router.
 */
#include <linux/etherdevice.h>
#include <linux/list.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include "../core/base/holder.h"
#include "../policy/client.h"
#include "hints.h"

#define HINTS_MAX	4096
#define HEADS		1024
#define SECONDS_MIN	300U	/* clients connect after the TTL has ended, too */
#define SECONDS_MAX	86400U

enum { BY_ADDRESS, BY_MAC, BYS };

struct hint_key {
	u8 client[16], server[16];
	u8 family;		/* of @server */
};

struct hint {
	struct natflow_held held;
	struct hint_link {
		struct hlist_node node;	/* unhashed: no MAC, or it has a newer hint */
		struct hint_key key;
	} by[BYS];
	time64_t expires;	/* CLOCK_BOOTTIME, seconds */
	char host[NATFLOW_HINT_HOST_MAX];
};

struct natflow_hints {
	spinlock_t lock;	/* all below; BH disabled, innermost */
	struct natflow_holders holders;
	u64 gone;		/* hints that gave way before they had expired */
	siphash_key_t secret;
	struct hlist_head head[BYS][HEADS];
};

/**
 * natflow_hints_alloc() - an empty table
 *
 * Context: process, may sleep.
 * Return: the table, or NULL.
 */
struct natflow_hints *natflow_hints_alloc(void)
{
	struct natflow_hints *hints = __vmalloc(sizeof(*hints), GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!hints)
		return NULL;
	spin_lock_init(&hints->lock);
	get_random_bytes(&hints->secret, sizeof(hints->secret));
	return hints;
}

/**
 * natflow_hints_bytes() - memory of a table beside its hints
 *
 * Context: any.
 */
size_t natflow_hints_bytes(void)
{
	return PAGE_ALIGN(sizeof(struct natflow_hints));
}

static void drop(struct natflow_hints *hints, struct hint *hint)
{
	unsigned int by;

	for (by = 0; by < BYS; by++)
		hlist_del_init(&hint->by[by].node);
	natflow_holders_remove(&hints->holders, &hint->held);
	kfree(hint);
}

static struct hint *victim(const struct natflow_hints *hints)
{
	struct natflow_held *held = natflow_holders_victim(&hints->holders, 0);

	return held ? container_of(held, struct hint, held) : NULL;
}

/**
 * natflow_hints_free() - free the table and all hints
 * @hints: table that no packet uses, or NULL
 */
void natflow_hints_free(struct natflow_hints *hints)
{
	struct hint *hint;

	while (hints && (hint = victim(hints)))
		drop(hints, hint);
	vfree(hints);
}

static void set_key(struct hint_key *key, unsigned int by,
		    const struct natflow_site_client *client, u8 family, const u8 *server)
{
	memset(key, 0, sizeof(*key));
	if (by == BY_MAC)
		memcpy(key->client, client->mac, sizeof(client->mac));
	else
		memcpy(key->client, client->addr, sizeof(client->addr));
	key->family = family;
	memcpy(key->server, server, family == NFPROTO_IPV4 ? 4 : 16);
}

static struct hlist_head *head_of(struct natflow_hints *hints, unsigned int by,
				  const struct hint_key *key)
{
	return &hints->head[by][siphash(key, sizeof(*key), &hints->secret) % HEADS];
}

static struct hint *find(struct natflow_hints *hints, unsigned int by, const struct hint_key *key)
{
	struct hint_link *link;

	hlist_for_each_entry(link, head_of(hints, by, key), node)
		if (!memcmp(&link->key, key, sizeof(*key)))
			return container_of(link - by, struct hint, by[0]);
	return NULL;
}

/* What the new hint takes the place of goes, and one more if the table is full. */
static void make_room(struct natflow_hints *hints, const struct hint *new, bool has_mac)
{
	struct hint *old = find(hints, BY_ADDRESS, &new->by[BY_ADDRESS].key);

	if (old)
		drop(hints, old);
	old = has_mac ? find(hints, BY_MAC, &new->by[BY_MAC].key) : NULL;
	if (old)
		hlist_del_init(&old->by[BY_MAC].node);
	if (hints->holders.lot[0].count < HINTS_MAX)
		return;
	old = victim(hints);
	hints->gone += old->expires > ktime_get_boottime_seconds();
	drop(hints, old);
}

/**
 * natflow_hints_put() - store an address that a client received
 * @hints: table
 * @client: client
 * @family: of @server, NFPROTO_*
 * @server: the address, network order
 * @host: the name in the question
 * @ttl: seconds
 *
 * Context: BH disabled.
 */
void natflow_hints_put(struct natflow_hints *hints, const struct natflow_site_client *client,
		       u8 family, const u8 *server, const char *host, u32 ttl)
{
	bool has_mac = !is_zero_ether_addr(client->mac);
	struct natflow_sharer who;
	struct hint *hint;
	unsigned int by;

	if (strlen(host) >= NATFLOW_HINT_HOST_MAX)
		return;
	hint = kzalloc(sizeof(*hint), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!hint)
		return;
	strscpy(hint->host, host, sizeof(hint->host));
	hint->expires = ktime_get_boottime_seconds() + clamp(ttl, SECONDS_MIN, SECONDS_MAX);
	for (by = 0; by < BYS; by++)
		set_key(&hint->by[by].key, by, client, family, server);
	natflow_client_sharer(&who, client);
	spin_lock(&hints->lock);
	make_room(hints, hint, has_mac);
	if (!natflow_holders_add(&hints->holders, &hint->held, &who)) {
		kfree(hint);
	} else {
		for (by = 0; by < (has_mac ? BYS : BY_MAC); by++)
			hlist_add_head(&hint->by[by].node, head_of(hints, by, &hint->by[by].key));
	}
	spin_unlock(&hints->lock);
}

static bool copy(struct natflow_hints *hints, unsigned int by,
		 const struct natflow_site_client *client, u8 family, const u8 *server, char *host)
{
	const struct hint *hint;
	struct hint_key key;
	bool found;

	set_key(&key, by, client, family, server);
	spin_lock(&hints->lock);
	hint = find(hints, by, &key);
	found = hint && hint->expires > ktime_get_boottime_seconds();
	if (found)
		memcpy(host, hint->host, sizeof(hint->host));
	spin_unlock(&hints->lock);
	return found;
}

/**
 * natflow_hints_find() - look up the name by which a client learned an address
 * @hints: table
 * @client: client
 * @family: of @server, NFPROTO_*
 * @server: the address, network order
 * @host: the result, NATFLOW_HINT_HOST_MAX bytes
 *
 * Context: BH disabled.
 * Return: false if there is no hint.
 */
bool natflow_hints_find(struct natflow_hints *hints, const struct natflow_site_client *client,
			u8 family, const u8 *server, char *host)
{
	return copy(hints, BY_ADDRESS, client, family, server, host) ||
	       (!is_zero_ether_addr(client->mac) &&
		copy(hints, BY_MAC, client, family, server, host));
}

/**
 * natflow_hints_count() - how full the table is
 * @hints: table, or NULL
 * @gone: hints that gave way before they had expired
 *
 * Context: process.
 * Return: hints.
 */
u32 natflow_hints_count(struct natflow_hints *hints, u64 *gone)
{
	u32 count;

	*gone = 0;
	if (!hints)
		return 0;
	spin_lock_bh(&hints->lock);
	*gone = hints->gone;
	count = hints->holders.lot[0].count;
	spin_unlock_bh(&hints->lock);
	return count;
}
