// SPDX-License-Identifier: GPL-2.0-only
/* Summing the per-CPU counters, and the names of the reasons. */
#include <linux/string.h>
#include "stats.h"

#define REASON_GROUP(group, name, key, text) [NATFLOW_##name] = #group,
#define REASON_KEY(group, name, key, text) [NATFLOW_##name] = key,
#define REASON_TEXT(group, name, key, text) [NATFLOW_##name] = text,

static const char * const reason_group[] = { NATFLOW_REASONS(REASON_GROUP) };
static const char * const reason_key[] = { NATFLOW_REASONS(REASON_KEY) };
static const char * const reason_text[] = { NATFLOW_REASONS(REASON_TEXT) };

/**
 * natflow_reason_group() - the group a reason belongs to
 * @reason: any value but NATFLOW_OK
 *
 * Return: "refuse", "learn", "end", "name" or "drop".
 */
const char *natflow_reason_group(enum natflow_reason reason)
{
	return reason_group[reason];
}

/**
 * natflow_reason_key() - the stable name of a reason
 * @reason: any value but NATFLOW_OK
 *
 * Return: its key, unique within its group.
 */
const char *natflow_reason_key(enum natflow_reason reason)
{
	return reason_key[reason];
}

/**
 * natflow_reason_text() - what a reason means, for people
 * @reason: any value but NATFLOW_OK
 *
 * Return: its explanation, a part of a sentence.
 */
const char *natflow_reason_text(enum natflow_reason reason)
{
	return reason_text[reason];
}

/**
 * natflow_stats_alloc() - counters for one namespace, all zero
 *
 * Context: process, may sleep.
 * Return: the counters, freed with free_percpu(), or NULL.
 */
struct natflow_pcpu __percpu *natflow_stats_alloc(void)
{
	struct natflow_pcpu __percpu *pcpu =
		alloc_percpu_gfp(struct natflow_pcpu, GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!pcpu)
		return NULL;
	for_each_possible_cpu(cpu) {
		struct natflow_pcpu *c = per_cpu_ptr(pcpu, cpu);

		u64_stats_init(&c->syncp);
		init_llist_head(&c->active);
	}
	return pcpu;
}

/* One counter of one CPU. */
static u64 read_one(const struct natflow_pcpu *c, const u64_stats_t *counter)
{
	unsigned int start;
	u64 value;

	do {
		start = u64_stats_fetch_begin(&c->syncp);
		value = u64_stats_read(counter);
	} while (u64_stats_fetch_retry(&c->syncp, start));
	return value;
}

/**
 * natflow_stats_sum() - add up one namespace's counters
 * @pcpu: the counters, or NULL: nothing was counted yet
 * @sum: the result, in packets and bytes
 *
 * Context: any. Writers are not stopped; each counter is exact, the set is not
 * one instant.
 */
void natflow_stats_sum(struct natflow_pcpu __percpu *pcpu, struct natflow_stats *sum)
{
	unsigned int i;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	if (!pcpu)
		return;
	for_each_possible_cpu(cpu) {
		const struct natflow_pcpu *c = per_cpu_ptr(pcpu, cpu);

		sum->hits += read_one(c, &c->hits);
		sum->bytes += read_one(c, &c->bytes);
		sum->reached += read_one(c, &c->reached);
		sum->confirmed += read_one(c, &c->confirmed);
		for (i = 1; i <= NATFLOW_REASON_MAX; i++)
			sum->reason[i] += read_one(c, &c->reason[i]);
	}
}
