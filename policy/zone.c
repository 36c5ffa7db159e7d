// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which zone a device is in. Packets ask often, so answers are kept, by ifindex and the
 * generation in which they were true. New lines, device events and a worker compare the
 * kept answers with the truth, and begin a generation if one changed. The worker runs a
 * tick after a question, and not at all without questions.
 */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "../core/base/charge.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../lib/text/zone.h"
#include "uplink.h"
#include "zone.h"

#define TICK		(HZ / 8)
#define MASQUERADING_MAX 32
#define MASTERS_MAX	8	/* a port of a bond that is a port of a bridge, and so on */

struct natflow_zones {
	struct natflow_net *nn;
	struct natflow_zone_lines __rcu *lines;	/* NULL: none; written with the door's lock */
	atomic_t generation;		/* of answers; never 0 */
	u32 reviewed;			/* jiffies of the last comparison of all answers */
	bool asked;			/* since then */
	struct delayed_work review;
	struct xarray known;		/* by ifindex, see pack(); written with its lock, BH off */
	int masquerading[MASQUERADING_MAX];	/* ifindexes, 0: free; cmpxchg() */
};

struct verdict {
	struct natflow_zone zone;
	const struct natflow_zone_line *line;	/* that names @by; or NULL */
	const struct net_device *by;	/* the device itself, or the one it is a port of */
	const char *why;		/* without a line */
};

static struct natflow_zones *zones(const struct natflow_net *nn)
{
	return smp_load_acquire(&nn->zones);	/* pairs with make() */
}

static void begin_generation(struct natflow_zones *z)
{
	if (!atomic_inc_return(&z->generation))
		atomic_inc(&z->generation);
}

static int *masquerading_slot(struct natflow_zones *z, int ifindex)
{
	unsigned int i;

	for (i = 0; z && i < MASQUERADING_MAX; i++)
		if (READ_ONCE(z->masquerading[i]) == ifindex)
			return &z->masquerading[i];
	return NULL;
}

/* The bridge, bond or team that @dev is a port of. A VRF has no part in the L2 path. */
static const struct net_device *master_of(const struct net_device *dev)
{
	struct net_device *master = netdev_master_upper_dev_get_rcu((struct net_device *)dev);

	return master && !netif_is_l3_master(master) ? master : NULL;
}

/* Context: RCU read side. */
static void judge(struct natflow_zones *z, const struct net_device *dev, struct verdict *v)
{
	const struct natflow_zone_lines *lines = z ? rcu_dereference(z->lines) : NULL;
	const struct net_device *up = dev;
	unsigned int n;
	u8 family;

	memset(v, 0, sizeof(*v));
	for (n = 0; up && n < MASTERS_MAX; n++) {
		v->by = up;
		v->line = lines ? natflow_zone_lines_find(lines, up->name) : NULL;
		if (v->line) {
			v->zone.id = v->line->id;
			v->zone.lan = v->line->lan;
			return;
		}
		up = master_of(up);
	}
	family = natflow_uplink_family(v->by);
	if (v->by->flags & IFF_LOOPBACK)
		v->why = "loopback";
	else if (family)
		v->why = family == NFPROTO_IPV4 ? "IPv4 default route" : "IPv6 default route";
	else if (masquerading_slot(z, v->by->ifindex))
		v->why = "masqueraded";
	v->zone.lan = !v->why;
}

/* An answer as a value of the xarray, which has 31 bits or more. */
static void *pack(u32 generation, struct natflow_zone zone)
{
	return xa_mk_value((generation & 0x7fffff) << 8 | zone.lan << 7 | zone.id);
}

static struct natflow_zone unpack(const void *known)
{
	const unsigned long value = xa_to_value(known);

	return (struct natflow_zone) { .id = value & 0x7f, .lan = value >> 7 & 1 };
}

static bool is_of(const void *known, u32 generation)
{
	return known && xa_to_value(known) >> 8 == (generation & 0x7fffff);
}

/*
 * Compare the kept answer about a device with the truth. The answer about a device that
 * is gone is dropped. Return: it is not true any more.
 */
static bool is_outdated(struct natflow_zones *z, int ifindex)
{
	const void *known = xa_load(&z->known, ifindex);
	const u32 generation = atomic_read(&z->generation);
	const struct net_device *dev;
	struct verdict v;
	bool outdated = false;

	if (!known)
		return false;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(z->nn->net, ifindex);
	if (!dev) {
		xa_erase_bh(&z->known, ifindex);
	} else if (is_of(known, generation)) {
		judge(z, dev, &v);
		outdated = known != pack(generation, v.zone);
	}
	rcu_read_unlock();
	return outdated;
}

