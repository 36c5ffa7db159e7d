// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reader of one slot of the first PPE's table, which looks all the time as hardware may: the
 * words of an entry that is bound must be those of one flow. An entry that is bound is "known"
 * when the case says so; what is seen later must be one of the known ones.
 *
 * /proc/natppe/rule moves natppe.writes before and behind what it has the driver do. A reading
 * during which it moved says nothing: the entry may have gone, and come again. Flows are IPv4's.
 */
#include <linux/kthread.h>
#include "ppe.h"

#define KNOWN 4

static struct task_struct *task;
static u32 known[KNOWN][PPE_WORDS], slot;
static unsigned int knowns;
static u64 whole, torn;

static u32 *words_of(u32 index)
{
	return natppe.ppe[0].table + index * natppe.ppe[0].entry_size;
}

static bool is_bound(u32 ib1)
{
	return FIELD_GET(GENMASK(29, 28), ib1) == PPE_BOUND;
}

/* ib1 has a clock. Since 6.4 mainline asks for counters once an entry is bound. */
static bool is_known(const u32 *words)
{
	const struct ppe_emulate *e = &natppe.ppe[0];
	const u32 mask[5] = {
		[0] = e->version == 1 ? 0x7fff : 0xff,
		[4] = e->version == 1 ? BIT(10) : BIT(15),
	};
	unsigned int i, k;

	for (k = 0; k < knowns; k++) {
		for (i = 0; i < e->entry_size / 4; i++)
			if ((words[i] ^ known[k][i]) & ~(i < 5 ? mask[i] : 0))
				break;
		if (i == e->entry_size / 4)
			return true;
	}
	return false;
}

static void look(void)
{
	unsigned int writes = atomic_read_acquire(&natppe.writes), i;
	u32 *entry = words_of(slot), words[PPE_WORDS];

	words[0] = smp_load_acquire(entry);	/* before the other words */
	if (!is_bound(words[0]))
		return;
	for (i = 1; i < natppe.ppe[0].entry_size / 4; i++)
		words[i] = READ_ONCE(entry[i]);
	smp_rmb();	/* the words before the first one again */
	if (!is_bound(READ_ONCE(*entry)))
		return;
	smp_rmb();	/* all words before the count of writes */
	if (atomic_read(&natppe.writes) != writes)
		return;
	if (is_known(words))
		whole++;
	else
		torn++;
}

static int run(void *unused)
{
	while (!kthread_should_stop()) {
		look();
		cond_resched();
	}
	return 0;
}

/* What is bound in that slot now is a flow's. */
static int learn(u32 index)
{
	if (knowns == KNOWN || !is_bound(*words_of(index)))
		return -EINVAL;
	memcpy(known[knowns++], words_of(index), natppe.ppe[0].entry_size);
	return 0;
}

/* Another flow's addresses of frames that leave. The reader must see it. */
static int tear(void)
{
	if (!task || knowns < 2)
		return -EINVAL;
	memcpy(words_of(slot) + 12, known[1] + 12, natppe.ppe[0].entry_size - 12 * 4);
	return 0;
}

void ppe_watch_stop(void)
{
	if (task)
		kthread_stop(task);
	task = NULL;
}

static int start(u32 index)
{
	ppe_watch_stop();
	slot = index;
	whole = 0;
	torn = 0;
	task = kthread_run(run, NULL, "natppe-watch");
	if (!IS_ERR(task))
		return 0;
	task = NULL;
	return -ENOMEM;
}

/* A word of /proc/natppe/status. */
int ppe_watch(const char *word, u32 index)
{
	if (index >= MTK_PPE_ENTRIES)
		return -EINVAL;
	if (!strcmp(word, "known"))
		return learn(index);
	if (!strcmp(word, "start"))
		return start(index);
	if (!strcmp(word, "tear"))
		return tear();
	return -EINVAL;
}

void ppe_watch_show(struct seq_file *m)
{
	seq_printf(m, "watch.whole %llu\nwatch.torn %llu\n", READ_ONCE(whole), READ_ONCE(torn));
}
