// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hints: the DNS names by which clients learned addresses. The table is lossy: a
 * pair of client and server has one slot, and the last answer overwrites it. A client
 * may ask over one family and connect over the other, so a hint is stored by the
 * client's MAC. It is stored by its address, too: a client may have no MAC, or share
 * that of a router.
 */
#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "../lib/text/whom.h"
#include "hints.h"

#define PLACES		4096
#define SECONDS_MIN	300U	/* clients connect after the TTL has ended, too */
#define SECONDS_MAX	86400U

struct hint_key {
	u8 client[16], server[16];
	u8 family;		/* of @server */
	u8 by_mac;
};

struct hint {
	struct hint_key key;
	char host[NATFLOW_HINT_HOST_MAX];
	unsigned long expires;	/* jiffies */
};

struct natflow_hints {
	spinlock_t lock;	/* @hint; BH disabled, innermost */
	u32 seed;
	struct hint hint[PLACES];
};

/**
 * natflow_hints_alloc() - an empty table
 *
 * Context: process, may sleep.
 * Return: the table, freed with vfree(), or NULL.
 */
struct natflow_hints *natflow_hints_alloc(void)
{
	struct natflow_hints *hints = __vmalloc(sizeof(*hints), GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!hints)
		return NULL;
	spin_lock_init(&hints->lock);
	hints->seed = get_random_u32();
	return hints;
}

/**
 * natflow_hints_bytes() - memory of a table
 *
 * Context: any.
 */
size_t natflow_hints_bytes(void)
{
	return PAGE_ALIGN(sizeof(struct natflow_hints));
}

static struct hint *place_of(struct natflow_hints *hints, struct hint_key *key, bool by_mac,
			     const struct natflow_site_client *client, u8 family, const u8 *server)
{
	memset(key, 0, sizeof(*key));
	key->by_mac = by_mac;
	if (by_mac)
		memcpy(key->client, client->mac, sizeof(client->mac));
	else
		memcpy(key->client, client->addr, sizeof(client->addr));
	key->family = family;
	memcpy(key->server, server, family == NFPROTO_IPV4 ? 4 : 16);
	return &hints->hint[jhash(key, sizeof(*key), hints->seed) % PLACES];
}

static void put(struct natflow_hints *hints, bool by_mac, const struct natflow_site_client *client,
		u8 family, const u8 *server, const char *host, u32 ttl)
{
	struct hint_key key;
	struct hint *hint = place_of(hints, &key, by_mac, client, family, server);

	spin_lock(&hints->lock);
	hint->key = key;
	strscpy(hint->host, host, sizeof(hint->host));
	hint->expires = jiffies + clamp(ttl, SECONDS_MIN, SECONDS_MAX) * HZ;
	spin_unlock(&hints->lock);
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
	if (strlen(host) >= NATFLOW_HINT_HOST_MAX)
		return;
	put(hints, false, client, family, server, host, ttl);
	if (!is_zero_ether_addr(client->mac))
		put(hints, true, client, family, server, host, ttl);
}

static bool find(struct natflow_hints *hints, bool by_mac,
		 const struct natflow_site_client *client, u8 family, const u8 *server, char *host)
{
	struct hint_key key;
	const struct hint *hint = place_of(hints, &key, by_mac, client, family, server);
	bool found;

	spin_lock(&hints->lock);
	found = *hint->host && !memcmp(&hint->key, &key, sizeof(key)) &&
		time_before(jiffies, hint->expires);
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
	return find(hints, false, client, family, server, host) ||
	       (!is_zero_ether_addr(client->mac) &&
		find(hints, true, client, family, server, host));
}
