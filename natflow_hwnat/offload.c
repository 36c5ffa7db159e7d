// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flows in hardware. The cookies of a flow's entries are addresses in its object.
 *
 *   OFFERED ── fold(): the flow is fast enough            list "offered"
 *      │ the worker takes it
 *   INSTALLING ── path, ports and rules are made           list "installing"
 *      │ the driver took both directions; it never has one of them only
 *   INSTALLED ── hardware may have it                      list "live" or "doubted"
 *      │ packets were seen in hardware (at once, unless the driver binds by rate)
 *   BOUND                                                  list "live" or "doubted"
 *      │ any of: end(), egress_changed(), doubt(), a refusal, idleness, the exit
 *   REMOVING ── nothing is counted on it any more          list "removing" or "kept"
 *      │ drain(): its entries are deleted
 *   DEAD ── the flow may be offered again; freed after a grace period
 *
 * natflow_hwnat_room.lock guards the lists and states. An event about one flow sets
 * REMOVING under it, in any context. One about an egress moves the directions that may
 * leave by it to the list "struck", and any other moves all that is live to the list
 * "doubted", in one step. drain() takes flows from there one by one, and removes those
 * that are not forwarded like that any more: each asks for its own routes and devices.
 * All calls of the back end, and so all other steps, are made under the mutex
 * natflow_hwnat_room.drivers. Who sets REMOVING while the worker installs leaves the
 * object to the worker. If there was an event since the worker took the object, the worker
 * looks at it again under the mutex. An object that was installed during an event is
 * doubted. The worker drains before it releases the mutex. Hence who takes the mutex after
 * an event, and drains, leaves no wrong entry of that event, and none is made later:
 * settle() does so before a command returns. The worker does so after events in atomic
 * context.
 *
 * Lock order: RTNL or a device's file, drivers, lock. The worker takes RTNL to bind a
 * port, before the mutex.
 */
#include <linux/hash.h>
#include <linux/slab.h>
#include <net/pkt_cls.h>
#include "path.h"
#include "room.h"

#define RETRY_STEPS 6	/* 2, 4, ... 60 seconds */

static void set_state(struct natflow_hwnat_offload *o, enum natflow_hwnat_state state)
{
	static const u8 shown[] = {
		[NATFLOW_HWNAT_OFFERED] = NATFLOW_HW_OFFERED,
		[NATFLOW_HWNAT_INSTALLING] = NATFLOW_HW_OFFERED,
		[NATFLOW_HWNAT_INSTALLED] = NATFLOW_HW_INSTALLED,
		[NATFLOW_HWNAT_BOUND] = NATFLOW_HW_BOUND,
		[NATFLOW_HWNAT_REMOVING] = NATFLOW_HW_OFF,
	};

	lockdep_assert_held(&o->room->lock);
	o->room->count[o->state]--;
	o->room->count[state]++;
	o->state = state;
	WRITE_ONCE(natflow_hw_mark(o->flow)->state, shown[state]);
}

/**
 * natflow_hwnat_withdraw() - a flow must leave hardware
 * @o: its object
 * @reason: NATFLOW_HWNAT_OK if it may be offered again at once
 *
 * Context: natflow_hwnat_room.lock held.
 */
void natflow_hwnat_withdraw(struct natflow_hwnat_offload *o, enum natflow_hwnat_reason reason)
{
	lockdep_assert_held(&o->room->lock);
	if (o->state == NATFLOW_HWNAT_REMOVING)
		return;
	o->reason = reason;
	list_del_init(&o->turn);
	if (o->state != NATFLOW_HWNAT_INSTALLING) {
		list_move_tail(&o->list, &o->room->removing);
		queue_work(natflow_hwnat_wq, &o->room->install);
	}
	set_state(o, NATFLOW_HWNAT_REMOVING);
}

/**
 * natflow_hwnat_bound() - hardware forwards both directions
 * @o: object
 *
 * Context: natflow_hwnat_room.lock held.
 */
