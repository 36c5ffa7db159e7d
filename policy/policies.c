// SPDX-License-Identifier: GPL-2.0-only
/* Policies, and whom they are bound to. */
#include <linux/etherdevice.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "policies.h"

#define UNBOUND		NATFLOW_POLICIES_MAX

const struct natflow_policies natflow_policies_none;

static u32 *bucket_of(const struct natflow_policies *p, const struct natflow_subject *of)
{
	return &p->bucket[siphash(of, sizeof(*of), &p->key) & p->mask];
}

/* Insert into the bucket and the sums. */
static void link(struct natflow_policies *p, unsigned int at)
{
	struct natflow_bind *bind = &p->bind[at];
	const struct natflow_subject *of = &bind->of;
	u32 *bucket = bucket_of(p, of);

	bind->next = *bucket;
	*bucket = at + 1;
	if (of->kind == NATFLOW_SUBJECT_SET)
		p->set[p->of_kind[NATFLOW_SUBJECT_SET]] = at;
	if (of->kind == NATFLOW_SUBJECT_CIDR)
		p->lens[of->family == NFPROTO_IPV6][of->len]++;
	p->of_kind[of->kind]++;
}

static void unlink_set(struct natflow_policies *p, unsigned int at)
{
	unsigned int i = 0, count = p->of_kind[NATFLOW_SUBJECT_SET];

	while (p->set[i] != at)
		i++;
	memmove(&p->set[i], &p->set[i + 1], (count - i - 1) * sizeof(p->set[0]));
}

static void unlink(struct natflow_policies *p, unsigned int at)
{
	struct natflow_bind *bind = &p->bind[at];
	const struct natflow_subject *of = &bind->of;
	u32 *place = bucket_of(p, of);

	while (*place != at + 1)
		place = &p->bind[*place - 1].next;
	*place = bind->next;
	if (of->kind == NATFLOW_SUBJECT_SET)
		unlink_set(p, at);
	if (of->kind == NATFLOW_SUBJECT_CIDR)
		p->lens[of->family == NFPROTO_IPV6][of->len]--;
	p->of_kind[of->kind]--;
	bind->policy = UNBOUND;
}

static void copy(struct natflow_policies *p, const struct natflow_policies *old)
{
	unsigned int i;

	p->count = old->count;
	memcpy(p->policy, old->policy, array_size(old->count, sizeof(p->policy[0])));
	for (i = 0; i < old->binds; i++) {
		if (old->bind[i].policy == UNBOUND)
			continue;
		p->bind[p->binds] = old->bind[i];
		link(p, p->binds++);
	}
}

/**
 * natflow_policies_alloc() - copy policies and binds, with room for more
 * @old: policies, or NULL
 * @more: policies or binds to make room for
 *
 * Context: process, may sleep.
 * Return: the copy, freed with natflow_policies_free(), or NULL.
 */
struct natflow_policies *natflow_policies_alloc(const struct natflow_policies *old,
						unsigned int more)
{
	unsigned int room = min_t(unsigned int, (old ? old->count : 0) + more,
				  NATFLOW_POLICIES_MAX);
	unsigned int binds = min_t(unsigned int, (old ? old->binds : 0) + more,
				   NATFLOW_BINDS_MAX);
	u32 buckets = roundup_pow_of_two(binds + 1);
	struct natflow_policies *p = kvzalloc(struct_size(p, policy, room), GFP_KERNEL_ACCOUNT);

	if (!p)
		return NULL;
	p->room = room;
	p->binds_room = binds;
	p->mask = buckets - 1;
	get_random_bytes(&p->key, sizeof(p->key));
	p->bind = kvcalloc(binds + 1, sizeof(*p->bind), GFP_KERNEL_ACCOUNT);
	p->bucket = kvcalloc(buckets, sizeof(*p->bucket), GFP_KERNEL_ACCOUNT);
	if (!p->bind || !p->bucket) {
		natflow_policies_free(p);
		return NULL;
	}
	if (old)
		copy(p, old);
	return p;
}

/**
 * natflow_policies_free() - free policies and binds
 * @p: policies without readers, or NULL
 */
void natflow_policies_free(const struct natflow_policies *p)
{
	if (!p || p == &natflow_policies_none)
		return;
	kvfree(p->bucket);
	kvfree(p->bind);
	kvfree(p);
}

/**
 * natflow_policies_clear() - remove all policies and binds
 * @p: not published yet
 */