static void compare(struct natflow_zones *z, int ifindex)
{
	if (is_outdated(z, ifindex))
		begin_generation(z);
}

/* Context: process. */
static void compare_all(struct natflow_zones *z)
{
	const u32 now = jiffies;
	unsigned long ifindex;
	bool outdated = false;
	void *known;

	xa_for_each(&z->known, ifindex, known) {
		outdated |= is_outdated(z, ifindex);
		cond_resched();
	}
	if (outdated)
		begin_generation(z);
	WRITE_ONCE(z->reviewed, now);
}

static void review(struct work_struct *work)
{
	struct natflow_zones *z = container_of(to_delayed_work(work), struct natflow_zones,
					       review);

	WRITE_ONCE(z->asked, false);
	compare_all(z);
}

static struct natflow_zones *make(struct natflow_net *nn, gfp_t gfp)
{
	struct natflow_zones *z = kzalloc(sizeof(*z), gfp), *other;

	if (!z)
		return NULL;
	z->nn = nn;
	z->reviewed = jiffies;
	atomic_set(&z->generation, 1);
	INIT_DELAYED_WORK(&z->review, review);
	xa_init_flags(&z->known, XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	other = cmpxchg(&nn->zones, NULL, z);
	if (!other)
		return z;
	kfree(z);
	return other;
}

/* Context: process or softirq; the memory is the payer's. */
static struct natflow_zones *make_for_packet(struct natflow_net *nn)
{
	struct mem_cgroup *before = natflow_charge_begin(nn);
	struct natflow_zones *z = make(nn, NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	return z;
}

/* Without memory the next packet tries again. */
static void keep(struct natflow_zones *z, int ifindex, void *known)
{
	struct mem_cgroup *before = natflow_charge_begin(z->nn);

	xa_store_bh(&z->known, ifindex, known, NATFLOW_GFP_PACKET);
	natflow_charge_end(before);
}

static void ask(struct natflow_zones *z)
{
	if (READ_ONCE(z->asked))
		return;
	WRITE_ONCE(z->asked, true);
	schedule_delayed_work(&z->review, TICK);
}

/**
 * natflow_zone_of() - the zone of a device
 * @nn: namespace
 * @dev: any device of it
 *
 * A change of lines or of the device itself counts from now on; one of default routes, or
 * of the device above, at the latest a tick later.
 *
 * Context: RCU read side, process or softirq, interrupts on.
 */
struct natflow_zone natflow_zone_of(const struct natflow_net *nn, const struct net_device *dev)
{
	struct natflow_zones *z = zones(nn) ?: make_for_packet(natflow_net(nn->net));
	struct verdict v;
	u32 generation;
	void *known;