void natflow_hwnat_bound(struct natflow_hwnat_offload *o)
{
	if (o->state == NATFLOW_HWNAT_INSTALLED)
		set_state(o, NATFLOW_HWNAT_BOUND);
}

/*
 * Return: false if the driver refuses while hw-tc-offload is off. The change is not told
 * yet: port.c deletes what is left with it, before the command returns.
 */
static bool delete_entries(struct natflow_hwnat_offload *o)
{
	bool deleted = true;
	unsigned int d;

	natflow_hwnat_count(o);
	for (d = 0; d < 2; d++) {
		struct natflow_hwnat_port *port = o->entry[d].port;

		if (!port)
			continue;
		if (port->backend->del(port, (unsigned long)&o->entry[d])) {
			o->room->errors++;
			if (!tc_can_offload(port->dev)) {
				deleted = false;
				continue;
			}
			o->room->undeleted++;
		}
		port->flows--;
		o->entry[d].port = NULL;
	}
	return deleted;
}

/* The flow may be offered again: at once, or if it was refused, after a while. */
static void bury(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_room *room = o->room;
	struct natflow_hw_mark *mark = natflow_hw_mark(o->flow);
	unsigned int d;

	natflow_hwnat_place_give(o);
	spin_lock_irq(&room->lock);
	list_del(&o->list);
	for (d = 0; d < 2; d++)
		list_del(&o->leaf[d].node);
	room->count[o->state]--;
	room->total--;
	room->removals += o->installed;
	if (o->reason) {
		room->refused[o->reason]++;
		mark->refused = min(mark->refused + 1, RETRY_STEPS);
		mark->epoch = room->epoch;
		mark->again = (u32)jiffies + min(60U, 1U << mark->refused) * HZ;
	}
	WRITE_ONCE(mark->offload, NULL);
	spin_unlock_irq(&room->lock);
	natflow_hw_put(o->flow);
	kfree_rcu(o, rcu);
}

/* Delete the entries of all flows that are being removed. Context: drivers held. */
static void delete_removing(struct natflow_hwnat_room *room)
{
	struct natflow_hwnat_offload *o;

	for (;;) {
		spin_lock_irq(&room->lock);
		o = list_first_entry_or_null(&room->removing, struct natflow_hwnat_offload, list);
		spin_unlock_irq(&room->lock);
		if (!o)
			break;
		if (delete_entries(o)) {
			bury(o);
		} else {
			spin_lock_irq(&room->lock);
			list_move_tail(&o->list, &room->kept);
			spin_unlock_irq(&room->lock);
		}
		cond_resched();
	}
}

static bool is_by_device(const struct natflow_hwnat_offload *o, int ifindex)
{
	unsigned int d;

	for (d = 0; d < 2; d++) {
		const struct natflow_hwnat_side *side = &o->side[d];
		const struct natflow_hw_dir *dir = &o->d.dir[d];

		if (dir->in == ifindex || dir->in_l3 == ifindex || dir->out_l3 == ifindex ||
		    side->port == ifindex || side->conduit == ifindex)
			return true;
	}
	return false;
}

/* Must it go, by an event about all, or a device of it? More events than are known are one. */
static bool is_hit(const struct natflow_hwnat_offload *o)
{
	const struct natflow_hwnat_room *room = o->room;
	u32 n;

	if (o->emptied != room->emptied || room->gones - o->gones > NATFLOW_HWNAT_GONE)
		return true;
	for (n = o->gones; n != room->gones; n++)
		if (is_by_device(o, room->gone[n % NATFLOW_HWNAT_GONE]))
			return true;
	return false;
}

/* It will be looked at now. Context: room's lock held. */
static void stamp(struct natflow_hwnat_offload *o)
{
	o->emptied = o->room->emptied;
	o->events = o->room->events;
	o->gones = o->room->gones;
}

