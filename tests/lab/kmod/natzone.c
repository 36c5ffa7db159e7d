// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks natflow what its packets and hooks would ask about zones, in the network
 * namespace of the process; only with kprobes, by which the functions are found.
 *
 *   cat /proc/natlab_zone	"generation N", then one line a device, "DEV lan|wan N"
 *   echo DEV > /proc/natlab_zone: a masqueraded packet leaves by DEV
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "policy/zone.h"

static typeof(kallsyms_lookup_name) *lookup;

typedef u32 generation_fn(const struct natflow_net *nn);
typedef struct natflow_zone of_fn(const struct natflow_net *nn, const struct net_device *dev);
typedef void masqueraded_fn(struct natflow_net *nn, const struct net_device *dev);

static struct natflow_net *own(void)
{
	unsigned int *id = (void *)lookup("natflow:natflow_net_id");

	return id ? *(struct natflow_net **)net_generic(current->nsproxy->net_ns, *id) : NULL;
}

static int zone_show(struct seq_file *m, void *v)
{
	generation_fn *generation = (void *)lookup("natflow:natflow_zone_generation");
	of_fn *of = (void *)lookup("natflow:natflow_zone_of");
	struct natflow_net *nn = own();
	struct net_device *dev;

	if (!nn || !generation || !of)
		return -ENOENT;
	seq_printf(m, "generation %u\n", generation(nn));
	rcu_read_lock();
	for_each_netdev_rcu(current->nsproxy->net_ns, dev) {
		struct natflow_zone zone = of(nn, dev);

		seq_printf(m, "%s %s %u\n", dev->name, zone.lan ? "lan" : "wan", zone.id);
	}
	rcu_read_unlock();
	return 0;
}

static int zone_open(struct inode *inode, struct file *file)
{
	return single_open(file, zone_show, NULL);
}

static ssize_t zone_write(struct file *file, const char __user *user, size_t n, loff_t *off)
{
	masqueraded_fn *masqueraded = (void *)lookup("natflow:natflow_zone_masqueraded");
	struct natflow_net *nn = own();
	struct net_device *dev;
	char name[IFNAMSIZ] = "";

	if (!nn || !masqueraded)
		return -ENOENT;
	if (!n || n > sizeof(name) || copy_from_user(name, user, n))
		return -EINVAL;
	name[n - 1] = '\0';
	rcu_read_lock();
	dev = dev_get_by_name_rcu(current->nsproxy->net_ns, name);
	local_bh_disable();
	if (dev)
		masqueraded(nn, dev);
	local_bh_enable();
	rcu_read_unlock();
	return dev ? n : -ENODEV;
}

static const struct proc_ops zone_ops = {
	.proc_open = zone_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = zone_write,
};

static int __init natzone_init(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	int err = register_kprobe(&probe);

	if (err)
		return err;
	lookup = (void *)probe.addr;
	unregister_kprobe(&probe);
	return proc_create("natlab_zone", 0600, NULL, &zone_ops) ? 0 : -ENOMEM;
}

static void __exit natzone_exit(void)
{
	remove_proc_entry("natlab_zone", NULL);
}

module_init(natzone_init);
module_exit(natzone_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Asks natflow for zones");
