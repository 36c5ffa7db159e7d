// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of natflow_hwnat from a flow that a case describes, without natflow:
 *
 *   echo "bind DEV" > /proc/natrule	and unbind
 *   echo "add NUMBER FAMILY PROTO SRC SPORT DST DPORT SRC SPORT DST DPORT IN L3 OUT MAC
 *	IN L3 OUT MAC"	the tuple of the first direction as it arrives and as it leaves; of each
 *	direction the port that packets arrive at, the device that they are delivered to,
 *	the route's device and the next hop
 *   echo "del NUMBER"; echo "stats NUMBER"
 *   cat /proc/natrule			what the last word had to say
 *
 * Devices are those of the namespace of who writes.
 */
#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <linux/netfilter.h>
#include "natflow_hwnat/rule.c"
#include "natflow_hwnat/path.c"
#include "natflow_hwnat/limits.c"
#include "natflow_hwnat/flowblk.c"

#define PORTS 8

#define REASON_KEY(name, key) key,
static const char * const reasons[] = { NATFLOW_HWNAT_REASONS(REASON_KEY) };
static struct natflow_hwnat_port ports[PORTS];
static DEFINE_MUTEX(turn);
static char told[256];

static struct natflow_hwnat_port *find_port(int ifindex)
{
	int i;

	for (i = 0; i < PORTS; i++)
		if (ports[i].dev && ports[i].dev->ifindex == ifindex)
			return &ports[i];
	return NULL;
}

static void bind_device(struct net *net, const char *name, bool on)
{
	struct net_device *dev = dev_get_by_name(net, name);
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_PATH;
	struct natflow_hwnat_port *port;

	rtnl_lock();
	port = dev ? find_port(on ? 0 : dev->ifindex) : NULL;
	if (dev && on)
		for (port = ports; port->dev; port++)
			;
	if (port && on) {
		port->dev = dev;
		reason = natflow_hwnat_flowblk.bind(port);
		if (reason)
			port->dev = NULL;
		else
			dev_hold(dev);
	} else if (port) {
		natflow_hwnat_flowblk.unbind(port);
		port->dev = NULL;
		dev_put(dev);
		reason = NATFLOW_HWNAT_OK;
	}
	rtnl_unlock();
	dev_put(dev);
	snprintf(told, sizeof(told), "%s\n", reasons[reason]);
}

static bool read_end(u8 family, const char *address, __be32 *to)
{
	return family == NFPROTO_IPV4 ? in4_pton(address, -1, (u8 *)to, -1, NULL) :
					in6_pton(address, -1, (u8 *)to, -1, NULL);
}

static void invert(struct natflow_hw_tuple *to, const struct natflow_hw_tuple *from)
{
	memcpy(to->src, from->dst, sizeof(to->src));
	memcpy(to->dst, from->src, sizeof(to->dst));
	to->sport = from->dport;
	to->dport = from->sport;
}

static bool read_flow(struct natflow_hw_flow *flow, const char *line, unsigned long *cookie)
{
	unsigned int family, proto, port[4], d;
	struct natflow_hw_dir *dir = flow->dir;
	char ip[4][40], mac[2][20];

	if (sscanf(line, "%lu %u %u %39s %u %39s %u %39s %u %39s %u %d %d %d %19s %d %d %d %19s",
		   cookie, &family, &proto, ip[0], &port[0], ip[1], &port[1], ip[2], &port[2],
		   ip[3], &port[3], &dir[0].in, &dir[0].in_l3, &dir[0].out_l3, mac[0], &dir[1].in,
		   &dir[1].in_l3, &dir[1].out_l3, mac[1]) != 19)
		return false;
	flow->family = family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	flow->proto = proto;
	if (!read_end(flow->family, ip[0], dir[0].before.src) ||
	    !read_end(flow->family, ip[1], dir[0].before.dst) ||
	    !read_end(flow->family, ip[2], dir[0].after.src) ||
	    !read_end(flow->family, ip[3], dir[0].after.dst))
		return false;
	dir[0].before.sport = htons(port[0]);
	dir[0].before.dport = htons(port[1]);
	dir[0].after.sport = htons(port[2]);
	dir[0].after.dport = htons(port[3]);
	invert(&dir[1].before, &dir[0].after);
	invert(&dir[1].after, &dir[0].before);
	for (d = 0; d < 2; d++) {
		dir[d].mtu = ETH_MAX_MTU;
		if (!mac_pton(mac[d], dir[d].next_hop))
			return false;
	}
	return true;
}

