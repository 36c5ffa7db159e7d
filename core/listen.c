// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes that the kernel's own counters do not show: IPv6 deletions and
 * rules, nexthop objects that lose or change a member, FDB entries and port
 * states of bridges, tc filters and qdiscs, and nftables' generations.
 *
 * natflow receives them as netlink messages, as routing daemons do. The kernel
 * sends a message for each of these changes, after the change and before the
 * command returns. The FIB notifier chain does not report a route that is not
 * the first of its node, and reports multipath routes and rules before it
 * changes them (net/ipv6/ip6_fib.c:fib6_del_route(), net/ipv6/route.c:
 * __ip6_del_rt_siblings(), net/core/fib_rules.c:fib_newrule(), 6.1 to 7.3).
 */
#include <linux/if_bridge.h>
#include <linux/net.h>
#include <linux/netconf.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sock.h>
#include "base/attach.h"
#include "doubt.h"
#include "topo/port.h"
#include "listen.h"

/* Beside enum natflow_doubt: a message about a station waits for read_stations(). */
#define DOUBT_STATION	BIT(31)

/* True if the message reports a bridge port in state forwarding. */
static bool says_forwarding(const struct nlmsghdr *nlh)
{
	struct nlattr *info = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_PROTINFO);
	struct nlattr *state = info ? nla_find_nested(info, IFLA_BRPORT_STATE) : NULL;

	return nlh->nlmsg_type == RTM_NEWLINK && state && nla_len(state) == sizeof(u8) &&
	       nla_get_u8(state) == BR_STATE_FORWARDING;
}

/* A device or a bridge port changed. */
static unsigned int read_link(struct natflow_net *nn, const struct nlmsghdr *nlh)
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

/* Is it about an FDB entry? Bridges report these as neighbours of family AF_BRIDGE. */
static bool says_station(const struct nlmsghdr *nlh)
{
	const struct ndmsg *info = nlmsg_data(nlh);

	return (nlh->nlmsg_type == RTM_NEWNEIGH || nlh->nlmsg_type == RTM_DELNEIGH) &&
	       nlmsg_len(nlh) >= (int)sizeof(*info) && info->ndm_family == AF_BRIDGE;
}

static void read_station(struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	struct nlattr *mac = nlmsg_find_attr(nlh, sizeof(struct ndmsg), NDA_LLADDR);
	struct nlattr *master = nlmsg_find_attr(nlh, sizeof(struct ndmsg), NDA_MASTER);
	int bridge = master && nla_len(master) == sizeof(u32) ? nla_get_u32(master) : 0;

	if (mac && nla_len(mac) == ETH_ALEN)
		natflow_doubt_station(nn, bridge, nla_data(mac), nlh->nlmsg_type == RTM_DELNEIGH);
}

/* Messages about routes, rules and net.*.conf begin with the family. */
static unsigned int family_of(const struct nlmsghdr *nlh)
{
	const struct rtgenmsg *message = nlmsg_data(nlh);

	return nlmsg_len(nlh) >= (int)sizeof(*message) && message->rtgen_family == AF_INET ?
	       NATFLOW_DOUBT_IP4 : NATFLOW_DOUBT_IP6;
}

/* Settings of one device that is down concern no flow: its flows went with it. */
static bool says_settings(const struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	struct nlattr *index = nlmsg_find_attr(nlh, sizeof(struct netconfmsg), NETCONFA_IFINDEX);
	const s32 ifindex = index && nla_len(index) == sizeof(s32) ? nla_get_s32(index) : 0;
	const struct net_device *dev;
	bool up;

	if (ifindex <= 0)	/* of all, or of those to come: these are given to others, too */
		return true;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(nn->net, ifindex);
	up = dev && dev->flags & IFF_UP;
	rcu_read_unlock();
	return up;
}

static unsigned int read_route(struct natflow_net *nn, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return says_station(nlh) ? DOUBT_STATION : 0;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return read_link(nn, nlh);
	case RTM_NEWVLAN:
	case RTM_DELVLAN:
		return NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		natflow_doubt_routes(nn, family_of(nlh), NATFLOW_CAUSE_ROUTE);
		return 0;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		natflow_doubt_routes(nn, family_of(nlh), NATFLOW_CAUSE_RULE);
		return 0;
	case RTM_NEWNETCONF:
	case RTM_DELNETCONF:
		if (says_settings(nn, nlh))
			natflow_doubt_routes(nn, family_of(nlh), NATFLOW_CAUSE_NETCONF);
		return 0;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_NEXTHOP);
		return 0;
	default:
		return NATFLOW_DOUBT_PATHS;	/* tc's */
	}
}

/* Any process with CAP_NET_ADMIN may send here: accept the kernel's messages only. */
static bool is_kernels(const struct sk_buff *skb)
{
	return !NETLINK_CB(skb).portid && nlmsg_ok(nlmsg_hdr(skb), skb->len);
}

static unsigned int read_message(struct natflow_net *nn, int protocol, const struct sk_buff *skb)
{
	if (!is_kernels(skb))
		return 0;
	if (protocol == NETLINK_ROUTE)
		return read_route(nn, nlmsg_hdr(skb));
	if (READ_ONCE(nn->config.revalidate))
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_RULESET);
	return NATFLOW_DOUBT_PATHS;		/* a device may have gained or lost a hook */
}

