// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes that the kernel's own counters do not show: IPv6 deletions and
 * rules, nexthop objects that lose or change a member, stations and port states
 * of bridges, tc's filters and queues, and generations of nftables' rules.
 *
 * Heard where every routing daemon hears them, as netlink's messages, because
 * those are sent for all of them, after the change, before the command that
 * made it returns. The FIB notifier chain is silent about a route that was not
 * the first of its node, and speaks before the fact about multipath routes and
 * rules (net/ipv6/ip6_fib.c:fib6_del_route(), net/ipv6/route.c:
 * __ip6_del_rt_siblings(), net/core/fib_rules.c:fib_newrule(), 6.1 to 7.3).
 */
#include <linux/if_bridge.h>
#include <linux/net.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "doubt.h"
#include "topo/port.h"
#include "watch.h"

/* Is this about a port of a bridge that forwards? */
static bool says_forwarding(const struct nlmsghdr *nlh)
{
	struct nlattr *info = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_PROTINFO);
	struct nlattr *state = info ? nla_find_nested(info, IFLA_BRPORT_STATE) : NULL;

	return nlh->nlmsg_type == RTM_NEWLINK && state && nla_len(state) == sizeof(u8) &&
	       nla_get_u8(state) == BR_STATE_FORWARDING;
}

/* A device's settings, or a bridge's word about a port. */
static unsigned int hear_link(struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *info = nlmsg_data(nlh);
	const struct net_device *dev;
	bool bridge;

	if (nlmsg_len(nlh) < (int)sizeof(*info))
		return 0;
	if (info->ifi_family == AF_BRIDGE) {
		natflow_port_forwards(nn, info->ifi_index, says_forwarding(nlh));
		return NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES;
	}
	rcu_read_lock();
	dev = dev_get_by_index_rcu(nn->net, info->ifi_index);
	bridge = dev && netif_is_bridge_master(dev);
	rcu_read_unlock();
	return bridge ? NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES : NATFLOW_DOUBT_PATHS;
}

/* A bridge's word about a station is among other neighbours'. */
static unsigned int hear_neighbour(struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	const struct ndmsg *info = nlmsg_data(nlh);

	if (nlmsg_len(nlh) < (int)sizeof(*info) || info->ndm_family != AF_BRIDGE)
		return 0;
	if (nlh->nlmsg_type == RTM_DELNEIGH)
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);	/* its packets refresh the FDB */
	return NATFLOW_DOUBT_PATHS;
}

static unsigned int hear_route(struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return hear_neighbour(nn, nlh);
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return hear_link(nn, nlh);
	case RTM_NEWVLAN:
	case RTM_DELVLAN:
		return NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWRULE:
	case RTM_DELRULE:
		natflow_doubt_routes(nn, NATFLOW_DOUBT_IP6);
		return 0;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
		return 0;
	default:
		return NATFLOW_DOUBT_PATHS;	/* tc's */
	}
}

static unsigned int hear(struct natflow_net *nn, int protocol, const struct sk_buff *skb)
{
	/* Anybody with CAP_NET_ADMIN may send us something; only the kernel is believed. */
	if (NETLINK_CB(skb).portid || !nlmsg_ok(nlmsg_hdr(skb), skb->len))
		return 0;
	if (protocol == NETLINK_ROUTE)
		return hear_route(nn, nlmsg_hdr(skb));
	if (READ_ONCE(nn->config.revalidate))
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
	return NATFLOW_DOUBT_PATHS;		/* a hook of a device may have come or gone */
}

/*
 * The clocks move under the queue's lock: a sender that finds its message
 * taken by another one returns only when the other has moved them. Paths are
 * checked outside of it, by both, and bridges too while the other may not be
 * done with what it heard of them.
 *
 * Context: atomic, as a message is delivered.
 */
static void heard(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;
	struct sk_buff_head done;
	struct sk_buff *skb;
	unsigned int doubt = 0;
	unsigned long flags;

	__skb_queue_head_init(&done);
	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	if (skb_queue_empty(&sk->sk_receive_queue))
		doubt = NATFLOW_DOUBT_PATHS | (atomic_read_acquire(&nn->bridge_checks) ? NATFLOW_DOUBT_BRIDGES : 0);
	skb_queue_walk(&sk->sk_receive_queue, skb)
		doubt |= hear(nn, sk->sk_protocol, skb);
	skb_queue_splice_init(&sk->sk_receive_queue, &done);
	if (doubt & NATFLOW_DOUBT_BRIDGES)
		atomic_inc(&nn->bridge_checks);
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	__skb_queue_purge(&done);
	if (!doubt)
		return;
	natflow_doubt(nn, doubt, NULL);
	if (doubt & NATFLOW_DOUBT_BRIDGES)
		atomic_dec_return_release(&nn->bridge_checks);
}

/* A message could not be made or queued, and from now on none will be. */
static void lost(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;

	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);
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
	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES);	/* no message told what changed before */
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
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, RTNLGRP_LINK,
		RTNLGRP_BRVLAN, RTNLGRP_NEIGH, RTNLGRP_TC, 0
	};
	static const int rulesets[] = { NFNLGRP_NFTABLES, 0 };
	bool ok;

	lockdep_assert_held(&nn->lock);
	ok = listen(nn, &nn->routes, NETLINK_ROUTE, routes);
	return listen(nn, &nn->rulesets, NETLINK_NETFILTER, rulesets) && ok;
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