/*
 * The next flow that an event until number @last made doubtful; it is live from now on.
 * Flows come to the list in the order of events, so one that was looked at later than
 * @last is behind all others.
 */
static struct natflow_hwnat_offload *next_doubted(struct natflow_hwnat_room *room, u32 last)
{
	struct natflow_hwnat_offload *o;

	spin_lock_irq(&room->lock);
	o = list_first_entry_or_null(&room->doubted, struct natflow_hwnat_offload, list);
	if (o && (s32)(o->events - last) >= 0)
		o = NULL;
	if (o) {
		list_move_tail(&o->list, &room->live);
		if (is_hit(o))
			natflow_hwnat_withdraw(o, NATFLOW_HWNAT_OK);
		stamp(o);
	}
	spin_unlock_irq(&room->lock);
	return o;
}

static struct list_head *leaves_of(struct natflow_hwnat_room *room, const void *egress)
{
	return &room->leaves[hash_ptr((void *)egress, ilog2(NATFLOW_HWNAT_LEAVES))];
}

/* The flow of the next direction before @end that an event about its egress made doubtful. */
static struct natflow_hwnat_offload *next_struck(struct natflow_hwnat_room *room,
						 const struct natflow_hwnat_leaf *end)
{
	struct natflow_hwnat_offload *o = NULL;
	struct natflow_hwnat_leaf *leaf;

	spin_lock_irq(&room->lock);
	leaf = list_first_entry(&room->struck, struct natflow_hwnat_leaf, node);
	if (leaf != end) {
		o = leaf->o;
		list_move_tail(&leaf->node, leaves_of(room, leaf->egress));
		/* It may have been described before the event: the worker looks again. */
		if (o->state == NATFLOW_HWNAT_INSTALLING)
			o->events = room->events - 1;
	}
	spin_unlock_irq(&room->lock);
	return o;
}

static bool is_installed(const struct natflow_hwnat_offload *o)
{
	const u8 state = READ_ONCE(o->state);

	return state == NATFLOW_HWNAT_INSTALLED || state == NATFLOW_HWNAT_BOUND;
}

/**
 * natflow_hwnat_is_current() - would the flow's entries be made as they are?
 * @o: object, described
 *
 * Context: process.
 */
bool natflow_hwnat_is_current(const struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_side side[2];
	struct natflow_hw_flow now;

	return natflow_hw_describe(o->flow, &now) && !memcmp(&now, &o->d, sizeof(now)) &&
	       !natflow_hwnat_path_find(o->room->net, &now, side) &&
	       !memcmp(side, o->side, sizeof(side));
}

/**
 * natflow_hwnat_drain() - delete all entries that are wrong after the events until now
 * @room: namespace's
 *
 * Those of flows that are being removed, and of doubted flows that have changed. What
 * later events make doubtful is left to the worker: it may be more than one can do.
 *
 * Context: process, natflow_hwnat_room.drivers held.
 */
void natflow_hwnat_drain(struct natflow_hwnat_room *room)
{
	struct natflow_hwnat_leaf end;
	struct natflow_hwnat_offload *o;
	u32 last;

	lockdep_assert_held(&room->drivers);
	spin_lock_irq(&room->lock);
	last = room->events;
	list_add_tail(&end.node, &room->struck);
	spin_unlock_irq(&room->lock);
	do {
		delete_removing(room);
		o = next_doubted(room, last) ?: next_struck(room, &end);
		/* What the worker has in hand it may be writing. */
		if (o && is_installed(o) && !natflow_hwnat_is_current(o)) {
			spin_lock_irq(&room->lock);
			natflow_hwnat_withdraw(o, NATFLOW_HWNAT_OK);
			spin_unlock_irq(&room->lock);
		}
		cond_resched();
	} while (o);
	spin_lock_irq(&room->lock);
	list_del(&end.node);
	spin_unlock_irq(&room->lock);
}