	if (!z) {
		judge(z, dev, &v);
		return v.zone;
	}
	ask(z);
	generation = atomic_read_acquire(&z->generation);
	known = xa_load(&z->known, dev->ifindex);
	if (likely(is_of(known, generation)) &&
	    (u32)jiffies - READ_ONCE(z->reviewed) <= 2 * TICK)
		return unpack(known);
	judge(z, dev, &v);
	if (is_of(known, generation) && known != pack(generation, v.zone))
		begin_generation(z);	/* nobody asked for long; it changed meanwhile */
	keep(z, dev->ifindex, pack(generation, v.zone));
	return v.zone;
}

/**
 * natflow_zone_generation() - a number that changes when a device has another zone
 * @nn: namespace
 *
 * Read it before the zone of a device: while it stays the same, so does the zone. It is
 * 0 until the first question, and while there is no memory to keep answers.
 *
 * Context: any.
 */
u32 natflow_zone_generation(const struct natflow_net *nn)
{
	struct natflow_zones *z = zones(nn);

	if (!z)
		return 0;
	ask(z);
	return atomic_read_acquire(&z->generation);
}

/**
 * natflow_zone_masqueraded() - a packet leaves, and got the address of its device
 * @nn: namespace
 * @dev: device by which it leaves
 *
 * Remembered until the device goes. A line for the device has more weight.
 *
 * Context: RCU read side, process or softirq, interrupts on.
 */
void natflow_zone_masqueraded(struct natflow_net *nn, const struct net_device *dev)
{
	struct natflow_zones *z = zones(nn) ?: make_for_packet(nn);
	unsigned int i;

	if (!z || masquerading_slot(z, dev->ifindex))
		return;
	for (i = 0; i < MASQUERADING_MAX; i++) {
		if (cmpxchg(&z->masquerading[i], 0, dev->ifindex))
			continue;
		compare(z, dev->ifindex);
		return;
	}
	natflow_log_once(nn, NATFLOW_LOG_WARN,
			 "more than %u devices masquerade: name the others with wan_zone",
			 MASQUERADING_MAX);
}

/**
 * natflow_zone_start() - memory for lines and answers
 * @nn: namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int natflow_zone_start(struct natflow_net *nn)
{
	return zones(nn) || make(nn, GFP_KERNEL_ACCOUNT) ? 0 : -ENOMEM;
}

/**
 * natflow_zone_lines() - the lines that are in force
 * @nn: namespace
 *
 * Context: process, the door's lock held.
 * Return: the lines, or NULL if there never was one.
 */
const struct natflow_zone_lines *natflow_zone_lines(const struct natflow_net *nn)
{
	struct natflow_zones *z = zones(nn);

	return z ? rcu_dereference_protected(z->lines, true) : NULL;
}

/**
 * natflow_zone_set_lines() - replace the lines
 * @nn: namespace for which natflow_zone_start() had memory
 * @lines: taken over
 *
 * When it returns they are in force for the next packet.
 *
 * Context: process, may sleep, the door's lock held.
 */
void natflow_zone_set_lines(struct natflow_net *nn, struct natflow_zone_lines *lines)
{
	struct natflow_zones *z = zones(nn);

	lines = rcu_replace_pointer(z->lines, lines, true);
	synchronize_rcu();	/* answers by the old lines have been kept */
	kfree(lines);
	compare_all(z);
}

/**
 * natflow_zone_update() - look at all devices again
 * @nn: namespace
 *
 * Context: process.
 */
void natflow_zone_update(struct natflow_net *nn)
{
	struct natflow_zones *z = zones(nn);

	if (z)
		compare_all(z);
}

static void print(struct natflow_net *nn, const struct net_device *dev)
{
	char line[NATFLOW_ZONE_TEXT_MAX], of[IFNAMSIZ + 8] = "";
	struct verdict v;

	rcu_read_lock();
	judge(zones(nn), dev, &v);
	if (v.by != dev)
		snprintf(of, sizeof(of), " of %s", v.by->name);
	natflow_log(nn, NATFLOW_LOG_ERROR, "zone %s %s %u: %s%s", dev->name,
		    v.zone.lan ? "lan" : "wan", v.zone.id,
		    v.line ? natflow_zone_line_text(v.line, line) :
			     v.why ?: "no default route, not masqueraded", of);
	rcu_read_unlock();
}

/**
 * natflow_zone_print() - the zone of every device, and why, to the log
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_zone_print(struct natflow_net *nn)
{
	struct net_device *dev;

	rtnl_lock();
	for_each_netdev(nn->net, dev)
		print(nn, dev);
	rtnl_unlock();
}

static void forget_device(struct natflow_zones *z, int ifindex)
{
	int *slot = masquerading_slot(z, ifindex);

	if (slot)
		cmpxchg(slot, ifindex, 0);
}

/* Context: RTNL. */
static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_zones *z = zones(natflow_net(dev_net(dev)));

	if (!z)
		return NOTIFY_DONE;
	switch (event) {
	case NETDEV_UNREGISTER:
		forget_device(z, dev->ifindex);
		fallthrough;
	case NETDEV_REGISTER:
	case NETDEV_CHANGENAME:
	case NETDEV_CHANGEUPPER:
		compare(z, dev->ifindex);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block netdev_nb = { .notifier_call = netdev_event };

/**
 * natflow_zone_init() - hear of devices, for all namespaces
 *
 * Context: after the pernet operations are registered.
 * Return: 0 or an errno.
 */
int __init natflow_zone_init(void)
{
	return register_netdevice_notifier(&netdev_nb);
}

/**
 * natflow_zone_exit() - do not hear of them any more
 */
void natflow_zone_exit(void)
{
	unregister_netdevice_notifier(&netdev_nb);
}

/**
 * natflow_zone_net_stop() - stop the worker
 * @nn: namespace whose packets and files are gone
 *
 * Context: process, may sleep.
 */
void natflow_zone_net_stop(struct natflow_net *nn)
{
	if (nn->zones)
		cancel_delayed_work_sync(&nn->zones->review);
}

/**
 * natflow_zone_net_exit() - free what natflow_zone_start() allocated
 * @nn: namespace without packets, files and workers
 */
void natflow_zone_net_exit(struct natflow_net *nn)
{
	if (!nn->zones)
		return;
	xa_destroy(&nn->zones->known);
	kfree(rcu_dereference_protected(nn->zones->lines, true));
	kfree(nn->zones);
}
