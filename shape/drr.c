// SPDX-License-Identifier: GPL-2.0-only
/* The queue of a device: see drr.h. */
#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <net/codel.h>
#include <net/codel_impl.h>
#include <net/pkt_sched.h>
#include "drr.h"

#define FLOW_BITS	14
#define USER_BITS	10
#define CANDIDATES	16	/* flows of the fattest user that are compared */
/* A user's sparse flows go before others' turns until it owes so many quanta. */
#define DEBT		4
#define LOOKS		64	/* at users, and at flows, for one packet */
#define DROPS		64	/* of CoDel, for one packet */

static const u8 weight[NATFLOW_TINS] = {
	[NATFLOW_TIN_BULK] = 1, [NATFLOW_TIN_BEST] = 4, [NATFLOW_TIN_VIDEO] = 8,
	[NATFLOW_TIN_VOICE] = 16,
};

static struct natflow_drr_user *nobody(struct natflow_drr *q)
{
	return &q->users[NATFLOW_DRR_USERS - 1];
}

/* -- records */

static void init_flow(struct natflow_drr_flow *flow)
{
	INIT_HLIST_NODE(&flow->node);
	INIT_LIST_HEAD(&flow->list);
	INIT_LIST_HEAD(&flow->waiting);
	codel_vars_init(&flow->codel);
}

static void init_user(struct natflow_drr *q, struct natflow_drr_user *user)
{
	unsigned int t;

	INIT_HLIST_NODE(&user->node);
	INIT_LIST_HEAD(&user->list);
	INIT_LIST_HEAD(&user->fat);
	INIT_LIST_HEAD(&user->waiting);
	for (t = 0; t < NATFLOW_TINS; t++)
		INIT_LIST_HEAD(&user->tin[t].flows);
	init_flow(&user->rest);
	user->rest.user = user;
}

/**
 * natflow_drr_init() - make an empty queue
 * @q: zeroed
 * @sch: its qdisc
 *
 * Context: process; no packet comes yet. Return: 0 or -ENOMEM.
 */
int natflow_drr_init(struct natflow_drr *q, struct Qdisc *sch)
{
	unsigned int i;

	q->sch = sch;
	q->quantum = psched_mtu(qdisc_dev(sch));
	q->memory_max = NATFLOW_DRR_MEMORY;
	q->seed = get_random_u32();
	INIT_LIST_HEAD(&q->sparse);
	INIT_LIST_HEAD(&q->busy);
	INIT_LIST_HEAD(&q->idle);
	INIT_LIST_HEAD(&q->free);
	INIT_LIST_HEAD(&q->free_users);
	for (i = 0; i < NATFLOW_DRR_LEVELS; i++)
		INIT_LIST_HEAD(&q->fat[i]);
	codel_params_init(&q->codel);
	codel_stats_init(&q->codel_stats);
	q->codel.ecn = true;
	q->codel.mtu = q->quantum;
	q->flow_hash = kvcalloc(1 << FLOW_BITS, sizeof(*q->flow_hash), GFP_KERNEL_ACCOUNT);
	q->user_hash = kvcalloc(1 << USER_BITS, sizeof(*q->user_hash), GFP_KERNEL_ACCOUNT);
	q->flows = kvcalloc(NATFLOW_DRR_FLOWS, sizeof(*q->flows), GFP_KERNEL_ACCOUNT);
	q->users = kvcalloc(NATFLOW_DRR_USERS, sizeof(*q->users), GFP_KERNEL_ACCOUNT);
	if (!q->flow_hash || !q->user_hash || !q->flows || !q->users)
		return -ENOMEM;		/* the qdisc's destroy() frees them */
	for (i = 0; i < NATFLOW_DRR_FLOWS; i++) {
		init_flow(&q->flows[i]);
		q->flows[i].place = NATFLOW_PLACE_FREE;
		list_add_tail(&q->flows[i].list, &q->free);
	}
	for (i = 0; i < NATFLOW_DRR_USERS; i++) {
		init_user(q, &q->users[i]);
		if (&q->users[i] != nobody(q))
			list_add_tail(&q->users[i].list, &q->free_users);
	}
	return 0;
}