/* All that is live is asked by drain(), each for itself. Context: room's lock held. */
static void doubt_live(struct natflow_hwnat_room *room)
{
	room->events++;
	list_splice_tail_init(&room->live, &room->doubted);
	if (!list_empty(&room->doubted))
		queue_work(natflow_hwnat_wq, &room->install);
}

/**
 * natflow_hwnat_device_gone() - flows by a device must leave hardware
 * @room: namespace's
 * @ifindex: of the device
 *
 * Context: any; natflow_hwnat_drain() follows.
 */
void natflow_hwnat_device_gone(struct natflow_hwnat_room *room, int ifindex)
{
	unsigned long flags;

	spin_lock_irqsave(&room->lock, flags);
	room->gone[room->gones++ % NATFLOW_HWNAT_GONE] = ifindex;
	doubt_live(room);
	spin_unlock_irqrestore(&room->lock, flags);
}

/**
 * natflow_hwnat_withdraw_all() - empty hardware
 * @room: namespace's
 *
 * Context: process; natflow_hwnat_drain() follows.
 */
void natflow_hwnat_withdraw_all(struct natflow_hwnat_room *room)
{
	spin_lock_irq(&room->lock);
	room->emptied++;
	list_splice_tail_init(&room->offered, &room->live);
	doubt_live(room);
	spin_unlock_irq(&room->lock);
}

/**
 * natflow_hwnat_reset() - change a setting, and offer all flows again
 * @room: namespace's
 * @setting: which
 * @value: new one
 *
 * Context: process; settle() follows.
 */
void natflow_hwnat_reset(struct natflow_hwnat_room *room, u32 *setting, u32 value)
{
	WRITE_ONCE(*setting, value);
	spin_lock_irq(&room->lock);
	WRITE_ONCE(room->epoch, room->epoch + 1);
	spin_unlock_irq(&room->lock);
	natflow_hwnat_withdraw_all(room);
}

/*
 * Describe the flow, and let events of its egresses find it. An event before they can
 * shows in the second description.
 */
static bool describe(struct natflow_hwnat_offload *o)
{
	struct natflow_hw_flow again;
	unsigned int d;

	if (!natflow_hw_describe(o->flow, &o->d))
		return false;
	spin_lock_irq(&o->room->lock);
	for (d = 0; d < 2; d++) {
		o->leaf[d].o = o;
		o->leaf[d].egress = o->d.dir[d].egress;
		list_add_tail(&o->leaf[d].node, leaves_of(o->room, o->leaf[d].egress));
	}
	spin_unlock_irq(&o->room->lock);
	return natflow_hw_describe(o->flow, &again) && !memcmp(&again, &o->d, sizeof(again));
}

static enum natflow_hwnat_reason check_flow(const struct natflow_hwnat_offload *o)
{
	const struct natflow_hw_flow *d = &o->d;

	if (!d->asked)
		return NATFLOW_HWNAT_NOT_ASKED;
	if (d->zone)
		return NATFLOW_HWNAT_ZONE;
	if (d->limited)
		return NATFLOW_HWNAT_RATE;
	return d->watched ? NATFLOW_HWNAT_WATCHED : NATFLOW_HWNAT_OK;
}

static enum natflow_hwnat_reason find_paths(struct natflow_hwnat_offload *o)
{
	enum natflow_hwnat_reason reason =
		natflow_hwnat_path_find(o->room->net, &o->d, o->side);
	unsigned int d;

	for (d = 0; d < 2 && !reason; d++)
		if (o->side[d].wed && READ_ONCE(o->room->config.wed_disabled))
			reason = NATFLOW_HWNAT_WED_OFF;
	for (d = 0; d < 2 && !reason; d++)
		reason = natflow_hwnat_port_bind(o->room, o->side[d].conduit);
	return reason;
}

/* The way of one direction. Packets arrive by the wire that the other one leaves by. */
static struct natflow_hwnat_way way_of(const struct natflow_hwnat_offload *o, unsigned int d)
{
	return (struct natflow_hwnat_way){
		.flow = &o->d, .dir = d, .in = &o->side[!d], .out = &o->side[d],
	};
}

