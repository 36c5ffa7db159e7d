// SPDX-License-Identifier: GPL-2.0-only
/* The inspection of one flow: its buffer, its budget and the transitions of its state. */
#include <linux/slab.h>
#include "flow.h"
#include "stream.h"

#define SECONDS_MAX	8		/* from a request's first payload to its outcome */

static void set_state(struct natflow_inspection *in, enum natflow_inspection_state state)
{
	lockdep_assert_held(&in->lock);
	WRITE_ONCE(in->state, state);	/* the tick reads it without the lock */
}

/**
 * natflow_inspection_discard() - drop the buffered payload
 * @in: inspection, its lock held
 *
 * The stream is gathered again from the beginning of the current request.
 */
void natflow_inspection_discard(struct natflow_inspection *in)
{
	natflow_stream_free(&in->place, &in->gather);
	natflow_stream_free(&in->place, &in->any);
	in->base += in->at;
	in->at = 0;
	in->judged = 0;
}

/**
 * natflow_inspection_unname() - drop the name
 * @in: inspection, its lock held
 */
void natflow_inspection_unname(struct natflow_inspection *in)
{
	kfree(in->host);
	in->host = NULL;
}

/**
 * natflow_inspection_count() - count an outcome
 * @in: inspection
 * @outcome: NATFLOW_OK if it was counted before
 */
void natflow_inspection_count(struct natflow_inspection *in, enum natflow_reason outcome)
{
	if (outcome)
		natflow_stats_reason(in->ul->nn->pcpu, outcome);
}

/* -- transitions */

/**
 * natflow_inspection_complete() - the buffer parses: GATHERING becomes COMPLETE
 * @in: inspection, its lock held
 *
 * What is buffered by now must be acknowledged before the server has the request.
 */
void natflow_inspection_complete(struct natflow_inspection *in)
{
	if (!natflow_inspection_is_complete(in))
		in->end = in->gather.prefix;
	set_state(in, NATFLOW_INSPECTION_COMPLETE);
}

/**
 * natflow_inspection_distrust() - what the server has not acknowledged may not reach it
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 */
void natflow_inspection_distrust(struct natflow_inspection *in)
{
	/* They are read, but not trusted. */
	if (!in->any.arrived)
		natflow_stream_copy(&in->place, &in->any, &in->gather);
	natflow_stream_cut(&in->place, &in->gather,
			   in->gather.last ? in->at :
					     max(in->at, natflow_inspection_settled(in)));
	in->judged = 0;
	natflow_inspection_doubt(in);
	set_state(in, NATFLOW_INSPECTION_GATHERING);
}

/**
 * natflow_inspection_reopen() - the connection's next request begins, or a new connection
 * @in: inspection, its lock held
 * @at: where in the buffer
 * @packets: client packets of the request that have been seen
 */
void natflow_inspection_reopen(struct natflow_inspection *in, u32 at, u16 packets)
{
	u32 done = round_down(min(at, in->gather.prefix), 8);

	if (done >= NATFLOW_STREAM_MAX / 2) {
		natflow_gather_drop(&in->gather, done);
		if (in->any.prefix >= done)
			natflow_gather_drop(&in->any, done);
		else
			natflow_stream_free(&in->place, &in->any);
		in->base += done;
		in->judged -= min(done, in->judged);
		at -= done;
	}
	in->at = at;
	in->doubts = 0;
	in->packets = packets;
	in->born = jiffies;
	in->silent = false;
	in->paused = false;
	set_state(in, NATFLOW_INSPECTION_GATHERING);
}

static void close(struct natflow_inspection *in, enum natflow_inspection_state state,
		  enum natflow_reason outcome, u8 action)
{
	natflow_inspection_discard(in);
	WRITE_ONCE(in->action, action);
	set_state(in, state);
	natflow_inspection_count(in, outcome);
}

/**
 * natflow_inspection_conclude() - one action for the rest of the connection: DECIDED
 * @in: inspection, its lock held
 * @outcome: to count
 * @action: enum natflow_url_action
 */
