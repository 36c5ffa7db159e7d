// SPDX-License-Identifier: GPL-2.0-only
/* The table of devices: join and leave, who gives way, age. */
#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../core/base/charge.h"
#include "macs.h"

#define PORT_WEIGHT	3	/* MACs that a port counts as */
#define AGED_AT_ONCE	64
#define PASSED_AT_ONCE	16	/* known ones, which do not give way */

static const struct rhashtable_params by_key_params = {
	.key_len = sizeof(struct natflow_mac_key),
	.key_offset = offsetof(struct natflow_mac, key),
	.head_offset = offsetof(struct natflow_mac, node),
	.automatic_shrinking = true,
};

static struct kmem_cache *cache;

/**
 * natflow_macs_cache_init() - memory for all namespaces' records
 *
 * Return: 0 or -ENOMEM.
 */
int __init natflow_macs_cache_init(void)
{
	cache = kmem_cache_create("natflow_mac", sizeof(struct natflow_mac), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

/**
 * natflow_macs_cache_exit() - the reverse, an rcu_barrier() after the last record
 */
void natflow_macs_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

static void init_classes(struct list_head *classes)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_MAC_CLASSES; i++)
		INIT_LIST_HEAD(&classes[i]);
}

/* The first of those with most, to a factor of two; NULL: all have none. */
static struct list_head *first_of_most(struct list_head *classes)
{
	unsigned int i;

	for (i = NATFLOW_MAC_CLASSES - 1; i; i--)
		if (!list_empty(&classes[i]))
			return classes[i].next;
	return NULL;
}

/**
 * natflow_macs_init() - an empty table
 * @macs: zeroed
 * @nn: its namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int natflow_macs_init(struct natflow_macs *macs, struct natflow_net *nn)
{
	xa_init_flags(&macs->by_id, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	init_classes(macs->ports);
	natflow_knowns_init(&macs->knowns, nn);
	return rhashtable_init(&macs->by_key, &by_key_params);
}

static void free_mac(struct rcu_head *rcu)
{
	kmem_cache_free(cache, container_of(rcu, struct natflow_mac, rcu));
}

/**
 * natflow_mac_put() - give a reference back
 * @mac: record
 *
 * Context: any. Who reads it under RCU may go on.
 */
void natflow_mac_put(struct natflow_mac *mac)
{
	if (refcount_dec_and_test(&mac->ref))
		call_rcu(&mac->rcu, free_mac);
}

/**
 * natflow_mac_succeed() - go on as what the device was in another zone
 * @mac: record
 * @old: the record of its MAC there
 *
 * Context: lock.
 */
void natflow_mac_succeed(struct natflow_mac *mac, struct natflow_mac *old)
{
	unsigned int far, dir;

	if (memcmp(mac->key.mac, old->key.mac, ETH_ALEN))
		return;
	for (far = 0; far < NATFLOW_USER_FARS; far++)
		for (dir = 0; dir < NATFLOW_USER_DIRS; dir++)
			natflow_user_traffic_move(&mac->traffic[far][dir], &old->traffic[far][dir]);
	mac->first = min(mac->first, old->first);
}

static void forget_port(struct natflow_macs *macs, struct natflow_mac *mac)
{
	struct natflow_mac_port *port = mac->port;

	if (--port->count)
		return;
	list_del(&port->by_waiting);
	list_del(&port->by_vacancies);
	xa_erase_bh(&macs->zone[mac->key.zone]->by_ifindex, port->ifindex);
	kfree(port);
}

/* What is known of a MAC goes with its last record, unless somebody has said it. */
static void forget_known(struct natflow_macs *macs, struct natflow_mac *mac)
{
	struct natflow_known *known = rcu_dereference_protected(mac->known, true);
	struct natflow_mac_key key = mac->key;
	struct natflow_mac *other;
	bool shared = false;

	RCU_INIT_POINTER(mac->known, NULL);	/* flows may hold @mac for longer */
	if (!known || natflow_known_needed(known))
		return;
	rcu_read_lock();	/* of the hash: at exit there is none around */
	for (key.zone = 0; key.zone < NATFLOW_ZONES && !shared; key.zone++) {
		other = natflow_macs_find(macs, &key);
		shared = other && rcu_access_pointer(other->known) == known;
	}
	rcu_read_unlock();
	if (!shared)
		natflow_knowns_remove(&macs->knowns, known);
}

/* Nobody finds it any more. It has no address and is in none of its port's lists. */
static void remove(struct natflow_macs *macs, struct natflow_mac *mac)
{
	rhashtable_remove_fast(&macs->by_key, &mac->node, by_key_params);
	xa_erase_bh(&macs->by_id, mac->id);
	forget_known(macs, mac);
	list_del(&mac->by_count);
	forget_port(macs, mac);
	macs->count--;
	natflow_mac_put(mac);
}