static enum natflow_hwnat_reason reason_of(int err)
{
	switch (err) {
	case 0:
		return NATFLOW_HWNAT_OK;
	case -ENOSPC:
		return NATFLOW_HWNAT_FULL;
	case -ENOMEM:
		return NATFLOW_HWNAT_MEMORY;
	case -EEXIST:
		return NATFLOW_HWNAT_DUPLICATE;
	default:
		return NATFLOW_HWNAT_DRIVER;
	}
}

/* Does the back end agree to both directions? Context: drivers held. */
static enum natflow_hwnat_reason check_ways(struct natflow_hwnat_offload *o,
					    struct natflow_hwnat_port *port[2])
{
	enum natflow_hwnat_reason reason;
	unsigned int d;

	if (natflow_hwnat_suspects(o->room, o->side))
		return NATFLOW_HWNAT_SILENT;
	for (d = 0; d < 2; d++) {
		const struct natflow_hwnat_way way = way_of(o, d);

		port[d] = natflow_hwnat_port_find(o->room, way.in->conduit);
		if (!port[d])
			return NATFLOW_HWNAT_NO_FT;
		if (port[d]->sticky && natflow_hw_is_nated(&o->d.dir[0]) &&
		    READ_ONCE(o->room->config.hwnat) < 2)
			return NATFLOW_HWNAT_STICKY;
		reason = port[d]->backend->check(port[d], &way);
		if (reason)
			return reason;
	}
	return NATFLOW_HWNAT_OK;
}

/* Both directions, or the first of them and a reason. Context: drivers held. */
static enum natflow_hwnat_reason add_entries(struct natflow_hwnat_offload *o,
					     struct natflow_hwnat_port *port[2])
{
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_OK;
	unsigned int d;
	int err;

	for (d = 0; d < 2 && !reason; d++) {
		const struct natflow_hwnat_way way = way_of(o, d);

		err = port[d]->backend->add(port[d], (unsigned long)&o->entry[d], &way);
		if (err)
			o->room->errors++;
		reason = reason_of(err);
		if (reason)
			break;
		port[d]->flows++;
		o->entry[d].port = port[d];
		o->entry[d].bound = !port[d]->limits->by_rate;
		o->entry[d].used = jiffies;
	}
	o->since = jiffies;
	return reason;
}

/* Context: drivers held. */
static enum natflow_hwnat_reason enter_hardware(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_port *port[2];
	enum natflow_hwnat_reason reason = check_ways(o, port);

	if (!reason)
		reason = natflow_hwnat_place_take(o);
	if (reason)
		return reason;
	if (!port[0]->limits->dry_run)
		natflow_hw_unseen(o->flow);
	reason = add_entries(o, port);
	/* The driver has fewer places than hwnat_limit=. */
	if (reason == NATFLOW_HWNAT_FULL && natflow_hwnat_place_make(o) && delete_entries(o))
		reason = add_entries(o, port);
	return reason;
}

/*
 * Is what the worker found still so? An event that comes later is answered by conclude().
 * Context: drivers held.
 */
static bool is_wanted(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_room *room = o->room;
	bool hit, seen;

	spin_lock_irq(&room->lock);
	hit = is_hit(o);
	seen = o->events == room->events;
	stamp(o);
	spin_unlock_irq(&room->lock);
	if (hit || !(seen || natflow_hwnat_is_current(o))) {
		spin_lock_irq(&room->lock);
		natflow_hwnat_withdraw(o, NATFLOW_HWNAT_OK);
		spin_unlock_irq(&room->lock);
	}
	return READ_ONCE(o->state) == NATFLOW_HWNAT_INSTALLING;
}

