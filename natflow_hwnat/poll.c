// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and liveness of flows in hardware. Each tenth of a second the worker asks
 * about some of them, in turn, each at most once a second. With many flows a round
 * takes up to ROUND, and at most POLLS_MAX flows are asked about at once: drivers read
 * registers for each answer, and whoever waits for the mutex waits for all of them.
 * Above 80,000 flows rounds grow longer. All that is judged here is measured from
 * answer to answer, so a long round only makes it late.
 *
 * A driver that binds by rate (mtk) takes an entry's words when it sees 30 packets a
 * second of the flow. It is not asked before (its answer means nothing then), but when
 * packets stop to arrive in software. Where hardware counts, a packet it has counted
 * shows that the entry is bound. Where it does not, the time of the last packet moves,
 * and by no more than has passed.
 *
 * A bound entry whose packets stop may have been aged out, by the hardware, after 7 s
 * (TCP) or 12 s (UDP). mtk does not bind it again once it was asked then: the flow is
 * withdrawn, and its packets in software offer it anew.
 *
 * An entry that the driver has lost, or cannot tell of, is withdrawn: nobody would keep
 * its conntrack alive.
 */
#include "path.h"
#include "room.h"

#define QUIET		HZ		/* no packet in software: ask hardware */
#define AGE_TCP		(7 * HZ)
#define AGE_UDP		(12 * HZ)
#define IDLE		(60 * HZ)	/* nowhere a packet */
#define ROUND		(4 * HZ)	/* all flows, if they are many */
#define POLLS_MAX	2048U

static unsigned long age_of(const struct natflow_hwnat_offload *o)
{
	return o->d.proto == IPPROTO_TCP ? AGE_TCP : AGE_UDP;
}

/* Does the answer show a packet since the last one? */
static bool shows_use(struct natflow_hwnat_entry *entry, const struct natflow_hwnat_stats *s,
		      unsigned long passed)
{
	const unsigned long before = entry->reported;

	if (s->counted)
		return s->packets;
	entry->reported = s->used;
	return before && s->used && time_after(s->used, before) &&
	       s->used - before <= passed + HZ && !time_after(s->used, jiffies);
}

/* Ask about one direction, and tell the flow. Return: does the driver know of it? */
static bool ask(struct natflow_hwnat_offload *o, unsigned int d, unsigned long passed)
{
	struct natflow_hwnat_entry *entry = &o->entry[d];
	struct natflow_hwnat_stats s = {};
	int err = entry->port->backend->stats(entry->port, (unsigned long)entry, &s);

	if (err) {
		o->room->errors++;
		return false;
	}
	entry->packets = s.counted ? s.packets : 0;
	if (!shows_use(entry, &s, passed))
		return true;
	entry->bound = true;
	entry->used = jiffies;
	/* Frames as they arrive; natflow and conntrack count bytes of IP. */
	s.bytes -= min(s.bytes, s.packets * natflow_hwnat_path_headers(&o->side[!d]));
	o->room->packets += s.packets;
	o->room->bytes += s.bytes;
	if (s.counted)
		natflow_hw_account(o->flow, d, s.packets, s.bytes);
	else
		natflow_hw_alive(o->flow, d);
	return true;
}

/**
 * natflow_hwnat_count() - read the counters for the last time
 * @o: object whose entries are about to be deleted
 *
 * Hardware may have bound an entry since it was asked last, if ever. That asking spoils
 * one that is not bound does not matter any more.
 *
 * Context: process, natflow_hwnat_room.drivers held.
 */
void natflow_hwnat_count(struct natflow_hwnat_offload *o)
{
	unsigned int d;

	for (d = 0; d < 2; d++)
		if (o->entry[d].port)
			ask(o, d, 0);
}

static bool is_quiet(const struct natflow_hwnat_offload *o, unsigned int d)
{
	return time_after(jiffies, READ_ONCE(o->seen[d]) + QUIET);
}