static void count_vacancies(struct natflow_macs *macs, struct natflow_mac_port *port, int n)
{
	port->vacancies += n;
	list_move_tail(&port->by_vacancies, &macs->ports[fls(port->vacancies)]);
}

static void fill(struct natflow_macs *macs, struct natflow_mac *mac)
{
	list_del_init(&mac->of_port);
	count_vacancies(macs, mac->port, -1);
}

/**
 * natflow_macs_exit() - free the table
 * @macs: table whose records have no address any more
 *
 * Context: process, may sleep.
 */
void natflow_macs_exit(struct natflow_macs *macs)
{
	struct natflow_mac *mac;
	unsigned long id = 0;
	unsigned int i;

	while ((mac = natflow_macs_from(macs, &id))) {
		fill(macs, mac);
		remove(macs, mac);
	}
	natflow_knowns_exit(&macs->knowns);
	rhashtable_destroy(&macs->by_key);
	xa_destroy(&macs->by_id);
	for (i = 0; i < NATFLOW_ZONES; i++) {
		if (macs->zone[i])
			xa_destroy(&macs->zone[i]->by_ifindex);
		kfree(macs->zone[i]);
	}
}

/**
 * natflow_macs_find() - the record of a MAC in a zone
 * @macs: table
 * @key: which
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: NULL if there is none.
 */
struct natflow_mac *natflow_macs_find(struct natflow_macs *macs,
				      const struct natflow_mac_key *key)
{
	return rhashtable_lookup(&macs->by_key, key, by_key_params);
}

static struct natflow_mac_zone *zone_of(struct natflow_macs *macs, u8 number)
{
	struct natflow_mac_zone *zone = macs->zone[number];

	if (zone)
		return zone;
	zone = kzalloc(sizeof(*zone), NATFLOW_GFP_PACKET);
	if (!zone)
		return NULL;
	init_classes(zone->macs);
	init_classes(zone->ports);
	xa_init_flags(&zone->by_ifindex, XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	zone->unknown.key.zone = number;
	INIT_LIST_HEAD(&zone->unknown.users);
	list_add(&zone->unknown.by_count, &zone->macs[0]);
	WRITE_ONCE(macs->zone[number], zone);	/* natflow_users_next() */
	return zone;
}

/**
 * natflow_macs_unknown() - where users wait that never sent anything
 * @macs: table
 * @zone: zone
 *
 * It is nobody's device and counts nothing.
 *
 * Context: lock.
 * Return: NULL if there is no memory.
 */
struct natflow_mac *natflow_macs_unknown(struct natflow_macs *macs, u8 zone)
{
	struct natflow_mac_zone *z = zone_of(macs, zone);

