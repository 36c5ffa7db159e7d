// SPDX-License-Identifier: GPL-2.0-only
/* Where features above the engine plug in. */
#include "attach.h"

DEFINE_STATIC_KEY_FALSE(natflow_attached);

/**
 * natflow_attach_set() - plug a feature in, or out
 * @nn: namespace
 * @attach: of static lifetime, or NULL
 *
 * Packets under way may still use what was there: synchronize_net() before it goes.
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_attach_set(struct natflow_net *nn, const struct natflow_attach *attach)
{
	lockdep_assert_held(&nn->lock);
	if (attach && !nn->attach)
		static_branch_inc(&natflow_attached);
	else if (!attach && nn->attach)
		static_branch_dec(&natflow_attached);
	WRITE_ONCE(nn->attach, attach);
}