/* The messages about stations, in their order. */
static void read_stations(struct natflow_net *nn, const struct sk_buff_head *done)
{
	const struct sk_buff *skb;

	skb_queue_walk(done, skb) {
		const struct nlmsghdr *nlh = nlmsg_hdr(skb);

		if (is_kernels(skb) && says_station(nlh))
			read_station(nn, nlh);
	}
}

/*
 * Two CPUs may deliver messages at once. The clocks move and listeners are told
 * under the queue lock, so the CPU that finds the queue empty knows that both
 * happened for its message. Each CPU then checks paths and stations outside the lock:
 *
 *   CPU 0                                CPU 1
 *   queue its bridge message
 *                                        queue any message
 *                                        take both, bridge_checks++
 *   find the queue empty
 *   bridge_checks != 0: check bridges    check bridges, bridge_checks--
 *
 * bridge_checks is 0 while no CPU has a bridge message in hand. Then a CPU
 * without a message of its own leaves paths through bridges alone. path_checks
 * counts the CPUs with any message about paths or stations in the same way.
 *
 * Context: atomic, as a message is delivered.
 */
static void data_ready(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;
	struct sk_buff_head done;
	struct sk_buff *skb;
	unsigned int doubt = 0;
	unsigned long flags;

	__skb_queue_head_init(&done);
	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	if (skb_queue_empty(&sk->sk_receive_queue)) {
		if (atomic_read_acquire(&nn->listen.path_checks))
			doubt = NATFLOW_DOUBT_PATHS;
		if (atomic_read_acquire(&nn->listen.bridge_checks))
			doubt |= NATFLOW_DOUBT_BRIDGES;
	}
	skb_queue_walk(&sk->sk_receive_queue, skb)
		doubt |= read_message(nn, sk->sk_protocol, skb);
	skb_queue_splice_init(&sk->sk_receive_queue, &done);
	if (doubt)
		atomic_inc(&nn->listen.path_checks);
	if (doubt & NATFLOW_DOUBT_BRIDGES)
		atomic_inc(&nn->listen.bridge_checks);
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	if (doubt & DOUBT_STATION)
		read_stations(nn, &done);
	__skb_queue_purge(&done);
	if (!doubt)
		return;
	doubt &= ~DOUBT_STATION;
	if (doubt)
		natflow_doubt(nn, doubt, NATFLOW_CAUSE_DEVICE, NULL);
	if (doubt & NATFLOW_DOUBT_BRIDGES)
		atomic_dec_return_release(&nn->listen.bridge_checks);
	atomic_dec_return_release(&nn->listen.path_checks);
}

/* A message was lost for lack of memory. The tick opens the socket anew. */
static void error_report(struct sock *sk)
{
	struct natflow_net *nn = sk->sk_user_data;

	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_UNHEARD);
	WRITE_ONCE(nn->incomplete, true);
}

static int bind_sock(struct socket *sock)
{
	/* Programs bind to their process id, which never has the highest bit. */
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_pid = get_random_u32() | BIT(31) };

	/* An unbound socket does not get messages that no command caused. */
	return sock->ops->bind(sock, (void *)&self, sizeof(self));
}

static int join(struct socket *sock, const int *group)
{
	int err = 0;

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

/* Open a socket, or open it anew after a loss. @group and @more end with 0. */
static bool listen(struct natflow_net *nn, struct socket **sock, int protocol,
		   const int *group, const int *more)
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
	sk->sk_data_ready = data_ready;
	sk->sk_error_report = error_report;
	write_unlock_bh(&sk->sk_callback_lock);
	if (bind_sock(*sock) || join(*sock, group) || (more && join(*sock, more))) {
		hang_up(sock);
		return false;
	}
	/* No message told what changed before. */
	natflow_doubt(nn, NATFLOW_DOUBT_ROUTES | NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES,
		      NATFLOW_CAUSE_UNHEARD, NULL);
	return true;
}

/**
 * natflow_listen_start() - open the sockets, again after a loss
 * @nn: namespace
 *
 * IPv4 routes move the kernel's counter, which each hit compares. Messages about
 * them are received only while a feature needs every event, because a routing
 * daemon may change thousands of routes.
 *
 * Context: process, may sleep, natflow_net.lock held, RTNL not held.
 * Return: false if a socket is missing, for lack of memory.
 */
bool natflow_listen_start(struct natflow_net *nn)
{
	static const int routes[] = {
		RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, RTNLGRP_LINK,
		RTNLGRP_BRVLAN, RTNLGRP_NEIGH, RTNLGRP_TC, 0
	};
	static const int all_routes[] = {
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, 0
	};
	static const int rulesets[] = { NFNLGRP_NFTABLES, 0 };
	const bool all = natflow_attach_listens(nn);
	bool ok;

	lockdep_assert_held(&nn->lock);
	if (nn->listen.all_routes != all)
		hang_up(&nn->listen.routes);
	nn->listen.all_routes = all;
	ok = listen(nn, &nn->listen.routes, NETLINK_ROUTE, routes, all ? all_routes : NULL);
	return listen(nn, &nn->listen.rulesets, NETLINK_NETFILTER, rulesets, NULL) && ok;
}

/**
 * natflow_listen_stop() - close the sockets
 * @nn: namespace
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_listen_stop(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	hang_up(&nn->listen.routes);
	hang_up(&nn->listen.rulesets);
}
