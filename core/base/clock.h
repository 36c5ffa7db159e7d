/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The route clock: each hit compares it with the flow's stamp. A flow whose stamp
 * differs takes the stack and is learned again.
 *
 * The clock of a family is the kernel's change counter plus natflow's bias, for
 * changes that the counter misses and for update_magic:
 *   IPv4  rt_genid_ipv4(), bumped by rt_cache_flush() after every FIB, rule,
 *         address and policy change
 *   IPv6  fib6_sernum, bumped by fib6_add() and rt_genid_bump_ipv6(); deletions
 *         and rules do not move it, core/listen.c does
 *
 * A clock may move for nothing: Packet Too Big, a router advertisement. A flow then
 * asks its own route (core/ask.c). Changes that no route lookup shows, as of settings,
 * also move natflow_net.edition, and the flow takes the stack.
 *
 * Sample before you look up: the stamp of a flow is the clock that this CPU read
 * when the packet entered the RX hook, before the stack looked up the route. A
 * change in between makes the stamp stale, and the next packet takes the stack.
 */
#ifndef _NATFLOW_CORE_BASE_CLOCK_H
#define _NATFLOW_CORE_BASE_CLOCK_H

#include "netns.h"

static __always_inline u32 natflow_clock(const struct natflow_net *nn, const u8 family)
{
	u32 kernel = family == NFPROTO_IPV4 ? rt_genid_ipv4(nn->net) : rt_genid_ipv6(nn->net);

	return kernel + atomic_read(&nn->clock_bias[natflow_family_index(family)]);
}

static __always_inline u32 natflow_edition(const struct natflow_net *nn, const u8 family)
{
	return atomic_read(&nn->edition[natflow_family_index(family)]);
}

/* @skb goes up the stack. Context: BH disabled. */
static __always_inline void natflow_clock_sample(const struct natflow_net *nn,
						 const struct sk_buff *skb, const u8 family)
{
	preempt_disable_nested();
	this_cpu_write(nn->pcpu->clock_of, skb);
	this_cpu_write(nn->pcpu->clock[natflow_family_index(family)], natflow_clock(nn, family));
	this_cpu_write(nn->pcpu->edition[natflow_family_index(family)],
		       natflow_edition(nn, family));
	preempt_enable_nested();
}

/* The clock as it was before the stack routed the packet in hand. Context: BH disabled. */
static inline u32 natflow_clock_sampled(const struct natflow_net *nn, const u8 family)
{
	return this_cpu_read(nn->pcpu->clock[natflow_family_index(family)]);
}

/* The edition at the same time. Context: BH disabled. */
static inline u32 natflow_edition_sampled(const struct natflow_net *nn, const u8 family)
{
	return this_cpu_read(nn->pcpu->edition[natflow_family_index(family)]);
}

/*
 * Invalidate what was learned of @family; called by core/doubt.c only. @shown: a route
 * lookup shows the change. Who sees the new clock sees the new edition. Context: any.
 */
static inline void natflow_clock_bump(struct natflow_net *nn, const u8 family, bool shown)
{
	const unsigned int i = natflow_family_index(family);

	if (!shown)
		atomic_inc(&nn->edition[i]);
	smp_mb__before_atomic();	/* pairs with smp_rmb() in core/ask.c */
	atomic_inc(&nn->clock_bias[i]);
}

/*
 * The coarse time of the packet path, about 64 ms a tick: often enough to
 * notice a deleted conntrack, seldom enough to cost nothing.
 */
#define NATFLOW_TICK_SHIFT ilog2(HZ * 64 / 1000 > 1 ? HZ * 64 / 1000 : 1)

static __always_inline u16 natflow_tick_now(void)
{
	return (u16)(jiffies / BIT(NATFLOW_TICK_SHIFT));
}

#endif /* _NATFLOW_CORE_BASE_CLOCK_H */
