// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes that the kernel's own counters do not show: IPv6 deletions and
 * rules, nexthop objects that lose or change a member, and, when asked for,
 * new generations of nftables' rules.
 *
 * Heard where every routing daemon hears them, as netlink's messages, because
 * those are sent for all of them, after the change, before the command that
 * made it returns. The FIB notifier chain is silent about a route that was not
 * the first of its node, and speaks before the fact about multipath routes and
 * rules (net/ipv6/ip6_fib.c:fib6_del_route(), net/ipv6/route.c:
 * __ip6_del_rt_siblings(), net/core/fib_rules.c:fib_newrule(), 6.1 to 7.3).
 */
#include <linux/net.h>
#include <linux/netfilter/nfnetlink.h>
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
		/* Anybody with CAP_NET_ADMIN may send us something shorter. */
		u16 type = skb->len < NLMSG_HDRLEN ? 0 : nlmsg_hdr(skb)->nlmsg_type;

		natflow_clock_bump(nn, NFPROTO_IPV6);
		if (sk->sk_protocol != NETLINK_ROUTE || type == RTM_NEWNEXTHOP ||
		    type == RTM_DELNEXTHOP)
			natflow_clock_bump(nn, NFPROTO_IPV4);
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

static int join(struct socket *sock, const int *group)
{
	/* Not a number that a program would choose, which takes its process id. */
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_pid = get_random_u32() | BIT(31) };
	int err;

	/* Unbound, it would not hear what the kernel does on its own. */
	err = sock->ops->bind(sock, (void *)&self, sizeof(self));
	for (; *group && !err; group++) {
		int number = *group;

		err = sock->ops->setsockopt(sock, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
					    KERNEL_SOCKPTR(&number), sizeof(number));
	}
	return err;
}

static void hang_up(struct socket **sock)
{
	if (*sock)
		sock_release(*sock);	/* waits for deliveries under way */
	*sock = NULL;
}

/* Listen, or listen anew if something was lost. @group: ends with 0. */
static bool listen(struct natflow_net *nn, struct socket **sock, int protocol, const int *group)
{
	struct sock *sk;

	if (*sock && !(*sock)->sk->sk_err)
		return true;
	hang_up(sock);
	if (sock_create_kern(nn->net, PF_NETLINK, SOCK_RAW, protocol, sock)) {
		*sock = NULL;
		return false;
	}
	sk = (*sock)->sk;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = nn;
	sk->sk_data_ready = heard;
	sk->sk_error_report = lost;
	write_unlock_bh(&sk->sk_callback_lock);
	if (join(*sock, group)) {
		hang_up(sock);
		return false;
	}
	natflow_clock_bump_all(nn);	/* what happened until now was not heard */
	return true;
}

/**
 * natflow_watch_start() - hear of what the settings ask for, or go on after a loss
 * @nn: namespace
 *
 * Context: process, may sleep, natflow_net.lock held, RTNL not held.
 * Return: false if something cannot be heard, for lack of memory.
 */
bool natflow_watch_start(struct natflow_net *nn)
{
	static const int routes[] = {
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0
	};
	static const int rulesets[] = { NFNLGRP_NFTABLES, 0 };
	bool ok;

	lockdep_assert_held(&nn->lock);
	ok = listen(nn, &nn->routes, NETLINK_ROUTE, routes);
	if (nn->config.revalidate)
		ok &= listen(nn, &nn->rulesets, NETLINK_NETFILTER, rulesets);
	else
		hang_up(&nn->rulesets);
	return ok;
}

/**
 * natflow_watch_stop() - hear nothing any more
 * @nn: namespace
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_watch_stop(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	hang_up(&nn->routes);
	hang_up(&nn->rulesets);
}