	return z ? &z->unknown : NULL;
}

static struct natflow_mac_port *port_of(struct natflow_macs *macs, struct natflow_mac_zone *zone,
					int ifindex)
{
	struct natflow_mac_port *port = xa_load(&zone->by_ifindex, ifindex);

	if (port)
		return port;
	port = kzalloc(sizeof(*port), NATFLOW_GFP_PACKET);
	if (!port)
		return NULL;
	port->ifindex = ifindex;
	INIT_LIST_HEAD(&port->macs);
	INIT_LIST_HEAD(&port->vacant);
	if (xa_err(xa_store_bh(&zone->by_ifindex, ifindex, port, NATFLOW_GFP_PACKET))) {
		kfree(port);
		return NULL;
	}
	list_add(&port->by_waiting, &zone->ports[0]);
	list_add(&port->by_vacancies, &macs->ports[0]);
	return port;
}

static bool is_needed(const struct natflow_mac *mac)
{
	const struct natflow_known *known = rcu_dereference_protected(mac->known, true);

	return known && natflow_known_needed(known);
}

/* The MAC that has no address for longest, of the port that has most of those. */
static void make_room(struct natflow_macs *macs)
{
	struct list_head *most = first_of_most(macs->ports), *vacant;
	struct natflow_mac *mac;
	unsigned int n;

	if (!most)
		return;
	vacant = &container_of(most, struct natflow_mac_port, by_vacancies)->vacant;
	for (n = 0; n < PASSED_AT_ONCE; n++) {
		mac = list_first_entry(vacant, struct natflow_mac, of_port);
		if (!is_needed(mac)) {
			fill(macs, mac);
			remove(macs, mac);
			macs->evicted++;
			return;
		}
		list_move_tail(&mac->of_port, vacant);
	}
}

static bool insert(struct natflow_macs *macs, struct natflow_mac *mac)
{
	if (xa_alloc_cyclic_bh(&macs->by_id, &mac->id, mac, xa_limit_31b, &macs->next_id,
			       NATFLOW_GFP_PACKET) < 0)
		return false;
	if (!rhashtable_insert_fast(&macs->by_key, &mac->node, by_key_params))
		return true;
	xa_erase_bh(&macs->by_id, mac->id);
	return false;
}

static struct natflow_mac *create(struct natflow_macs *macs, const struct natflow_mac_key *key,
				  int ifindex)
{
	struct natflow_mac_zone *zone = zone_of(macs, key->zone);
	struct natflow_mac *mac = kmem_cache_zalloc(cache, NATFLOW_GFP_PACKET);

	if (!zone || !mac)
		goto err;
	mac->key = *key;
	mac->first = ktime_get_boottime_seconds();
	mac->last = mac->first;
	refcount_set(&mac->ref, 1);
	INIT_LIST_HEAD(&mac->users);
	INIT_LIST_HEAD(&mac->of_port);
	mac->port = port_of(macs, zone, ifindex);
	if (!mac->port)
		goto err;
	if (key->kind == NATFLOW_MAC_FRAME)
		rcu_assign_pointer(mac->known, natflow_knowns_find(&macs->knowns, key->mac));
	list_add_tail(&mac->by_count, &zone->macs[0]);
	mac->port->count++;
	if (insert(macs, mac)) {
		macs->count++;
		return mac;
	}
	list_del(&mac->by_count);
	forget_port(macs, mac);
err:
	if (mac)
		kmem_cache_free(cache, mac);
	return NULL;
}

/**
 * natflow_macs_join() - a MAC has one address more
 * @macs: table
 * @key: the MAC; it gets a record if it has none
 * @ifindex: by which device it came
 * @limit: of records; beyond it one without an address gives way
 *
 * Context: lock; the caller lets the namespace pay.
 * Return: the record, with a reference until natflow_mac_put(), or NULL without memory.
 */
struct natflow_mac *natflow_macs_join(struct natflow_macs *macs,
				      const struct natflow_mac_key *key, int ifindex, u32 limit)
{
	struct natflow_mac *mac = natflow_macs_find(macs, key);

	if (!mac) {
		if (macs->count >= limit)
			make_room(macs);
		mac = create(macs, key, ifindex);
		if (!mac)
			return NULL;
	} else if (!mac->addresses) {
		fill(macs, mac);
	}
	mac->addresses++;
	refcount_inc(&mac->ref);
	return mac;
}

/**
 * natflow_macs_leave() - a MAC has one address less, which does not wait
 * @macs: table
 * @mac: record; the caller keeps its reference
 * @keep: it stays without an address, as a known one does
 *
 * Context: lock.
 */
void natflow_macs_leave(struct natflow_macs *macs, struct natflow_mac *mac, bool keep)
{
	if (--mac->addresses)
		return;
	if (mac->key.kind == NATFLOW_MAC_NONE || !(keep || rcu_access_pointer(mac->known))) {
		remove(macs, mac);
		return;
	}
	list_add_tail(&mac->of_port, &mac->port->vacant);
	count_vacancies(macs, mac->port, 1);
}

static void count_waiting(struct natflow_macs *macs, struct natflow_mac *mac, int n)
{
	struct natflow_mac_zone *zone = macs->zone[mac->key.zone];
	struct natflow_mac_port *port = mac->port;

	mac->waiting += n;
	zone->waiting += n;
	list_move_tail(&mac->by_count, &zone->macs[fls(mac->waiting)]);
	if (!port)
		return;
	port->waiting += n;
	list_move_tail(&port->by_waiting, &zone->ports[fls(port->waiting)]);
	if (mac->waiting)
		list_move_tail(&mac->of_port, &port->macs);
	else
		list_del_init(&mac->of_port);
}

/**
 * natflow_macs_wait() - a user has no live flow, or was seen again without one
 * @macs: table
 * @mac: of the user
 * @user: link of the user, initialized; it becomes the newest
 *
 * Context: lock.
 */
void natflow_macs_wait(struct natflow_macs *macs, struct natflow_mac *mac, struct list_head *user)
{
	const bool anew = list_empty(user);

	list_move_tail(user, &mac->users);
	count_waiting(macs, mac, anew);
}

/**
 * natflow_macs_resume() - a user does not wait any more
 * @macs: table
 * @mac: of the user
 * @user: link of the user
 *
 * Context: lock.
 */
void natflow_macs_resume(struct natflow_macs *macs, struct natflow_mac *mac,
			 struct list_head *user)
{
	if (list_empty(user))
		return;
	list_del_init(user);
	count_waiting(macs, mac, -1);
}

static u8 zone_with_most(const struct natflow_macs *macs, u8 zone)
{
	u32 most = 0;
	unsigned int i;

	for (i = 0; i < NATFLOW_ZONES; i++) {
		if (macs->zone[i] && macs->zone[i]->waiting > most) {
			most = macs->zone[i]->waiting;
			zone = i;
		}
	}
	return zone;
}

/**
 * natflow_macs_victim() - the user that gives way if there is no room
 * @macs: table
 * @zone: of the newcomer
 *
 * Context: lock.
 * Return: the link of a user that waits, or NULL if there is none.
 */
struct list_head *natflow_macs_victim(struct natflow_macs *macs, u8 zone)
{
	struct natflow_mac_port *port;
	struct natflow_mac_zone *z;
	struct natflow_mac *mac;
	struct list_head *most;

