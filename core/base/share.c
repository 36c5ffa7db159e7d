// SPDX-License-Identifier: GPL-2.0-only
/* Shares: what one client may hold of a pool, and how often it may cause an event. */
#include <linux/etherdevice.h>
#include <linux/export.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/netfilter.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "share.h"

#define BURST_NS	(NSEC_PER_SEC / 2)	/* events of so much time may come at once */

static const u8 shares_of_free[NATFLOW_SHARE_BYS] = { 1, NATFLOW_SHARE_ENTRY_WEIGHT };

static void set_slots(u16 *slot, u64 hash)
{
	slot[0] = hash % NATFLOW_SHARE_SLOTS;
	slot[1] = (hash >> 32) % NATFLOW_SHARE_SLOTS;
}

/* A /64 is one client, but all hosts share the prefix of link-local addresses. */
static unsigned int address_bytes(u8 family, const u8 *addr)
{
	if (family == NFPROTO_IPV4)
		return 4;
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80 ? 16 : 8;
}

/**
 * natflow_sharer_set() - find the slots of a client
 * @who: client, to set
 * @family: of @addr, NFPROTO_*
 * @addr: network order, 4 or 16 bytes
 * @mac: source of its frames; zero if they have none
 * @dev: name of the ingress device, for clients without a MAC
 *
 * Context: any.
 */
void natflow_sharer_set(struct natflow_sharer *who, u8 family, const u8 *addr, const u8 *mac,
			const char *dev)
{
	static siphash_key_t key;
	u64 entry, hash;

	get_random_once(&key, sizeof(key));
	entry = is_zero_ether_addr(mac) ? siphash(dev, strnlen(dev, IFNAMSIZ), &key) :
					  siphash(mac, ETH_ALEN, &key);
	set_slots(who->slot[NATFLOW_SHARE_BY_ENTRY], entry);
	/* With its entry: who forges an address behind another one takes nothing of its share. */
	hash = entry ^ siphash(addr, address_bytes(family, addr), &key);
	set_slots(who->slot[NATFLOW_SHARE_BY_ADDRESS], hash);
}
EXPORT_SYMBOL_GPL(natflow_sharer_set);

/* -- pools */

/**
 * natflow_share_alloc() - an unused pool
 * @limit: units
 *
 * Context: process, may sleep.
 * Return: the pool, freed with kvfree(), or NULL.
 */
struct natflow_share *natflow_share_alloc(u32 limit)
{
	struct natflow_share *share = kvzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);

	if (share)
		share->limit = limit;
	return share;
}

static void add(struct natflow_share *share, const struct natflow_sharer *who, int units)
{
	unsigned int by, row;

	atomic_add(units, &share->used);
	for (by = 0; by < NATFLOW_SHARE_BYS; by++)
		for (row = 0; row < 2; row++)
			atomic_add(units, &share->held[by][row][who->slot[by][row]]);
}

/**
 * natflow_share_held() - how much of a pool a client holds
 * @share: pool
 * @who: client
 * @by: by what it is counted
 *
 * Context: any. Return: units, at least those that the client holds.
 */
int natflow_share_held(const struct natflow_share *share, const struct natflow_sharer *who,
		       enum natflow_share_by by)
{
	return min(atomic_read(&share->held[by][0][who->slot[by][0]]),
		   atomic_read(&share->held[by][1][who->slot[by][1]]));
}

static bool is_within(const struct natflow_share *share, const struct natflow_sharer *who,
		      u32 units)
{
	s64 left = (s64)READ_ONCE(share->limit) - atomic_read(&share->used);
	unsigned int by;

	if (left < 0)
		return false;
	for (by = 0; by < NATFLOW_SHARE_BYS; by++)
		if (natflow_share_held(share, who, by) > shares_of_free[by] * (left + units))
			return false;
	return true;
}

/**
 * natflow_share_take() - take units from a pool
 * @share: pool
 * @who: client
 * @units: how many; returned with natflow_share_give()
 *
 * Context: any.
 * Return: false if the pool or the client's share is used up; then nothing is taken.
 */
bool natflow_share_take(struct natflow_share *share, const struct natflow_sharer *who, u32 units)
{
	add(share, who, units);
	if (is_within(share, who, units))
		return true;
	add(share, who, -(int)units);
	return false;
}

/**
 * natflow_share_give() - return units to a pool
 * @share: pool
 * @who: as they were taken
 * @units: likewise
 *
 * Context: any.
 */
void natflow_share_give(struct natflow_share *share, const struct natflow_sharer *who, u32 units)
{
	add(share, who, -(int)units);
}

/* -- rates */

/**
 * natflow_rate_alloc() - a rate that is not used up
 * @of_address: events a second of one address, not 0
 * @of_entry: of one entry, not 0
 * @of_all: of all clients, not 0
 *
 * Context: process, may sleep.
 * Return: the rate, of whole pages, freed with kvfree(), or NULL.
 */
struct natflow_rate *natflow_rate_alloc(u32 of_address, u32 of_entry, u32 of_all)
{
	struct natflow_rate *rate = __vmalloc(sizeof(*rate), GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!rate)
		return NULL;
	spin_lock_init(&rate->lock);
	rate->gap[NATFLOW_SHARE_BY_ADDRESS] = NSEC_PER_SEC / of_address;
	rate->gap[NATFLOW_SHARE_BY_ENTRY] = NSEC_PER_SEC / of_entry;
	rate->all_gap = NSEC_PER_SEC / of_all;
	return rate;
}

static bool is_due(const struct natflow_rate *rate, const struct natflow_sharer *who, u64 now)
{
	const u64 latest = now + BURST_NS;
	unsigned int by;

	if (rate->all_due > latest)
		return false;
	for (by = 0; by < NATFLOW_SHARE_BYS; by++) {
		const u16 *slot = who->slot[by];

		if (min(rate->due[by][0][slot[0]], rate->due[by][1][slot[1]]) > latest)
			return false;
	}
	return true;
}

static void charge(u64 *due, u64 now, u64 gap)
{
	*due = max(*due, now) + gap;
}

/**
 * natflow_rate_allows() - may a client cause an event now
 * @rate: rate
 * @who: client; an event that is allowed is counted
 *
 * Context: BH disabled.
 */
bool natflow_rate_allows(struct natflow_rate *rate, const struct natflow_sharer *who)
{
	const u64 now = ktime_get_ns();
	unsigned int by, row;
	bool allowed;

	spin_lock(&rate->lock);
	allowed = is_due(rate, who, now);
	if (allowed) {
		charge(&rate->all_due, now, rate->all_gap);
		for (by = 0; by < NATFLOW_SHARE_BYS; by++)
			for (row = 0; row < 2; row++)
				charge(&rate->due[by][row][who->slot[by][row]], now,
				       rate->gap[by]);
	} else {
		rate->refused++;
	}
	spin_unlock(&rate->lock);
	return allowed;
}

/**
 * natflow_rate_refused() - how many events were not allowed so far
 * @rate: rate, or NULL
 *
 * Context: process.
 */
u64 natflow_rate_refused(struct natflow_rate *rate)
{
	u64 refused;

	if (!rate)
		return 0;
	spin_lock_bh(&rate->lock);
	refused = rate->refused;
	spin_unlock_bh(&rate->lock);
	return refused;
}