/**
 * natflow_drr_set_target() - how long packets may wait before CoDel acts
 * @q: queue
 * @target: ns; 5 ms at least
 */
void natflow_drr_set_target(struct natflow_drr *q, u64 target)
{
	q->codel.target = max_t(u64, target >> CODEL_SHIFT, MS2TIME(5));
	q->codel.interval = max_t(u64, 2 * q->codel.target, MS2TIME(100));
}

/**
 * natflow_drr_free() - free an empty queue
 * @q: queue
 *
 * Context: process; no packet comes any more.
 */
void natflow_drr_free(struct natflow_drr *q)
{
	kvfree(q->flow_hash);
	kvfree(q->user_hash);
	kvfree(q->flows);
	kvfree(q->users);
}

static struct hlist_head *flow_bucket(const struct natflow_drr *q, u32 hash)
{
	return &q->flow_hash[hash_32(hash, FLOW_BITS)];
}

static struct hlist_head *user_bucket(const struct natflow_drr *q,
				      const struct natflow_client *client)
{
	u32 hash = jhash2((const u32 *)client, sizeof(*client) / sizeof(u32), q->seed);

	return &q->user_hash[hash_32(hash, USER_BITS)];
}

/* A user's record becomes free, unless it has flows, or packets in @rest. */
static void forget_user(struct natflow_drr *q, struct natflow_drr_user *user)
{
	if (user->flows || user->bytes || user == nobody(q))
		return;
	hlist_del_init(&user->node);
	list_add(&user->list, &q->free_users);
}

/* An idle flow's record becomes free, and with a user's last one the user's. */
static void forget_flow(struct natflow_drr *q, struct natflow_drr_flow *flow)
{
	struct natflow_drr_user *user = flow->user;

	hlist_del_init(&flow->node);
	flow->user = NULL;
	flow->place = NATFLOW_PLACE_FREE;
	list_move(&flow->list, &q->free);
	user->flows--;
	forget_user(q, user);
}

/* Free the record that was idle for longest. Return: false if none is idle. */
static bool forget_one(struct natflow_drr *q)
{
	struct natflow_drr_flow *flow = list_first_entry_or_null(&q->idle, struct natflow_drr_flow,
							      list);

	if (flow)
		forget_flow(q, flow);
	return flow;
}

static struct natflow_drr_flow *spare_flow(struct natflow_drr *q)
{
	if (list_empty(&q->free))
		forget_one(q);
	return list_first_entry_or_null(&q->free, struct natflow_drr_flow, list);
}

static struct natflow_drr_user *known_user(struct natflow_drr *q,
					   const struct natflow_client *client)
{
	struct natflow_drr_user *user;

	hlist_for_each_entry(user, user_bucket(q, client), node)
		if (!memcmp(&user->client, client, sizeof(*client)))
			return user;
	return NULL;
}

static struct natflow_drr_user *add_user(struct natflow_drr *q,
					 const struct natflow_client *client)
{
	struct natflow_drr_user *user;
	unsigned int tries;

	for (tries = 0; list_empty(&q->free_users) && tries < CANDIDATES; tries++)
		if (!forget_one(q))
			break;
	user = list_first_entry_or_null(&q->free_users, struct natflow_drr_user, list);
	if (!user)
		return nobody(q);
	list_del_init(&user->list);
	user->client = *client;
	user->deficit = q->quantum;
	user->pause = (struct natflow_pause){};
	user->rest.pause = (struct natflow_pause){};
	codel_vars_init(&user->rest.codel);
	hlist_add_head(&user->node, user_bucket(q, client));
	return user;
}

/**
 * natflow_drr_find() - the record of a flow
 * @q: queue
 * @hash: of the flow's addresses and ports
 *
 * A record without packets answers for a second: the flow's user and importance change.
 *
 * Return: NULL if it has none.
 */
struct natflow_drr_flow *natflow_drr_find(struct natflow_drr *q, u32 hash)
{
	struct natflow_drr_flow *flow;