void natflow_inspection_conclude(struct natflow_inspection *in, enum natflow_reason outcome,
				 u8 action)
{
	close(in, NATFLOW_INSPECTION_DECIDED, outcome, action);
}

/**
 * natflow_inspection_watch() - pass the connection until its next request: WATCHED
 * @in: inspection, its lock held
 * @next: where the next request begins, counted from this one
 * @outcome: to count
 */
void natflow_inspection_watch(struct natflow_inspection *in, u32 next,
			      enum natflow_reason outcome)
{
	WRITE_ONCE(in->from, in->base + in->at + next);
	close(in, NATFLOW_INSPECTION_WATCHED, outcome, NATFLOW_URL_RECORD);
}

/**
 * natflow_inspection_pause() - pass the connection until the rest of this request: WATCHED
 * @in: inspection of a TCP connection, GATHERING, its lock held
 *
 * What is buffered stays: a client that takes its time hides no name.
 */
void natflow_inspection_pause(struct natflow_inspection *in)
{
	WRITE_ONCE(in->from, in->base + in->gather.prefix);
	WRITE_ONCE(in->action, NATFLOW_URL_RECORD);
	in->paused = true;
	set_state(in, NATFLOW_INSPECTION_WATCHED);
}

/**
 * natflow_inspection_resume() - more of this request came: GATHERING
 * @in: inspection, paused, its lock held
 */
void natflow_inspection_resume(struct natflow_inspection *in)
{
	in->born = jiffies;
	set_state(in, NATFLOW_INSPECTION_GATHERING);
}

/* -- the budget */

/**
 * natflow_inspection_give_up() - the outcome of a flow whose budget ended without a name
 * @in: inspection, its lock held
 */
enum natflow_reason natflow_inspection_give_up(const struct natflow_inspection *in)
{
	if (in->doubts)
		return NATFLOW_NAME_UNTRUSTED;
	return in->packets ? NATFLOW_NAME_BUDGET : NATFLOW_NAME_NONE;
}

/**
 * natflow_inspection_is_late() - is the time for this request over
 * @in: inspection
 */
bool natflow_inspection_is_late(const struct natflow_inspection *in)
{
	return in->packets && time_after(jiffies, in->born + SECONDS_MAX * HZ);
}

/**
 * natflow_inspection_settled() - the buffered bytes that the server has acknowledged
 * @in: inspection, its lock held
 *
 * The server ignores other versions of them that come later.
 */
u32 natflow_inspection_settled(const struct natflow_inspection *in)
{
	s32 acked = in->acked - in->base;

	return acked > 0 ? min_t(u32, acked, in->gather.prefix) : 0;
}

/**
 * natflow_inspection_has_urgent() - is a buffered byte urgent
 * @in: inspection, its lock held
 *
 * The application may read such a byte out of band (RFC 6093 section 2.2).
 */
bool natflow_inspection_has_urgent(const struct natflow_inspection *in)
{
	u32 end = max(in->gather.prefix, in->any.prefix), i;

	for (i = 0; i < in->urgents; i++) {
		u32 at = in->urgent[i] - in->base;

		if (at >= in->at && at < end)
			return true;
	}
	return false;
}

/**
 * natflow_inspection_is_silent() - has only the server spoken for a while
 * @in: inspection
 *
 * A client of such a protocol (data of FTP, daytime) may never speak.
 */
bool natflow_inspection_is_silent(const struct natflow_inspection *in)
{
	return in->silent && time_after(jiffies, in->born + SECONDS_MAX * HZ);
}

/**
 * natflow_inspection_is_spent() - is what this request may take spent
 * @in: inspection
 *
 * That is the number of packets and, unless it is TCP, the time: what a TCP client sends
 * late still belongs to its request.
 */
bool natflow_inspection_is_spent(const struct natflow_inspection *in)
{
	return in->packets >= natflow_names_setting(in->ul, NATFLOW_NAMES_PACKETS) ||
	       (in->quic && natflow_inspection_is_late(in));
}
