// SPDX-License-Identifier: GPL-2.0-only
/* Patches P13 and P14: what they export is what natflow expects, and does what it says. */
#include "ppe.h"
#include "ppe_natflow.h"

#define SAME(theirs, ours, member) static_assert( \
	offsetof(struct theirs, member) == offsetof(struct ours, member) && \
	__same_type(((struct theirs *)NULL)->member, ((struct ours *)NULL)->member))

SAME(mtk_ppe_entry_info, natflow_ppe_info, chip);
SAME(mtk_ppe_entry_info, natflow_ppe_info, version);
SAME(mtk_ppe_entry_info, natflow_ppe_info, words);
SAME(mtk_ppe_entry_info, natflow_ppe_info, port);
SAME(mtk_ppe_entry_info, natflow_ppe_info, port_mg);
SAME(mtk_ppe_entry_info, natflow_ppe_info, queues);
SAME(mtk_ppe_entry_info, natflow_ppe_info, counts);
static_assert(sizeof(struct mtk_ppe_entry_info) == sizeof(struct natflow_ppe_info));
SAME(mtk_ppe_entry_stats, natflow_ppe_stats, packets);
SAME(mtk_ppe_entry_stats, natflow_ppe_stats, bytes);
SAME(mtk_ppe_entry_stats, natflow_ppe_stats, idle);
SAME(mtk_ppe_entry_stats, natflow_ppe_stats, bound);
static_assert(sizeof(struct mtk_ppe_entry_stats) == sizeof(struct natflow_ppe_stats));
static_assert(__same_type(mtk_ppe_entry_set, natflow_entry_set));
static_assert(__same_type(mtk_ppe_entry_clear, natflow_entry_clear));
/* These differ in the struct's name alone. */
static_assert(__same_type(&mtk_ppe_entry_describe,
			  (int (*)(struct net_device *, struct mtk_ppe_entry_info *, size_t))NULL));
static_assert(__same_type(&natflow_entry_describe,
			  (int (*)(struct net_device *, struct natflow_ppe_info *, size_t))NULL));
static_assert(__same_type(&mtk_ppe_entry_read, (int (*)(struct net_device *, u32, const u32 *,
							struct mtk_ppe_entry_stats *))NULL));
static_assert(__same_type(&natflow_entry_read, (int (*)(struct net_device *, u32, const u32 *,
							struct natflow_ppe_stats *))NULL));

static int describe(u8 number, struct natflow_ppe_info *info)
{
	if (number > PPE_GMACS)
		return mtk_ppe_entry_describe(natppe.wlan, (void *)info, sizeof(*info));
	return mtk_ppe_entry_describe(natppe.eth.netdev[number - 1], (void *)info, sizeof(*info));
}

/**
 * ppe_direct() - run a command on natflow's words for a rule
 * @r: PPE_SET; PPE_CLEAR and PPE_READ of the slot that is its cookie
 * @answer: rc: an errno, or the slot, or if it is bound
 *
 * Context: process.
 */
void ppe_direct(const struct ppe_rule *r, struct ppe_answer *answer)
{
	struct net_device *dev = natppe.eth.netdev[r->in - 1];
	struct mtk_ppe_entry_stats stats = {};
	struct natflow_ppe_info in, out;
	u32 words[PPE_WORDS];

	answer->rc = describe(r->in, &in) ?: describe(r->out, &out) ?:
		     ppe_words(r, &in, &out, -1, words);
	if (answer->rc)
		return;
	if (r->command == PPE_SET) {
		answer->rc = mtk_ppe_entry_set(dev, words);
	} else if (r->command == PPE_CLEAR) {
		mtk_ppe_entry_clear(dev, r->cookie, words);
	} else {
		answer->rc = mtk_ppe_entry_read(dev, r->cookie, words, &stats) ?: stats.bound;
		answer->packets = stats.packets;
		answer->bytes = stats.bytes;
		answer->idle = stats.idle;
	}
}