	hlist_for_each_entry(flow, flow_bucket(q, hash), node)
		if (flow->hash == hash)
			break;
	if (!flow || flow->place != NATFLOW_PLACE_IDLE || (u32)jiffies - flow->asked < HZ)
		return flow;
	forget_flow(q, flow);
	return NULL;
}

/**
 * natflow_drr_join() - a record for a flow that has none
 * @q: queue
 * @hash: of the flow's addresses and ports
 * @client: whose flow it is
 * @tin: its importance
 *
 * Return: a record; the one that its user's flows share if none is free.
 */
struct natflow_drr_flow *natflow_drr_join(struct natflow_drr *q, u32 hash,
					  const struct natflow_client *client,
					  enum natflow_tin tin)
{
	struct natflow_drr_flow *flow = spare_flow(q);
	struct natflow_drr_user *user = client->kind ? known_user(q, client) : nobody(q);

	/* Packets of a user for whom there was no record may wait with nobody's. */
	if (!user)
		user = nobody(q)->rest.bytes ? nobody(q) : add_user(q, client);
	/* Packets of this flow may wait there. */
	if (!flow || user->rest.bytes)
		return &user->rest;
	flow->user = user;
	flow->hash = hash;
	flow->tin = tin;
	flow->asked = jiffies;
	flow->place = NATFLOW_PLACE_IDLE;
	flow->pause = (struct natflow_pause){};
	codel_vars_init(&flow->codel);
	list_move_tail(&flow->list, &q->idle);
	hlist_add_head(&flow->node, flow_bucket(q, hash));
	user->flows++;
	return flow;
}

/* -- fatness */

/* A user's waiting bytes have changed. */
static void weigh(struct natflow_drr *q, struct natflow_drr_user *user)
{
	u8 level = user->bytes ? ilog2(user->bytes) : 0;

	if (user->bytes && !list_empty(&user->fat) && level == user->level)
		return;
	list_del_init(&user->fat);
	if (list_empty(&q->fat[user->level]))
		q->levels &= ~BIT(user->level);
	user->level = level;
	if (!user->bytes)
		return;
	list_add_tail(&user->fat, &q->fat[level]);
	q->levels |= BIT(level);
}

/* Of a packet that waits. */
struct waiting {
	codel_time_t since;
};

static struct waiting *waiting(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct waiting));
	return (struct waiting *)qdisc_skb_cb(skb)->data;
}

static codel_time_t waits_since(const struct sk_buff *skb)
{
	return waiting(skb)->since;
}

static u32 wire(const struct sk_buff *skb)
{
	return qdisc_pkt_len(skb);
}

/* -- pauses */

static void begin_pause(const struct natflow_drr *q, struct natflow_pause *pause, u32 flows)
{
	pause->since = q->sent;
	pause->round = (u64)q->turns * flows * q->quantum;
}

/* Has it lasted for so many rounds? */
static bool is_over(const struct natflow_drr *q, const struct natflow_pause *pause, u32 rounds)
{
	return q->emptied >= pause->since || q->sent - pause->since >= pause->round * rounds;
}

/* Rounds that pay a user's debt. */
static u32 rounds_of(const struct natflow_drr *q, const struct natflow_drr_user *user)
{
	return user->deficit < 0 ? 1 + (u32)-user->deficit / q->quantum : 1;
}

/* A flow has no packet any more. */
static void leave(struct natflow_drr *q, struct natflow_drr_flow *flow)
{
	struct natflow_drr_user *user = flow->user;
	u32 *count = &user->tin[flow->tin].count;

	list_del_init(&flow->waiting);
	begin_pause(q, &flow->pause, max_t(u32, *count, 1));
	if (flow->place == NATFLOW_PLACE_TIN) {
		--*count;
		if (!--user->turns) {
			list_del_init(&user->list);
			q->turns--;
			user->deficit = min_t(s32, user->deficit, q->quantum);
		}
	}
	flow->place = NATFLOW_PLACE_IDLE;
	if (!user->bytes)
		begin_pause(q, &user->pause, 1);
	if (flow != &user->rest) {
		list_move_tail(&flow->list, &q->idle);
		return;
	}
	list_del_init(&flow->list);
	forget_user(q, user);
}