/* What the worker has done with an object. Context: drivers held. */
static void conclude(struct natflow_hwnat_offload *o, enum natflow_hwnat_reason reason)
{
	struct natflow_hwnat_room *room = o->room;

	spin_lock_irq(&room->lock);
	if (o->state == NATFLOW_HWNAT_INSTALLING && !reason) {
		set_state(o, o->entry[0].bound && o->entry[1].bound ? NATFLOW_HWNAT_BOUND :
								      NATFLOW_HWNAT_INSTALLED);
		list_move_tail(&o->list, o->events == room->events ? &room->live : &room->doubted);
		list_add_tail(&o->turn, &room->polled);
		natflow_hw_mark(o->flow)->refused = 0;
		room->installs++;
		o->installed = true;
	} else {
		if (o->state == NATFLOW_HWNAT_INSTALLING)
			o->reason = reason;
		set_state(o, NATFLOW_HWNAT_REMOVING);
		list_move_tail(&o->list, &room->removing);
	}
	spin_unlock_irq(&room->lock);
	natflow_hwnat_drain(room);
}

static void install(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_room *room = o->room;
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_STALE;

	if (describe(o))
		reason = check_flow(o) ?: find_paths(o);
	mutex_lock(&room->drivers);
	if (!reason && is_wanted(o))
		reason = enter_hardware(o);
	conclude(o, reason);
	mutex_unlock(&room->drivers);
}

/* The next object to install. */
static struct natflow_hwnat_offload *take(struct natflow_hwnat_room *room)
{
	struct natflow_hwnat_offload *o;

	spin_lock_irq(&room->lock);
	o = list_first_entry_or_null(&room->offered, struct natflow_hwnat_offload, list);
	if (o) {
		list_move_tail(&o->list, &room->installing);
		set_state(o, NATFLOW_HWNAT_INSTALLING);
		stamp(o);
	}
	spin_unlock_irq(&room->lock);
	return o;
}

/**
 * natflow_hwnat_install() - the worker: delete what is wrong, install the next offer
 * @work: natflow_hwnat_room.install
 *
 * One offer at a time, each of which may come with an event about all flows: between two
 * the poll has its turn, if it is due.
 */
void natflow_hwnat_install(struct work_struct *work)
{
	struct natflow_hwnat_room *room =
		container_of(work, struct natflow_hwnat_room, install);
	struct natflow_hwnat_offload *o;

	mutex_lock(&room->drivers);
	natflow_hwnat_drain(room);
	mutex_unlock(&room->drivers);
	o = take(room);
	if (o) {
		install(o);
		queue_work(natflow_hwnat_wq, &room->install);
	}
	if (READ_ONCE(room->total))
		queue_delayed_work(natflow_hwnat_wq, &room->poll, HZ / 10);
}

/* Enter an object that is complete. Return: false if it is not wanted. */
static bool enter(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_room *room = o->room;
	struct natflow_hw_mark *mark = natflow_hw_mark(o->flow);
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&room->lock, flags);
	/* hwnat=0 was written before this lock was taken, or withdraws what is entered here. */
	ok = !room->closed && READ_ONCE(room->config.hwnat) && !mark->offload;
	if (ok && room->count[NATFLOW_HWNAT_OFFERED] >=
		  min(READ_ONCE(room->config.limit), NATFLOW_HWNAT_OFFERS)) {
		room->refused[NATFLOW_HWNAT_FULL]++;
		ok = false;
	}
	if (ok) {
		mark->offload = o;
		mark->state = NATFLOW_HW_OFFERED;
		stamp(o);
		room->total++;
		room->count[NATFLOW_HWNAT_OFFERED]++;
		list_add_tail(&o->list, &room->offered);
		queue_work(natflow_hwnat_wq, &room->install);
	}
	spin_unlock_irqrestore(&room->lock, flags);
	return ok;
}

static void refuse_unentered(struct natflow_hwnat_room *room, enum natflow_hwnat_reason reason)
{
	unsigned long flags;

	spin_lock_irqsave(&room->lock, flags);
	room->refused[reason]++;
	spin_unlock_irqrestore(&room->lock, flags);
}