static struct { unsigned long number; int in[2]; } added[64];

static void add_flow(struct net *net, const char *line)
{
	struct natflow_hw_flow flow = {};
	struct natflow_hwnat_side side[2];
	struct natflow_hwnat_port *port;
	enum natflow_hwnat_reason reason;
	unsigned long number;
	int d, err[2] = {};

	if (!read_flow(&flow, line, &number) || number >= ARRAY_SIZE(added)) {
		strscpy(told, "what?\n", sizeof(told));
		return;
	}
	reason = natflow_hwnat_path_find(net, &flow, side);
	for (d = 0; d < 2 && !reason; d++) {
		struct natflow_hwnat_way way = { &flow, d, &side[!d], &side[d] };

		port = find_port(side[!d].conduit);
		reason = port ? natflow_hwnat_flowblk.check(port, &way) : NATFLOW_HWNAT_NO_FT;
		if (reason)
			break;
		added[number].in[d] = side[!d].conduit;
		err[d] = natflow_hwnat_flowblk.add(port, 2 * number + d, &way);
	}
	snprintf(told, sizeof(told), "%s %d %d\n", reasons[reason], err[0], err[1]);
}

static void ask(unsigned long number, bool del)
{
	struct natflow_hwnat_stats s[2] = {};
	int d, err[2] = {};

	for (d = 0; d < 2 && number < ARRAY_SIZE(added); d++) {
		struct natflow_hwnat_port *port = find_port(added[number].in[d]);

		err[d] = !port ? -ENODEV :
			 del ? natflow_hwnat_flowblk.del(port, 2 * number + d) :
			       natflow_hwnat_flowblk.stats(port, 2 * number + d, &s[d]);
	}
	snprintf(told, sizeof(told), "%d %d %llu %llu %llu %llu\n", err[0], err[1], s[0].packets,
		 s[0].bytes, s[1].packets, s[1].bytes);
}

static ssize_t write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	struct net *net = current->nsproxy->net_ns;
	char line[512] = {}, name[IFNAMSIZ];
	unsigned long number;

	if (size >= sizeof(line) || copy_from_user(line, buf, size))
		return -EFAULT;
	mutex_lock(&turn);
	if (sscanf(line, "bind %15s", name) == 1)
		bind_device(net, name, true);
	else if (sscanf(line, "unbind %15s", name) == 1)
		bind_device(net, name, false);
	else if (sscanf(line, "del %lu", &number) == 1)
		ask(number, true);
	else if (sscanf(line, "stats %lu", &number) == 1)
		ask(number, false);
	else if (!strncmp(line, "add ", 4))
		add_flow(net, line + 4);
	mutex_unlock(&turn);
	return size;
}

static int show(struct seq_file *m, void *v)
{
	mutex_lock(&turn);
	seq_puts(m, told);
	mutex_unlock(&turn);
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static const struct proc_ops ops = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = write,
};

static int __init natrule_init(void)
{
	return proc_create("natrule", 0600, NULL, &ops) ? 0 : -ENOMEM;
}
module_init(natrule_init);

static void __exit natrule_exit(void)
{
	int i;

	remove_proc_entry("natrule", NULL);
	rtnl_lock();
	for (i = 0; i < PORTS; i++)
		if (ports[i].dev) {
			natflow_hwnat_flowblk.unbind(&ports[i]);
			dev_put(ports[i].dev);
		}
	rtnl_unlock();
}
module_exit(natrule_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("rules from a flow that a case describes");
