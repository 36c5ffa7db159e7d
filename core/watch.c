// SPDX-License-Identifier: GPL-2.0-only
/*
 * Route changes that the kernel's own counters do not show: IPv6 deletions and
 * rules, and nexthop objects that lose or change a member.
 *
 * Heard where every routing daemon hears them, as rtnetlink's messages, because
 * those are sent for all of them, after the change, before the command that
 * made it returns. The FIB notifier chain is silent about a route that was not
 * the first of its node, and speaks before the fact about multipath routes and
 * rules (net/ipv6/ip6_fib.c:fib6_del_route(), net/ipv6/route.c:
 * __ip6_del_rt_siblings(), net/core/fib_rules.c:fib_newrule(), 6.1 to 7.3).
 */
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "clock.h"
#include "watch.h"

/*
 * The clocks move under the queue's lock: a sender that finds its message
 * taken by another one returns only when the other has moved them.
 *
 * Context: atomic, as a message is delivered.
 */
static void heard(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;
	struct sk_buff_head done;
	struct sk_buff *skb;
	unsigned long flags;

	__skb_queue_head_init(&done);
	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	skb_queue_walk(&sk->sk_receive_queue, skb) {
		u16 type = nlmsg_hdr(skb)->nlmsg_type;

		if (type == RTM_NEWNEXTHOP || type == RTM_DELNEXTHOP)
			natflow_clock_bump(nn, NFPROTO_IPV4);
		natflow_clock_bump(nn, NFPROTO_IPV6);
	}
	skb_queue_splice_init(&sk->sk_receive_queue, &done);
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	__skb_queue_purge(&done);
}

/* A message could not be made or queued, and from now on none will be. */
static void lost(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;

	natflow_clock_bump_all(nn);
	WRITE_ONCE(nn->incomplete, true);
}

static int join(struct socket *sock)
{
	static const int groups[] = { RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP };
	/* Not a number that a program would choose, which takes its process id. */
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_pid = get_random_u32() | BIT(31) };
	unsigned int i;
	int err;

	/* Unbound, it would not hear what the kernel does on its own. */
	err = sock->ops->bind(sock, (void *)&self, sizeof(self));
	for (i = 0; i < ARRAY_SIZE(groups) && !err; i++) {
		int group = groups[i];

		err = sock->ops->setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
					    KERNEL_SOCKPTR(&group), sizeof(group));
	}
	return err;
}

/**
 * natflow_watch_start() - begin to hear of route changes, or go on after a loss
 * @nn: namespace
 *
 * Context: process, may sleep, natflow_net.lock held, RTNL not held.
 * Return: false if there is no memory; nothing is heard then.
 */
bool natflow_watch_start(struct natflow_net *nn)
{
	struct sock *sk;

	lockdep_assert_held(&nn->lock);
	if (nn->watch && !nn->watch->sk->sk_err)
		return true;
	natflow_watch_stop(nn);
	if (sock_create_kern(nn->net, PF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &nn->watch))
		return false;
	sk = nn->watch->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = nn;
	sk->sk_data_ready = heard;
	sk->sk_error_report = lost;
	write_unlock_bh(&sk->sk_callback_lock);
	if (join(nn->watch)) {
		natflow_watch_stop(nn);
		return false;
	}
	natflow_clock_bump_all(nn);	/* what happened until now was not heard */
	return true;
}

/**
 * natflow_watch_stop() - the reverse
 * @nn: namespace
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_watch_stop(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	if (nn->watch)
		sock_release(nn->watch);	/* waits for deliveries under way */
	nn->watch = NULL;
}
