// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sweep: connections of users who are refused the line now end at once, in conntrack
 * and at both ends, whether anybody speaks on them or not.
 *
 * A connection that it leaves is refused when its next packet comes: one that is
 * confirmed meanwhile, one beyond a client's share of answers, and one of which it is not
 * sure that this host routes it. Packets to this host and bridged ones are not refused
 * either.
 */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include "../core/base/ct.h"
#include "../core/flow/flow.h"
#include "answer.h"
#include "cut.h"
#include "portal.h"
#include "zone.h"

#define SWEEP_DELAY	msecs_to_jiffies(20)	/* changes in a row need one sweep */
#define SWEEP_REST	4	/* times as long as the last one took */

struct sweep {
	struct natflow_access *access;
	struct natflow_users *users;
};

/* One end of a connection: what is sent to it, and which way. */
struct side {
	struct natflow_reset reset;
	struct dst_entry *dst;
};

/* The user who sends direction @d, if it is refused the line. */
static struct natflow_user *find_refused(struct sweep *sweep, const struct nf_conn *ct,
					 unsigned int d, u8 *status)
{
	struct natflow_user_key key;
	struct natflow_user *user;
	union natflow_key from;
	unsigned int zone = 0;

	natflow_ct_key(ct, d, 0, &from);
	natflow_user_key_set(&key, &from, natflow_ct_family(ct));
	while ((user = natflow_users_next(sweep->users, &key, &zone))) {
		*status = natflow_access_judge(sweep->access, user);
		if (natflow_access_refuses(*status))
			return user;
	}
	return NULL;
}

static struct dst_entry *route4(struct net *net, const struct natflow_reset *r)
{
	struct flowi4 fl = {
		.saddr = r->key.v4.addrs.saddr, .daddr = r->key.v4.addrs.daddr,
		.flowi4_mark = r->mark, .flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(net, &fl);

	if (IS_ERR(rt))
		return NULL;
	if (rt->rt_type == RTN_UNICAST && !__ip_dev_find(net, fl.daddr, false))
		return &rt->dst;
	ip_rt_put(rt);
	return NULL;
}

static struct dst_entry *route6(struct net *net, const struct natflow_reset *r)
{
	struct flowi6 fl = {
		.saddr = r->key.v6.addrs.saddr, .daddr = r->key.v6.addrs.daddr,
		.flowi6_mark = r->mark, .flowi6_flags = FLOWI_FLAG_ANYSRC,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl);

