// SPDX-License-Identifier: GPL-2.0-only
/*
 * Places in hardware: hwnat_limit= of them, or as many as the driver's table has. If all are
 * taken, the oldest flow of the client that has most gives way to one of a client that has
 * fewer; it is asked again like one that was refused. The client of a flow is who began it.
 */
#include "room.h"

static void set_client(struct natflow_sharer *who, const struct natflow_hw_flow *d)
{
	char dev[IFNAMSIZ];

	snprintf(dev, sizeof(dev), "%d", d->dir[0].in_l3);
	natflow_sharer_set(who, d->family, (const u8 *)d->dir[0].before.src,
			   d->dir[1].next_hop, dev);
}

/**
 * natflow_hwnat_place_make() - a flow of a client that has most leaves hardware
 * @o: whose flow is to have its place
 *
 * Context: process, natflow_hwnat_room.drivers held.
 * Return: false if @o's own client would then have as many.
 */
bool natflow_hwnat_place_make(struct natflow_hwnat_offload *o)
{
	struct natflow_held *held = natflow_holders_rival(&o->room->holders, &o->held);

	lockdep_assert_held(&o->room->drivers);
	if (!held)
		return false;
	spin_lock_irq(&o->room->lock);
	natflow_hwnat_withdraw(container_of(held, struct natflow_hwnat_offload, held),
			       NATFLOW_HWNAT_FULL);
	spin_unlock_irq(&o->room->lock);
	natflow_hwnat_drain(o->room);
	return true;
}

/**
 * natflow_hwnat_place_take() - a described flow wants a place
 * @o: object of the flow; natflow_hwnat_place_give() follows in any case
 *
 * Context: process, natflow_hwnat_room.drivers held.
 * Return: NATFLOW_HWNAT_OK, or why it has none: FULL, MEMORY.
 */
enum natflow_hwnat_reason natflow_hwnat_place_take(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_room *room = o->room;
	struct natflow_sharer who;

	lockdep_assert_held(&room->drivers);
	set_client(&who, &o->d);
	o->has_place = natflow_holders_add(&room->holders, &o->held, &who);
	if (!o->has_place)
		return NATFLOW_HWNAT_MEMORY;
	if (room->holders.lot[0].count <= READ_ONCE(room->config.limit))
		return NATFLOW_HWNAT_OK;
	return natflow_hwnat_place_make(o) ? NATFLOW_HWNAT_OK : NATFLOW_HWNAT_FULL;
}

/**
 * natflow_hwnat_place_give() - it has left hardware
 * @o: object
 *
 * Context: process, natflow_hwnat_room.drivers held.
 */
void natflow_hwnat_place_give(struct natflow_hwnat_offload *o)
{
	lockdep_assert_held(&o->room->drivers);
	if (o->has_place)
		natflow_holders_remove(&o->room->holders, &o->held);
}