void natflow_policies_clear(struct natflow_policies *p)
{
	p->count = 0;
	p->binds = 0;
	memset(p->of_kind, 0, sizeof(p->of_kind));
	memset(p->lens, 0, sizeof(p->lens));
	memset(p->bucket, 0, array_size(p->mask + 1, sizeof(*p->bucket)));
}

/**
 * natflow_policies_named() - find a policy
 * @p: policies
 * @name: of the policy; "": a free place
 *
 * Return: its index, or -ENOENT.
 */
int natflow_policies_named(const struct natflow_policies *p, const char *name)
{
	int i;

	for (i = 0; i < p->count; i++)
		if (!strcmp(p->policy[i].name, name))
			return i;
	return -ENOENT;
}

/**
 * natflow_policies_add() - add a policy
 * @p: not published yet, with room
 * @policy: policy, its unused bytes zero
 *
 * The same policy twice is one.
 *
 * Return: 0, -ENOSPC, or -EEXIST: another one has the name.
 */
int natflow_policies_add(struct natflow_policies *p, const struct natflow_policy *policy)
{
	int at = natflow_policies_named(p, policy->name);

	if (at >= 0)
		return memcmp(&p->policy[at], policy, sizeof(*policy)) ? -EEXIST : 0;
	at = natflow_policies_named(p, "");
	if (at < 0 && p->count == p->room)
		return -ENOSPC;
	memcpy(&p->policy[at < 0 ? p->count++ : at], policy, sizeof(*policy));
	return 0;
}

/**
 * natflow_policies_change() - replace what a policy says
 * @p: not published yet
 * @policy: the policy of this name from now on
 *
 * Return: 0, or -ENOENT: there is none of the name.
 */
int natflow_policies_change(struct natflow_policies *p, const struct natflow_policy *policy)
{
	int at = natflow_policies_named(p, policy->name);

	if (at < 0)
		return at;
	memcpy(&p->policy[at], policy, sizeof(*policy));
	return 0;
}

/**
 * natflow_policies_bind_of() - whom a policy is bound to
 * @p: policies
 * @policy: index
 *
 * Return: one of its binds, or NULL.
 */
const struct natflow_bind *natflow_policies_bind_of(const struct natflow_policies *p,
						    unsigned int policy)
{
	unsigned int i;

	for (i = 0; i < p->binds; i++)
		if (p->bind[i].policy == policy)
			return &p->bind[i];
	return NULL;
}

/**
 * natflow_policies_remove() - remove a policy
 * @p: not published yet
 * @policy: index; it is bound to nobody
 */
void natflow_policies_remove(struct natflow_policies *p, unsigned int policy)
{
	memset(&p->policy[policy], 0, sizeof(p->policy[0]));
}

/**
 * natflow_policies_bound() - the bind of a subject
 * @p: policies
 * @of: whom
 *
 * Return: the bind, or NULL.
 */
const struct natflow_bind *natflow_policies_bound(const struct natflow_policies *p,
						  const struct natflow_subject *of)
{
	u32 at;

	for (at = *bucket_of(p, of); at; at = p->bind[at - 1].next)
		if (!memcmp(&p->bind[at - 1].of, of, sizeof(*of)))
			return &p->bind[at - 1];
	return NULL;
}

/**
 * natflow_policies_bind() - bind a policy
 * @p: not published yet, with room
 * @policy: index
 * @of: whom to, its unused bytes zero
 *
 * The same bind twice is one.
 *
 * Return: 0, -ENOSPC, or -EEXIST: another policy is bound to @of.
 */
int natflow_policies_bind(struct natflow_policies *p, unsigned int policy,
			  const struct natflow_subject *of)
{
	const struct natflow_bind *bind = natflow_policies_bound(p, of);

	if (bind)
		return bind->policy == policy ? 0 : -EEXIST;
	if (p->binds == p->binds_room)
		return -ENOSPC;
	if (of->kind == NATFLOW_SUBJECT_SET &&
	    p->of_kind[NATFLOW_SUBJECT_SET] == NATFLOW_SET_BINDS_MAX)
		return -ENOSPC;
	memcpy(&p->bind[p->binds].of, of, sizeof(*of));
	p->bind[p->binds].policy = policy;
	link(p, p->binds++);
	return 0;
}

/**
 * natflow_policies_unbind() - remove a bind
 * @p: not published yet
 * @of: to whom a policy is bound
 */