	if (!dst->error && !(dst->dev->flags & IFF_LOOPBACK) &&
	    !ipv6_chk_addr(net, &fl.daddr, NULL, 0))
		return dst;
	dst_release(dst);
	return NULL;
}

/* The receiver of direction @d. Return: false if it is this host, or nobody knows the way. */
static bool find_side(struct side *side, struct nf_conn *ct, unsigned int d, u32 mark)
{
	struct net *net = natflow_ct_net(ct);

	memset(side, 0, sizeof(*side));
	side->reset.family = natflow_ct_family(ct);
	side->reset.mark = mark;
	natflow_ct_after(ct, d, &side->reset.key);
	side->dst = side->reset.family == NFPROTO_IPV4 ? route4(net, &side->reset) :
							 route6(net, &side->reset);
	return side->dst;
}

/* As look_at() in natflow_access.c; who has no record is not judged by its MAC here. */
static bool is_free_inside(struct sweep *sweep, const struct side *far, const struct nf_conn *ct,
			   unsigned int d)
{
	struct natflow_zone zone = natflow_zone_of(sweep->access->nn, far->dst->dev);
	u8 status;

	return zone.lan && !find_refused(sweep, ct, !d, &status);
}

/* Does this host route it from that user's device to another one, and refuse to? */
static bool is_refused(struct sweep *sweep, struct nf_conn *ct, unsigned int d,
		       const struct natflow_user *user, u8 status, const struct side side[2])
{
	struct natflow_zone zone = natflow_zone_of(sweep->access->nn, side[0].dst->dev);
	struct natflow_portal_packet p = { .sent = true, .status = status };

	if (side[0].dst->dev == side[1].dst->dev || !zone.lan || zone.id != user->key.zone)
		return false;
	p.s.family = natflow_ct_family(ct);
	p.s.ct = ct;
	p.s.dir = d;
	p.inside = is_free_inside(sweep, &side[1], ct, d);
	return !natflow_portal_passes(sweep->access, &p);
}

/* Return: false if the user has had its share of answers. */
static bool reset_both(struct sweep *sweep, struct nf_conn *ct, unsigned int d,
		       const struct natflow_user *user, struct side side[2])
{
	struct natflow_sharer who;
	u32 sent[2];

	if (!natflow_ct_sent(ct, sent))
		return true;
	natflow_sharer_set(&who, user->key.family, (const u8 *)&user->key.addr,
			   natflow_user_mac(user), side[0].dst->dev->name);
	if (!natflow_rate_allows(sweep->access->answers, &who))
		return false;
	side[0].reset.seq = sent[!d];
	side[0].reset.ack = sent[d];
	side[1].reset.seq = sent[d];
	side[1].reset.ack = sent[!d];
	natflow_answer_reset(natflow_ct_net(ct), side[0].dst, &side[0].reset);
	natflow_answer_reset(natflow_ct_net(ct), side[1].dst, &side[1].reset);
	return true;
}

/* side[0]: the user, who sends direction @d. */
static void cut(struct sweep *sweep, struct nf_conn *ct, unsigned int d,
		const struct natflow_user *user, struct side side[2])
{
	struct natflow_flow *flow = natflow_flow_by_ct(sweep->access->nn, ct);

	if (flow)
		natflow_flow_end(flow, NATFLOW_END_ACCESS);
	if (!reset_both(sweep, ct, d, user, side))
		return;
	natflow_ct_kill(ct);
	atomic64_inc(&sweep->access->cut);
}

static void look_from(struct sweep *sweep, struct nf_conn *ct, unsigned int d)
{
	struct natflow_user *user;
	struct side side[2];
	u8 status;

	user = find_refused(sweep, ct, d, &status);
	if (!user || !find_side(&side[0], ct, !d, 0))
		return;
	/* Rules that choose a line by the connection's mark do so for what leaves the LAN. */
	if (find_side(&side[1], ct, d, natflow_ct_mark(ct))) {
		if (is_refused(sweep, ct, d, user, status, side))
			cut(sweep, ct, d, user, side);
		dst_release(side[1].dst);
	}
	dst_release(side[0].dst);
}

static void look(struct nf_conn *ct, void *arg)
{
	unsigned int d;

	rcu_read_lock();
	local_bh_disable();
	for (d = 0; d < 2; d++)
		if (natflow_ct_alive(ct))
			look_from(arg, ct, d);
	local_bh_enable();
	rcu_read_unlock();
}

/**
 * natflow_cut_sweep() - end the connections of all users who are refused the line
 * @access: the namespace's state, switched on
 * @users: the namespace's
 *
 * Context: process, may sleep; none of natflow's locks held.
 */
void natflow_cut_sweep(struct natflow_access *access, struct natflow_users *users)
{
	struct sweep sweep = { .access = access, .users = users };
	const unsigned long begun = jiffies;

	natflow_ct_walk(access->nn->net, look, &sweep);
	WRITE_ONCE(access->rest, jiffies + SWEEP_REST * (jiffies - begun));
}

/**
 * natflow_cut_soon() - somebody may be refused now who was not: sweep soon
 * @access: the namespace's state
 *
 * In 20 ms, or when the sweeps before have rested: a namespace gets a fifth of a CPU for
 * them, since each walks over the conntracks of all namespaces.
 *
 * Context: any, before natflow_user_net_stop().
 */
void natflow_cut_soon(struct natflow_access *access)
{
	const unsigned long rest = READ_ONCE(access->rest), now = jiffies;
	unsigned long delay = SWEEP_DELAY;

	if (time_after(rest, now + delay))
		delay = rest - now;
	queue_delayed_work(natflow_compat_unbound_wq, &access->sweep, delay);
}