/* For how long has a direction had no packet, in hardware or in software? */
static unsigned long still(const struct natflow_hwnat_offload *o, unsigned int d)
{
	return min(jiffies - o->entry[d].used, jiffies - READ_ONCE(o->seen[d]));
}

/* Context: drivers held. Return: may it stay? It was polled before, at that time. */
static enum natflow_hwnat_reason judge(struct natflow_hwnat_offload *o, unsigned long before)
{
	const struct natflow_hwnat_limits *limits = o->entry[0].port->limits;
	const unsigned long a = still(o, 0), b = still(o, 1);

	if (a > IDLE && b > IDLE)
		return NATFLOW_HWNAT_SLOW;
	if (limits->dry_run || !(o->entry[0].bound && o->entry[1].bound))
		return NATFLOW_HWNAT_OK;
	return natflow_hwnat_silent(o, before) ? NATFLOW_HWNAT_SILENT : NATFLOW_HWNAT_OK;
}

/* Was an entry aged out? Only an entry of a driver that binds by rate is. */
static bool is_aged(const struct natflow_hwnat_offload *o)
{
	unsigned int d;

	for (d = 0; d < 2; d++)
		if (o->entry[d].bound && o->entry[d].port->limits->by_rate &&
		    jiffies - o->entry[d].used > age_of(o))
			return true;
	return false;
}

/* Context: drivers held; @o is live or doubted. */
static void poll_one(struct natflow_hwnat_offload *o)
{
	const unsigned long before = o->polled, passed = jiffies - before;
	enum natflow_hwnat_reason reason;
	bool ok = natflow_hwnat_is_current(o), known = true;
	unsigned int d;

	/* What was counted until now is the flow's, whatever becomes of it. */
	for (d = 0; d < 2 && known; d++)
		if (o->entry[d].bound || is_quiet(o, d))
			known = ask(o, d, passed);
	o->polled = jiffies;
	reason = known ? judge(o, before) : NATFLOW_HWNAT_DRIVER;
	spin_lock_irq(&o->room->lock);
	if (!ok || reason || is_aged(o))
		natflow_hwnat_withdraw(o, reason);
	else if (o->entry[0].bound && o->entry[1].bound)
		natflow_hwnat_bound(o);
	spin_unlock_irq(&o->room->lock);
}

/* The flow that was polled longest ago, if that is a second; it is the last one now. */
static struct natflow_hwnat_offload *next(struct natflow_hwnat_room *room)
{
	struct natflow_hwnat_offload *o;

	spin_lock_irq(&room->lock);
	o = list_first_entry_or_null(&room->polled, struct natflow_hwnat_offload, turn);
	if (o && time_before(jiffies, o->polled + HZ))
		o = NULL;
	if (o)
		list_move_tail(&o->turn, &room->polled);
	spin_unlock_irq(&room->lock);
	return o;
}

/* About so many flows a tenth of a second. */
static unsigned int polls(const struct natflow_hwnat_room *room)
{
	return clamp(READ_ONCE(room->total) / (ROUND / (HZ / 10)), NATFLOW_HWNAT_POLLS, POLLS_MAX);
}

/**
 * natflow_hwnat_poll() - the worker: read counters, withdraw what is idle, stale or silent
 * @work: natflow_hwnat_room.poll
 *
 * A flow in doubt is polled, too: while events keep coming, each is. It stays in doubt.
 */
void natflow_hwnat_poll(struct work_struct *work)
{
	struct natflow_hwnat_room *room =
		container_of(to_delayed_work(work), struct natflow_hwnat_room, poll);
	struct natflow_hwnat_offload *o;
	unsigned int n;

	mutex_lock(&room->drivers);
	for (n = polls(room); n; n--) {
		o = next(room);
		if (!o)
			break;
		poll_one(o);
		cond_resched();
	}
	natflow_hwnat_drain(room);
	mutex_unlock(&room->drivers);
	if (READ_ONCE(room->total))
		queue_delayed_work(natflow_hwnat_wq, &room->poll, HZ / 10);
}
