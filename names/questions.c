// SPDX-License-Identifier: GPL-2.0-only
/*
 * DNS questions that went on to a server and are not answered yet. Only the first
 * answer to such a question counts. A question is a tag of 64 bits with a secret seed:
 * its connection, its ID, what it asks, and the device by which it left. So neither an
 * outsider who knows the ports, nor a client that answers itself, can make an answer.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include "../core/base/ct.h"
#include "../core/base/share.h"
#include "../lib/names/dns.h"
#include "questions.h"

#define PLACES	4096
#define HEADS	1024
#define LIFE	(10 * HZ)	/* resolvers give up after 5 s or less */

struct question {
	struct hlist_node node;		/* of natflow_questions.head or .unused */
	u64 tag;
	u64 born;			/* jiffies */
	struct natflow_sharer who;	/* holds the place */
};

struct natflow_questions {
	spinlock_t lock;		/* all below; BH disabled */
	siphash_key_t seed;
	struct natflow_share *share;	/* places, one a question */
	struct hlist_head head[HEADS], unused;
	struct question place[PLACES];
};

/**
 * natflow_questions_alloc() - a table without questions
 *
 * Context: process, may sleep.
 * Return: the table, or NULL.
 */
struct natflow_questions *natflow_questions_alloc(void)
{
	struct natflow_questions *q = __vmalloc(sizeof(*q), GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	unsigned int i;

	if (!q)
		return NULL;
	q->share = natflow_share_alloc(PLACES);
	if (!q->share) {
		vfree(q);
		return NULL;
	}
	spin_lock_init(&q->lock);
	get_random_bytes(&q->seed, sizeof(q->seed));
	for (i = 0; i < PLACES; i++)
		hlist_add_head(&q->place[i].node, &q->unused);
	return q;
}

/**
 * natflow_questions_bytes() - memory of a table
 *
 * Context: any.
 */
size_t natflow_questions_bytes(void)
{
	return PAGE_ALIGN(sizeof(struct natflow_questions)) + sizeof(struct natflow_share);
}

/**
 * natflow_questions_free() - free a table
 * @questions: table without users, or NULL
 */
void natflow_questions_free(struct natflow_questions *questions)
{
	if (!questions)
		return;
	kvfree(questions->share);
	vfree(questions);
}

/* Not by the conntrack's address: datagrams in flight at once may have one each at first. */
static u64 tag_of(const struct natflow_questions *q, const struct nf_conn *ct, int ifindex,
		  const struct natflow_dns *dns)
{
	struct {
		union natflow_key connection;
		u64 name;
		u32 ifindex;
		u16 id, type, class, family;
	} all;

	memset(&all, 0, sizeof(all));
	natflow_ct_key(ct, IP_CT_DIR_ORIGINAL, 0, &all.connection);
	all.name = siphash(dns->question.text, dns->question.len, &q->seed);
	all.ifindex = ifindex;
	all.id = dns->id;
	all.type = dns->type;
	all.class = dns->class;
	all.family = natflow_ct_family(ct);
	return siphash(&all, sizeof(all), &q->seed);
}

static bool is_over(const struct question *question)
{
	return time_after64(get_jiffies_64(), question->born + LIFE);
}

static struct question *find(struct natflow_questions *q, u64 tag)
{
	struct question *question;

	lockdep_assert_held(&q->lock);
	hlist_for_each_entry(question, &q->head[tag % HEADS], node)
		if (question->tag == tag)
			return question;
	return NULL;
}

static struct question *use_place(struct natflow_questions *q, u64 tag,
				  const struct natflow_sharer *who)
{
	struct question *question = hlist_entry_safe(q->unused.first, struct question, node);

	lockdep_assert_held(&q->lock);
	if (!question || !natflow_share_take(q->share, who, 1))
		return NULL;
	hlist_del(&question->node);
	hlist_add_head(&question->node, &q->head[tag % HEADS]);
	question->tag = tag;
	question->who = *who;
	return question;
}

static void leave_place(struct natflow_questions *q, struct question *question)
{
	lockdep_assert_held(&q->lock);
	hlist_del(&question->node);
	hlist_add_head(&question->node, &q->unused);
	natflow_share_give(q->share, &question->who, 1);
}

/**
 * natflow_questions_open() - a question goes on to a server
 * @questions: table
 * @ct: the question's conntrack
 * @ifindex: of the device by which it leaves, 0: for a server on this host
 * @dns: question
 * @who: its client
 *
 * A question that is repeated, with the same ID, stays one question.
 *
 * Context: BH disabled.
 * Return: false if the client has too many open questions, or all clients have.
 */
bool natflow_questions_open(struct natflow_questions *questions, const struct nf_conn *ct,
			    int ifindex, const struct natflow_dns *dns,
			    const struct natflow_sharer *who)
{
	u64 tag = tag_of(questions, ct, ifindex, dns);
	struct question *question;

	spin_lock(&questions->lock);
	question = find(questions, tag) ?: use_place(questions, tag, who);
	if (question)
		question->born = get_jiffies_64();
	spin_unlock(&questions->lock);
	return question;
}

/**
 * natflow_questions_close() - an answer came
 * @questions: table
 * @ct: the answer's conntrack
 * @ifindex: of the device by which it came, 0: from a server on this host
 * @dns: answer
 *
 * Context: BH disabled.
 * Return: true if its question was open; it no longer is.
 */
bool natflow_questions_close(struct natflow_questions *questions, const struct nf_conn *ct,
			     int ifindex, const struct natflow_dns *dns)
{
	u64 tag = tag_of(questions, ct, ifindex, dns);
	struct question *question;
	bool open;

	spin_lock(&questions->lock);
	question = find(questions, tag);
	open = question && !is_over(question);
	if (question)
		leave_place(questions, question);
	spin_unlock(&questions->lock);
	return open;
}

/**
 * natflow_questions_age() - forget questions that nobody answered
 * @questions: table
 *
 * Context: process.
 */
void natflow_questions_age(struct natflow_questions *questions)
{
	bool any = atomic_read(&questions->share->used);
	struct question *question;
	struct hlist_node *next;
	unsigned int i;

	for (i = 0; any && i < HEADS; i++) {
		spin_lock_bh(&questions->lock);
		hlist_for_each_entry_safe(question, next, &questions->head[i], node)
			if (is_over(question))
				leave_place(questions, question);
		spin_unlock_bh(&questions->lock);
	}
}