static void push(struct natflow_drr *q, struct natflow_drr_flow *flow, struct sk_buff *skb)
{
	skb->next = NULL;
	if (flow->head)
		flow->tail->next = skb;
	else
		flow->head = skb;
	flow->tail = skb;
	if (!flow->bytes)
		list_add_tail(&flow->waiting, &flow->user->waiting);
	flow->bytes += wire(skb);
	flow->user->bytes += wire(skb);
	q->bytes += wire(skb);
	q->memory += skb->truesize;
	q->sch->q.qlen++;
	q->sch->qstats.backlog += wire(skb);
	weigh(q, flow->user);
}

static struct sk_buff *pop(struct natflow_drr *q, struct natflow_drr_flow *flow)
{
	struct sk_buff *skb = flow->head;

	if (!skb)
		return NULL;
	flow->head = skb->next;
	skb_mark_not_on_list(skb);
	flow->bytes -= wire(skb);
	flow->user->bytes -= wire(skb);
	q->bytes -= wire(skb);
	q->sent += wire(skb);
	if (!q->bytes)
		q->emptied = q->sent;
	q->memory -= skb->truesize;
	q->sch->q.qlen--;
	q->sch->qstats.backlog -= wire(skb);
	weigh(q, flow->user);
	if (!flow->head)
		leave(q, flow);
	return skb;
}

/* -- turns */

static void join_tin(struct natflow_drr *q, struct natflow_drr_flow *flow)
{
	struct natflow_drr_user *user = flow->user;

	flow->place = NATFLOW_PLACE_TIN;
	list_move_tail(&flow->list, &user->tin[flow->tin].flows);
	user->tin[flow->tin].count++;
	if (user->turns++)
		return;
	list_add_tail(&user->list, &q->busy);
	q->turns++;
}

/**
 * natflow_drr_add() - a packet waits
 * @q: queue
 * @flow: its record
 * @skb: packet; qdisc_pkt_len() is set
 * @now: ktime_get_ns()
 */
void natflow_drr_add(struct natflow_drr *q, struct natflow_drr_flow *flow, struct sk_buff *skb,
		     u64 now)
{
	if (!flow->user->bytes &&
	    is_over(q, &flow->user->pause, rounds_of(q, flow->user)))
		flow->user->deficit = q->quantum;
	waiting(skb)->since = now >> CODEL_SHIFT;
	push(q, flow, skb);
	if (flow->place != NATFLOW_PLACE_IDLE)
		return;
	if (!is_over(q, &flow->pause, 1)) {
		join_tin(q, flow);
		return;
	}
	flow->deficit = q->quantum;
	flow->place = NATFLOW_PLACE_SPARSE;
	list_move_tail(&flow->list, &q->sparse);
}

static struct sk_buff *codel_pop(struct codel_vars *vars, void *ctx)
{
	struct natflow_drr *q = ctx;

	if (!q->drops)
		return NULL;
	q->drops--;
	return pop(q, container_of(vars, struct natflow_drr_flow, codel));
}

static void codel_drop(struct sk_buff *skb, void *ctx)
{
	struct natflow_drr *q = ctx;

	kfree_skb(skb);
	qdisc_qstats_drop(q->sch);
}

/* The next packet of a flow, on its and its user's account; NULL: CoDel dropped all. */
static struct sk_buff *take(struct natflow_drr *q, struct natflow_drr_flow *flow)
{
	struct sk_buff *skb = codel_dequeue(q, &flow->bytes, &q->codel, &flow->codel,
					    &q->codel_stats, wire, waits_since, codel_drop,
					    codel_pop);

	if (!skb)
		skb = pop(q, flow);	/* no further drop in this call */
	if (!skb)
		return NULL;
	flow->deficit -= wire(skb);
	flow->user->deficit -= wire(skb);
	return skb;
}