static void offer(struct natflow_hwnat_room *room, struct natflow_flow *flow)
{
	struct natflow_hwnat_offload *o = kzalloc(sizeof(*o), GFP_ATOMIC | __GFP_NOWARN);

	if (!o) {
		refuse_unentered(room, NATFLOW_HWNAT_MEMORY);
		return;
	}
	o->flow = flow;
	o->room = room;
	o->polled = jiffies;
	o->seen[0] = jiffies;
	o->seen[1] = jiffies;
	INIT_LIST_HEAD(&o->turn);
	INIT_LIST_HEAD(&o->leaf[0].node);
	INIT_LIST_HEAD(&o->leaf[1].node);
	if (!natflow_hw_hold(flow)) {
		kfree(o);
	} else if (!enter(o)) {
		natflow_hw_put(flow);
		kfree(o);
	}
}

/* Was it refused a moment ago? */
static bool must_wait(const struct natflow_hwnat_room *room, const struct natflow_hw_mark *mark)
{
	return mark->refused && mark->epoch == READ_ONCE(room->epoch) &&
	       (s32)((u32)jiffies - READ_ONCE(mark->again)) < 0;
}

static void fold(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
		 const struct natflow_folded *f)
{
	struct natflow_hwnat_room *room = natflow_hwnat_room(nn);
	struct natflow_hw_mark *mark = natflow_hw_mark(flow);
	struct natflow_hwnat_offload *o = READ_ONCE(mark->offload);

	if (f->hw)
		return;
	if (o)		/* freed after a grace period */
		WRITE_ONCE(o->seen[dir], jiffies);
	else if (f->wire_packets >= NATFLOW_HWNAT_PACKETS / 2 && READ_ONCE(room->config.hwnat) &&
		 !must_wait(room, mark))
		offer(room, flow);
}

static void end(struct natflow_net *nn, struct natflow_flow *flow, enum natflow_reason reason)
{
	struct natflow_hwnat_room *room = natflow_hwnat_room(nn);
	struct natflow_hwnat_offload *o;
	unsigned long flags;

	spin_lock_irqsave(&room->lock, flags);
	o = natflow_hw_mark(flow)->offload;
	if (o)
		natflow_hwnat_withdraw(o, NATFLOW_HWNAT_OK);
	spin_unlock_irqrestore(&room->lock, flags);
}

static void egress_changed(struct natflow_net *nn, struct natflow_egress *eg)
{
	struct natflow_hwnat_room *room = natflow_hwnat_room(nn);
	unsigned long flags;

	spin_lock_irqsave(&room->lock, flags);
	list_splice_tail_init(leaves_of(room, eg), &room->struck);
	if (!list_empty(&room->struck))
		queue_work(natflow_hwnat_wq, &room->install);
	spin_unlock_irqrestore(&room->lock, flags);
}

/* An offer that is not taken yet will be described after this event. */
static void doubt(struct natflow_net *nn, unsigned int what, const struct net_device *dev)
{
	struct natflow_hwnat_room *room = natflow_hwnat_room(nn);
	unsigned long flags;

	if (dev) {
		natflow_hwnat_device_gone(room, dev->ifindex);
		return;
	}
	spin_lock_irqsave(&room->lock, flags);
	doubt_live(room);
	spin_unlock_irqrestore(&room->lock, flags);
}

static void settle(struct natflow_net *nn)
{
	struct natflow_hwnat_room *room = natflow_hwnat_room(nn);

	if (!READ_ONCE(room->total))
		return;
	mutex_lock(&room->drivers);
	natflow_hwnat_drain(room);
	mutex_unlock(&room->drivers);
}

const struct natflow_attach natflow_hwnat_attach = {
	.fold = fold, .end = end, .egress_changed = egress_changed,
	.doubt = doubt, .settle = settle, .earlier = true,
};
