// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware that loses packets: an entry which is right by the driver's word, and frames
 * that nobody receives, as behind a switch whose tags the driver writes wrong.
 *
 * A TCP connection of which one direction goes on alone for 5 s is withdrawn. So is one
 * whose other end has died, which costs nothing. UDP is not judged: many flows have one
 * direction. Acknowledgements that hardware loses are not noticed, as the segment that is
 * sent again lets both directions count.
 *
 * If SUSPECT such connections between two ports never worked in hardware, and none that
 * does came between, the ports lose packets: no flow is offered between them for a minute.
 * A client with such connections keeps nobody else out: any connection between the ports
 * that works clears them of the suspicion.
 */
#include "room.h"

#define ALONE		(5 * HZ)
#define SUSPECT		3
#define SUSPECTED	(60 * HZ)
#define EARLY		(3 * HZ)	/* answers to packets that software forwarded may come */
#define WORKS		8	/* packets from answer to answer, more than are sent again */

static struct natflow_hwnat_pair ports_of(const struct natflow_hwnat_side side[2])
{
	return (struct natflow_hwnat_pair){
		.port = { min(side[0].port, side[1].port), max(side[0].port, side[1].port) },
	};
}

static struct natflow_hwnat_pair *find(struct natflow_hwnat_room *room,
				       const struct natflow_hwnat_side side[2])
{
	const struct natflow_hwnat_pair pair = ports_of(side);
	unsigned int i;

	for (i = 0; i < NATFLOW_HWNAT_PAIRS; i++)
		if (!memcmp(room->pair[i].port, pair.port, sizeof(pair.port)))
			return &room->pair[i];
	return NULL;
}

/* The entry of a pair, in place of the one heard of longest ago. */
static struct natflow_hwnat_pair *enter(struct natflow_hwnat_room *room,
					const struct natflow_hwnat_side side[2])
{
	struct natflow_hwnat_pair *oldest = room->pair;
	unsigned int i;

	for (i = 1; i < NATFLOW_HWNAT_PAIRS && oldest->port[0]; i++)
		if (!room->pair[i].port[0] || time_before(room->pair[i].heard, oldest->heard))
			oldest = &room->pair[i];
	*oldest = ports_of(side);
	return oldest;
}

static void note_silent(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_pair *pair = find(o->room, o->side);

	if (!pair)
		pair = enter(o->room, o->side);
	else if (jiffies - pair->heard > SUSPECTED)
		pair->silent = 0;
	pair->silent = min(pair->silent + 1, SUSPECT);
	pair->heard = jiffies;
}

static void note_proven(struct natflow_hwnat_offload *o)
{
	struct natflow_hwnat_pair *pair = find(o->room, o->side);

	o->proven = true;
	if (pair)
		memset(pair, 0, sizeof(*pair));
}

/* Hardware that does not count shows no more than that there were packets. */
static bool works(const struct natflow_hwnat_offload *o)
{
	unsigned int d;

	for (d = 0; d < 2; d++)
		if (o->entry[d].port->counts && o->entry[d].packets < WORKS)
			return false;
	return jiffies - o->since > EARLY;
}

static bool had_packets(const struct natflow_hwnat_offload *o, unsigned int d, unsigned long since)
{
	return time_after(o->entry[d].used, since) || time_after(READ_ONCE(o->seen[d]), since);
}

/* Only one direction had packets since the last answer. */
static void note_alone(struct natflow_hwnat_offload *o, unsigned int d)
{
	if (o->alone != d + 1) {
		o->alone = d + 1;
		o->alone_times = 0;
		o->alone_since = jiffies;
	}
	o->alone_times = min(o->alone_times + 1, 2);
}

/* Not once, which may be a packet whose answer comes behind this one's. */
static bool is_alone(const struct natflow_hwnat_offload *o)
{
	return o->alone && o->alone_times > 1 && jiffies - o->alone_since > ALONE;
}

/**
 * natflow_hwnat_silent() - does hardware lose a flow's packets?
 * @o: flow, bound and just asked about
 * @before: jiffies when it was asked about before
 *
 * Context: process, natflow_hwnat_room.drivers held.
 * Return: true if the flow must leave hardware.
 */
bool natflow_hwnat_silent(struct natflow_hwnat_offload *o, unsigned long before)
{
	bool had[2] = { had_packets(o, 0, before), had_packets(o, 1, before) };

	if (had[0] && had[1]) {
		o->alone = 0;
		if (works(o))
			note_proven(o);
	} else if (had[0] || had[1]) {
		note_alone(o, had[1]);
	}
	if (o->d.proto != IPPROTO_TCP || !is_alone(o))
		return false;
	if (!o->proven)
		note_silent(o);
	return true;
}

/**
 * natflow_hwnat_suspects() - are two ports suspected to lose packets?
 * @room: namespace's
 * @side: of a flow
 *
 * Context: process, natflow_hwnat_room.drivers held.
 */
bool natflow_hwnat_suspects(struct natflow_hwnat_room *room,
			    const struct natflow_hwnat_side side[2])
{
	const struct natflow_hwnat_pair *pair = find(room, side);

	return pair && pair->silent == SUSPECT && jiffies - pair->heard < SUSPECTED;
}