/* A sparse flow's packet, while its user's account is not too low. */
static struct sk_buff *next_sparse(struct natflow_drr *q)
{
	struct natflow_drr_flow *flow;
	struct sk_buff *skb;
	unsigned int n;

	for (n = 0; n < LOOKS; n++) {
		flow = list_first_entry_or_null(&q->sparse, struct natflow_drr_flow, list);
		if (!flow)
			break;
		if (flow->deficit <= 0 || flow->user->deficit <= -(s32)(DEBT * q->quantum)) {
			join_tin(q, flow);
			continue;
		}
		skb = take(q, flow);
		if (skb)
			return skb;
	}
	return NULL;
}

/* The tin whose turn it is; -1: no tin has a flow. */
static int next_tin(struct natflow_drr *q, struct natflow_drr_user *user)
{
	int t;

	for (;;) {
		bool any = false;

		for (t = NATFLOW_TINS - 1; t >= 0; t--) {
			if (list_empty(&user->tin[t].flows))
				continue;
			if (user->tin[t].deficit > 0)
				return t;
			any = true;
		}
		if (!any)
			return -1;
		for (t = 0; t < NATFLOW_TINS; t++)
			if (!list_empty(&user->tin[t].flows))
				user->tin[t].deficit += weight[t] * q->quantum;
	}
}

/* The next packet of a user's rounds; NULL: it has no flow in them any more. */
static struct sk_buff *next_of(struct natflow_drr *q, struct natflow_drr_user *user)
{
	struct natflow_drr_flow *flow;
	struct sk_buff *skb;
	unsigned int n = 0;
	int t;

	while ((t = next_tin(q, user)) >= 0) {
		flow = list_first_entry(&user->tin[t].flows, struct natflow_drr_flow, list);
		/* Behind so many the account is what counts, not the turn. */
		if (flow->deficit <= 0 && n++ < LOOKS) {
			flow->deficit += q->quantum;
			list_move_tail(&flow->list, &user->tin[t].flows);
			continue;
		}
		skb = take(q, flow);
		if (skb) {
			user->tin[t].deficit -= wire(skb);
			return skb;
		}
	}
	return NULL;
}

static struct sk_buff *next_busy(struct natflow_drr *q)
{
	struct natflow_drr_user *user;
	struct sk_buff *skb;
	unsigned int n = 0;

	while ((user = list_first_entry_or_null(&q->busy, struct natflow_drr_user, list))) {
		if (user->deficit <= 0 && n++ < LOOKS) {
			user->deficit += q->quantum;
			list_move_tail(&user->list, &q->busy);
			continue;
		}
		skb = next_of(q, user);
		if (skb)
			return skb;
	}
	return NULL;
}

/**
 * natflow_drr_next() - the packet that leaves next
 * @q: queue
 *
 * Return: NULL if nothing waits. Packets that waited too long were dropped.
 */
struct sk_buff *natflow_drr_next(struct natflow_drr *q)
{
	struct sk_buff *skb;

	q->drops = DROPS;
	do {
		skb = next_sparse(q) ?: next_busy(q);
	} while (!skb && !list_empty(&q->sparse));
	return skb;
}

/**
 * natflow_drr_spill() - the packet that gives way if memory is short
 * @q: queue, not empty
 *
 * Return: the oldest packet of the fattest user's fattest flow, of some of its flows.
 */
struct sk_buff *natflow_drr_spill(struct natflow_drr *q)
{
	struct natflow_drr_flow *flow, *fattest = NULL;
	struct natflow_drr_user *user;
	unsigned int n = 0;

	if (!q->levels)
		return NULL;
	user = list_first_entry(&q->fat[fls(q->levels) - 1], struct natflow_drr_user, fat);
	list_for_each_entry(flow, &user->waiting, waiting) {
		if (!fattest || flow->bytes > fattest->bytes)
			fattest = flow;
		if (++n == CANDIDATES)
			break;
	}
	/* Others are compared the next time. */
	list_rotate_left(&user->waiting);
	return pop(q, fattest);
}