void natflow_policies_unbind(struct natflow_policies *p, const struct natflow_subject *of)
{
	unlink(p, natflow_policies_bound(p, of) - p->bind);
}

/* -- who is it */

static bool is_on(const struct natflow_policies *p, const struct natflow_bind *bind,
		  unsigned int minute)
{
	return bind && natflow_policy_is_on(&p->policy[bind->policy], minute);
}

/* The bind of a device, name, address or zone, if its policy is on. */
static const struct natflow_bind *find_exact(const struct natflow_policies *p,
					     const struct natflow_policy_client *client,
					     unsigned int kind, unsigned int minute)
{
	const struct natflow_site_client *site = client->site;
	struct natflow_subject of = { .kind = kind };
	const struct natflow_bind *bind;

	switch (kind) {
	case NATFLOW_SUBJECT_DEVICE:
		memcpy(of.addr, site->mac, sizeof(site->mac));
		break;
	case NATFLOW_SUBJECT_NAME:
		if (!client->name)
			return NULL;
		strscpy(of.name, client->name, sizeof(of.name));
		break;
	case NATFLOW_SUBJECT_IP:
		natflow_subject_prefix(&of, site->family, site->addr,
				       site->family == NFPROTO_IPV4 ? 32 : 128);
		of.kind = kind;
		break;
	default:
		of.addr[0] = client->zone;
	}
	bind = natflow_policies_bound(p, &of);
	return is_on(p, bind, minute) ? bind : NULL;
}

static const struct natflow_bind *find_prefix(const struct natflow_policies *p,
					      const struct natflow_site_client *site,
					      unsigned int minute)
{
	const u32 *lens = p->lens[site->family == NFPROTO_IPV6];
	int len = site->family == NFPROTO_IPV4 ? 32 : 128;
	const struct natflow_bind *bind;
	struct natflow_subject of;

	for (; len >= 0; len--) {
		if (!lens[len])
			continue;
		natflow_subject_prefix(&of, site->family, site->addr, len);
		bind = natflow_policies_bound(p, &of);
		if (is_on(p, bind, minute))
			return bind;
	}
	return NULL;
}

static const struct natflow_bind *find_set(const struct natflow_policies *p,
					   const struct natflow_site_client *site,
					   unsigned int minute)
{
	unsigned int i;

	for (i = 0; i < p->of_kind[NATFLOW_SUBJECT_SET]; i++) {
		const struct natflow_bind *bind = &p->bind[p->set[i]];

		if (is_on(p, bind, minute) && site->in_set(site, bind->of.name) > 0)
			return bind;
	}
	return NULL;
}

/**
 * natflow_policies_find() - the policy that has its effect on a client
 * @p: policies
 * @client: client
 * @minute: of the week, local time
 *
 * Context: RCU read side, BH disabled: sets are tested.
 * Return: its index, or -ENOENT.
 */
int natflow_policies_find(const struct natflow_policies *p,
			  const struct natflow_policy_client *client, unsigned int minute)
{
	const struct natflow_bind *bind = NULL;
	unsigned int kind;

	for (kind = 0; kind < NATFLOW_SUBJECTS && !bind; kind++) {
		if (!p->of_kind[kind])
			continue;
		if (kind == NATFLOW_SUBJECT_CIDR)
			bind = find_prefix(p, client->site, minute);
		else if (kind == NATFLOW_SUBJECT_SET)
			bind = find_set(p, client->site, minute);
		else
			bind = find_exact(p, client, kind, minute);
	}
	return bind ? bind->policy : -ENOENT;
}

/**
 * natflow_policies_differ() - does the time change what a policy does
 * @p: policies
 * @a: minute of the week
 * @b: minute of the week
 */
bool natflow_policies_differ(const struct natflow_policies *p, unsigned int a, unsigned int b)
{
	unsigned int i;

	for (i = 0; i < p->count; i++)
		if (natflow_policy_is_on(&p->policy[i], a) !=
		    natflow_policy_is_on(&p->policy[i], b))
			return true;
	return false;
}

/**
 * natflow_policies_pace() - has any policy a rate
 * @p: policies
 */
bool natflow_policies_pace(const struct natflow_policies *p)
{
	unsigned int i;

	for (i = 0; i < p->count; i++)
		if (natflow_policy_has_rate(&p->policy[i]))
			return true;
	return false;
}