	if (!macs->zone[zone] || !macs->zone[zone]->waiting)
		zone = zone_with_most(macs, zone);
	z = macs->zone[zone];
	most = z ? first_of_most(z->macs) : NULL;
	if (!most)
		return NULL;
	mac = container_of(most, struct natflow_mac, by_count);
	most = first_of_most(z->ports);
	port = most ? container_of(most, struct natflow_mac_port, by_waiting) : NULL;
	if (port && port->waiting > PORT_WEIGHT * mac->waiting)
		mac = list_first_entry(&port->macs, struct natflow_mac, of_port);
	return mac->users.next;
}

static void point_to(struct natflow_macs *macs, const u8 *address, struct natflow_known *known)
{
	struct natflow_mac_key key = { 0 };
	struct natflow_mac *mac;

	memcpy(key.mac, address, sizeof(key.mac));
	for (; key.zone < NATFLOW_ZONES; key.zone++) {
		mac = macs->zone[key.zone] ? natflow_macs_find(macs, &key) : NULL;
		if (mac)
			rcu_assign_pointer(mac->known, known);
	}
}

/**
 * natflow_macs_know() - a device is known from here on, in all zones
 * @macs: table
 * @known: taken over; its MAC was not known
 *
 * Context: lock.
 */
void natflow_macs_know(struct natflow_macs *macs, struct natflow_known *known)
{
	natflow_knowns_add(&macs->knowns, known);
	point_to(macs, known->mac, known);
}

/**
 * natflow_macs_known() - find a known device, or make it known
 * @macs: table
 * @mac: 6 bytes
 * @fresh: record with this MAC; taken over, and set to NULL, if it was not known
 *
 * Context: lock, RCU read side. natflow_macs_unknow() follows.
 */
struct natflow_known *natflow_macs_known(struct natflow_macs *macs, const u8 *mac,
					 struct natflow_known **fresh)
{
	struct natflow_known *known = natflow_knowns_find(&macs->knowns, mac);

	if (known)
		return known;
	known = *fresh;
	*fresh = NULL;
	natflow_macs_know(macs, known);
	return known;
}

/**
 * natflow_macs_unknow() - forget what is known of a device, unless that is needed
 * @macs: table
 * @known: device
 *
 * Context: lock, RCU read side.
 */
void natflow_macs_unknow(struct natflow_macs *macs, struct natflow_known *known)
{
	if (natflow_known_needed(known) || known->counts)
		return;
	point_to(macs, known->mac, NULL);
	natflow_knowns_remove(&macs->knowns, known);
}

static bool is_old(const struct natflow_mac *mac, u32 idle)
{
	return (u32)ktime_get_boottime_seconds() - READ_ONCE(mac->last) > idle;
}

/* Return: false if no more of them is old. */
static bool age_port(struct natflow_macs *macs, struct natflow_mac_port *port, u32 idle)
{
	struct natflow_mac *mac = list_first_entry_or_null(&port->vacant, struct natflow_mac,
							   of_port);

	if (!mac || !is_old(mac, idle))
		return false;
	if (rcu_access_pointer(mac->known)) {
		list_move_tail(&mac->of_port, &port->vacant);
		return true;
	}
	fill(macs, mac);
	remove(macs, mac);
	return true;
}

/**
 * natflow_macs_age() - forget MACs that have no address for long
 * @macs: table
 * @idle: seconds
 *
 * Context: lock; a bounded number each time.
 */
void natflow_macs_age(struct natflow_macs *macs, u32 idle)
{
	unsigned int i, n = 0;

	for (i = 1; i < NATFLOW_MAC_CLASSES; i++) {
		struct natflow_mac_port *port, *next;

		list_for_each_entry_safe(port, next, &macs->ports[i], by_vacancies)
			if (age_port(macs, port, idle) && ++n == AGED_AT_ONCE)
				return;
	}
}

/**
 * natflow_macs_from() - walk the table
 * @macs: table
 * @id: where to begin; set to the id of the result
 *
 * Context: RCU read side, or no packets any more.
 * Return: the record with this or the next id, NULL at the end.
 */
struct natflow_mac *natflow_macs_from(struct natflow_macs *macs, unsigned long *id)
{
	return xa_find(&macs->by_id, id, ULONG_MAX, XA_PRESENT);
}
