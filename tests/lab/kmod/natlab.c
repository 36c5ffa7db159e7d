// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lab's own module: puts skbs of any kind in front of a device's RX path,
 * one crafted skb at a time or many plain ones for the bench.
 *
 *   echo "DEV FLAG[,FLAG...] HEXFRAME" > /proc/natlab_inject
 *   echo "DEV FAMILY FLOWS COUNT HEXFRAME" > /proc/natlab_bench; cat it: ns per packet
 *	FAMILY 4 or 6 walks over source ports, 14 or 16 over destination ports,
 *	0 builds and frees the skbs only; each packet's number is written, in
 *	hexadecimal, over the first "########" of the frame, and in binary over "@@@"
 *	at the end of the source's MAC and address
 *   echo "DEV FAMILY FLOWS COUNT HEXFRAME" > /proc/natlab_probe: COUNT packets, one
 *	every PROBE_NS in softirq; cat it, when the last one has left: medians, 99th
 *	percentiles and maxima, in ns, of how long they took and of how late they were
 *   echo "FUNCTION COUNT VALUE" > /proc/natlab_fail: natflow's next COUNT calls of
 *	FUNCTION return VALUE and do nothing, any other line stops that; only with
 *	kprobes, on x86, arm64 and s390
 *
 *   echo "FUNCTION" > /proc/natlab_longest: from now on each call of a kernel's function is
 *	timed; cat it: calls, and ns of the longest one; any other line stops that; only
 *	with kretprobes
 *
 * Devices are looked up in the writer's network namespace.
 */
#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/tcp.h>
#include <linux/uaccess.h>
#include <linux/udp.h>
#include <net/dst_metadata.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/udp.h>

#define FRAME_MAX 66000

enum flag {
	SHARED, CLONED, NONLINEAR, COMPLETE, PARTIAL, UNNECESSARY, DST, NFCT, ENCAP,
	VLAN, GSO, UFO, BADSTART, TSTAMP, MARK, HOLD, FLAGS
};

static const char * const flag_name[FLAGS] = {
	"shared", "cloned", "nonlinear", "complete", "partial", "unnecessary", "dst", "nfct",
	"encap", "vlan", "gso", "ufo", "badstart", "tstamp", "mark", "hold",
};

static u8 frame[FRAME_MAX];
static LIST_HEAD(held);	/* frames that come with the next one, as a driver may hand up many */
static char bench_result[128];
static DEFINE_MUTEX(lock);

/* "a,b=5,c" into a bit set and one value per flag. */
static int parse_flags(char *text, unsigned long *set, unsigned int *value)
{
	char *word;

	*set = 0;
	while ((word = strsep(&text, ","))) {
		char *eq = strchr(word, '=');
		int i;

		if (eq)
			*eq++ = '\0';
		if (!strcmp(word, "plain"))
			continue;
		i = match_string(flag_name, FLAGS, word);
		if (i < 0 || (eq && kstrtouint(eq, 0, &value[i])))
			return -EINVAL;
		*set |= BIT(i);
	}
	return 0;
}

/* Everything behind the Ethernet header in one page fragment, or all linear. */
static struct sk_buff *build(struct net_device *dev, unsigned int len, bool nonlinear)
{
	unsigned int linear = nonlinear ? ETH_HLEN : len;
	struct sk_buff *skb = alloc_skb(linear + NET_SKB_PAD + 64, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, NET_SKB_PAD + NET_IP_ALIGN);
	skb_put_data(skb, frame, linear);
	if (nonlinear) {
		struct page *page = alloc_pages(GFP_KERNEL, get_order(len));

		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		memcpy(page_address(page), frame + linear, len - linear);
		skb_add_rx_frag(skb, 0, page, 0, len - linear, PAGE_SIZE << get_order(len));
	}
	skb->protocol = eth_type_trans(skb, dev);
	return skb;
}

static unsigned int l4_offset(const struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IP) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

static bool is_udp(void)
{
	return frame[12] == 0x08 ? frame[23] == IPPROTO_UDP : frame[20] == IPPROTO_UDP;
}

static void set_gso(struct sk_buff *skb, unsigned int size, bool ufo)
{
	bool v4 = skb->protocol == htons(ETH_P_IP);
	unsigned int payload = skb->len - l4_offset(skb) - (is_udp() ? 8 : 20);

	skb_shinfo(skb)->gso_size = size;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(payload, size);
	if (is_udp())
		skb_shinfo(skb)->gso_type = ufo ? SKB_GSO_UDP : SKB_GSO_UDP_L4;
	else
		skb_shinfo(skb)->gso_type = v4 ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
}

static int decorate(struct sk_buff *skb, unsigned long set, const unsigned int *value)
{
	if (set & BIT(UNNECESSARY))
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (set & BIT(COMPLETE)) {
		skb->csum = skb_checksum(skb, 0, skb->len, 0);
		skb->ip_summed = CHECKSUM_COMPLETE;
	}
	if (set & BIT(PARTIAL)) {
		unsigned int l4 = l4_offset(skb) + (set & BIT(BADSTART) ? 4 : 0);

		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) + l4;
		skb->csum_offset = is_udp() ? offsetof(struct udphdr, check) :
					      offsetof(struct tcphdr, check);
	}
	if (set & (BIT(GSO) | BIT(UFO)))
		set_gso(skb, value[GSO] ?: 1000, set & BIT(UFO));
	if (set & BIT(VLAN))
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), value[VLAN]);
	if (set & BIT(ENCAP))
		skb->encapsulation = 1;
	if (set & BIT(TSTAMP))
		skb->tstamp = ktime_get_real();
	if (set & BIT(MARK))
		skb->mark = value[MARK];
	if (set & BIT(NFCT))
		nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	if (set & BIT(DST)) {
		struct metadata_dst *md = metadata_dst_alloc(0, METADATA_HW_PORT_MUX, GFP_KERNEL);

		if (!md)
			return -ENOMEM;
		skb_dst_set(skb, &md->dst);
	}
	return 0;
}

/* Who else holds a packet must find it as it was. */
static bool untouched(const struct sk_buff *skb, unsigned int len)
{
	u8 *copy = kvmalloc(len, GFP_KERNEL);
	bool same;

	same = copy && skb->len == len - ETH_HLEN &&
	       !skb_copy_bits(skb, 0, copy, skb->len) &&
	       !memcmp(copy, frame + ETH_HLEN, skb->len);
	kvfree(copy);
	return same;
}

static int inject(struct net_device *dev, unsigned int len, unsigned long set,
		  const unsigned int *value)
{
	struct sk_buff *skb = build(dev, len, set & BIT(NONLINEAR)), *other = NULL;
	int err;

	if (!skb)
		return -ENOMEM;
	err = decorate(skb, set, value);
	if (err) {
		kfree_skb(skb);
		return err;
	}
	if (set & BIT(SHARED))
		other = skb_get(skb);
	if (set & BIT(CLONED))
		other = skb_clone(skb, GFP_KERNEL);
	list_add_tail(&skb->list, &held);
	if (set & BIT(HOLD))
		return 0;
	local_bh_disable();
	netif_receive_skb_list(&held);
	local_bh_enable();
	INIT_LIST_HEAD(&held);
	if (other && !untouched(other, len))
		err = -EIO;
	consume_skb(other);
	return err;
}

static char *read_line(const char __user *user, size_t len)
{
	char *text = vmemdup_user(user, len + 1 <= 2 * FRAME_MAX + 256 ? len : 0);

	if (!IS_ERR(text) && len)
		text[len - 1] = '\0';
	return text;
}

static int parse_frame(const char *hex, unsigned int *len)
{
	*len = strlen(hex) / 2;
	if (*len < ETH_HLEN || *len > FRAME_MAX || hex2bin(frame, hex, *len))
		return -EINVAL;
	return 0;
}

static ssize_t inject_write(struct file *f, const char __user *user, size_t n, loff_t *off)
{
	unsigned int value[FLAGS] = {}, len;
	char *text = read_line(user, n), *rest, *name, *flags;
	struct net_device *dev = NULL;
	unsigned long set;
	int err = -EINVAL;

	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&lock);
	rest = text;
	name = strsep(&rest, " ");
	flags = strsep(&rest, " ");
	if (rest && !parse_flags(flags, &set, value) && !parse_frame(rest, &len)) {
		dev = dev_get_by_name(current->nsproxy->net_ns, name);
		err = dev ? inject(dev, len, set, value) : -ENODEV;
		dev_put(dev);
	}
	mutex_unlock(&lock);
	kvfree(text);
	return err ?: n;
}

#define NUMBER_MARK	"########"
#define NUMBER_LEN	8
#define SOURCE_MARK	"@@@"	/* in the source MAC and the source address */
#define SOURCE_LEN	3

/* What to send, and which field of the frame makes a flow of it. */
struct walk {
	struct net_device *dev;
	unsigned int len, flows;
	unsigned int port;	/* its offset */
	unsigned int number;	/* offset of NUMBER_MARK, or 0 */
	unsigned int mac, ip;	/* offsets of SOURCE_MARK; both or none */
	bool drop;
	__be16 vlan_proto;	/* a tag that the device has taken off, or 0 */
	u16 vlan_tci;
	u8 frame[2048];
};

/* The outer VLAN tag goes beside the packet, as most hardware does it. */
static void take_tag(struct walk *w)
{
	struct vlan_ethhdr *eth = (struct vlan_ethhdr *)w->frame;

	w->vlan_proto = 0;
	if (!eth_type_vlan(eth->h_vlan_proto) || w->len < sizeof(*eth))
		return;
	w->vlan_proto = eth->h_vlan_proto;
	w->vlan_tci = ntohs(eth->h_vlan_TCI);
	w->len -= VLAN_HLEN;
	memmove(w->frame + 2 * ETH_ALEN, w->frame + 2 * ETH_ALEN + VLAN_HLEN,
		w->len - 2 * ETH_ALEN);
}

/* Behind Ethernet and what is left of VLAN tags or PPPoE (RFC 2516: 6 bytes, then 2 of PPP). */
static unsigned int l3_offset(const struct walk *w)
{
	__be16 type = ((struct ethhdr *)w->frame)->h_proto;

	if (eth_type_vlan(type))
		return ETH_HLEN + VLAN_HLEN;
	return type == htons(ETH_P_PPP_SES) ? ETH_HLEN + 8 : ETH_HLEN;
}

static unsigned int find_number(const struct walk *w)
{
	unsigned int at;

	for (at = ETH_HLEN; at + NUMBER_LEN <= w->len; at++)
		if (!memcmp(w->frame + at, NUMBER_MARK, NUMBER_LEN))
			return at;
	return 0;
}

/* The mark ends the source MAC and the source address: of each packet another host. */
static void find_source(struct walk *w)
{
	const unsigned int mac = 2 * ETH_ALEN - SOURCE_LEN;
	const unsigned int ip = l3_offset(w) + (w->port - l3_offset(w) >= 40 ? 24 : 16);

	w->mac = memcmp(w->frame + mac, SOURCE_MARK, SOURCE_LEN) ? 0 : mac;
	w->ip = w->mac ? ip - SOURCE_LEN : 0;
}

/* "DEV FAMILY FLOWS COUNT HEXFRAME"; the device is the caller's to put. */
static int parse_walk(const char *text, struct walk *w, unsigned int *count)
{
	unsigned int family, used = 0;
	char name[IFNAMSIZ];

	if (sscanf(text, "%15s %u %u %u %n", name, &family, &w->flows, count, &used) < 4 ||
	    !used || !w->flows || !*count || parse_frame(text + used, &w->len) ||
	    w->len > sizeof(w->frame))
		return -EINVAL;
	memcpy(w->frame, frame, w->len);
	take_tag(w);
	w->drop = !family;
	w->port = l3_offset(w) + (family % 10 == 6 ? 40 : 20) + (family > 10 ? 2 : 0);
	w->number = find_number(w);
	find_source(w);
	w->dev = dev_get_by_name(current->nsproxy->net_ns, name);
	return w->dev ? 0 : -ENODEV;
}

/* The @n-th host. IPv4 has a checksum of its header; that of UDP is taken for right. */
static void put_source(const struct walk *w, struct sk_buff *skb, unsigned int n)
{
	struct iphdr *iph = (struct iphdr *)(skb->data + l3_offset(w));
	const __be32 number = cpu_to_be32(n << 8);

	memcpy(skb->data + w->mac, &number, SOURCE_LEN);
	memcpy(skb->data + w->ip, &number, SOURCE_LEN);
	if (iph->version == 4) {
		iph->check = 0;
		iph->check = ip_fast_csum(iph, iph->ihl);
	}
}

/* A fresh, unshared skb, the @n-th, as a driver would hand it up. Context: BH disabled. */
static void walk_one(const struct walk *w, unsigned int n)
{
	struct sk_buff *skb = netdev_alloc_skb_ip_align(w->dev, w->len + 64);

	if (!skb)
		return;
	skb_put_data(skb, w->frame, w->len);
	*(__be16 *)(skb->data + w->port) = htons(1024 + n % w->flows);
	if (w->number) {
		char text[NUMBER_LEN + 1];

		snprintf(text, sizeof(text), "%08x", n);
		memcpy(skb->data + w->number, text, NUMBER_LEN);
	}
	if (w->ip)
		put_source(w, skb, n);
	skb->protocol = eth_type_trans(skb, w->dev);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (w->vlan_proto)
		__vlan_hwaccel_put_tag(skb, w->vlan_proto, w->vlan_tci);
	if (w->drop)
		kfree_skb(skb);
	else
		netif_receive_skb(skb);
}

static void walk_burst(const struct walk *w, unsigned int from, unsigned int n)
{
	unsigned int i;

	local_bh_disable();
	for (i = from; i < from + n; i++)
		walk_one(w, i);
	local_bh_enable();
}

static ssize_t bench_write(struct file *f, const char __user *user, size_t n, loff_t *off)
{
	static struct walk w;	/* under @lock */
	char *text = read_line(user, n);
	unsigned int count, i;
	ktime_t start;
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&lock);
	err = parse_walk(text, &w, &count);
	if (!err) {
		start = ktime_get();
		for (i = 0; i < count; i += 64) {
			walk_burst(&w, i, min(64U, count - i));
			cond_resched();
		}
		snprintf(bench_result, sizeof(bench_result), "%llu\n",
			 div_u64(ktime_to_ns(ktime_sub(ktime_get(), start)), count));
		dev_put(w.dev);
	}
	mutex_unlock(&lock);
	kvfree(text);
	return err ?: n;
}

#define PROBE_NS	100000
#define PROBES_MAX	8192

static struct {
	struct walk walk;
	struct hrtimer timer;
	struct completion done;
	unsigned int count, sent;
	u32 took[PROBES_MAX], late[PROBES_MAX];
} probe;

static enum hrtimer_restart probe_send(struct hrtimer *timer)
{
	ktime_t begin = ktime_get();

	probe.late[probe.sent] = ktime_to_ns(ktime_sub(begin, hrtimer_get_expires(timer)));
	local_bh_disable();
	walk_one(&probe.walk, probe.sent);
	local_bh_enable();
	probe.took[probe.sent] = ktime_to_ns(ktime_sub(ktime_get(), begin));
	if (++probe.sent == probe.count) {
		complete(&probe.done);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ns_to_ktime(PROBE_NS));
	return HRTIMER_RESTART;
}

static void probe_end(void)
{
	hrtimer_cancel(&probe.timer);
	if (probe.walk.dev)
		dev_put(probe.walk.dev);
	probe.walk.dev = NULL;
}

static ssize_t probe_write(struct file *f, const char __user *user, size_t n, loff_t *off)
{
	char *text = read_line(user, n);
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&lock);
	probe_end();
	err = parse_walk(text, &probe.walk, &probe.count);
	if (!err && probe.count > PROBES_MAX)
		err = -ERANGE;
	if (!err) {
		probe.sent = 0;
		reinit_completion(&probe.done);
		hrtimer_start(&probe.timer, ns_to_ktime(PROBE_NS), HRTIMER_MODE_REL_SOFT);
	}
	mutex_unlock(&lock);
	kvfree(text);
	return err ?: n;
}

static int by_size(const void *a, const void *b)
{
	return *(const u32 *)a < *(const u32 *)b ? -1 : *(const u32 *)a > *(const u32 *)b;
}

static void show_probes(struct seq_file *m, u32 *value)
{
	sort(value, probe.sent, sizeof(*value), by_size, NULL);
	seq_printf(m, "%u %u %u\n", value[probe.sent / 2], value[probe.sent * 99 / 100],
		   value[probe.sent - 1]);
}

static int probe_show(struct seq_file *m, void *v)
{
	if (!probe.walk.dev)
		return -ENODATA;
	if (wait_for_completion_interruptible(&probe.done))
		return -EINTR;
	mutex_lock(&lock);
	probe_end();
	show_probes(m, probe.took);
	show_probes(m, probe.late);
	mutex_unlock(&lock);
	return 0;
}

static int probe_open(struct inode *inode, struct file *f)
{
	return single_open(f, probe_show, NULL);
}

static const struct proc_ops probe_ops = {
	.proc_open = probe_open, .proc_read = seq_read, .proc_lseek = seq_lseek,
	.proc_release = single_release, .proc_write = probe_write,
};

#if defined(CONFIG_KPROBES) && \
	(defined(CONFIG_X86) || defined(CONFIG_ARM64) || defined(CONFIG_S390))
static char fail_name[64];
static struct kprobe fail_probe;
static atomic_t fail_count;
static long fail_value;

/* Runs in place of the function. */
static noinline long fail_instead(void)
{
	return READ_ONCE(fail_value);
}

/* At a function's first instruction: where it will return to. */
static void *fail_caller(struct pt_regs *regs)
{
#if defined(CONFIG_X86)
	return *(void **)kernel_stack_pointer(regs);
#elif defined(CONFIG_ARM64)
	return (void *)procedure_link_pointer(regs);
#else
	return (void *)regs->gprs[14];
#endif
}

static int fail_enter(struct kprobe *probe, struct pt_regs *regs)
{
	char caller[KSYM_SYMBOL_LEN];

	snprintf(caller, sizeof(caller), "%pB", fail_caller(regs));
	if (!strstr(caller, "[natflow]") || atomic_dec_if_positive(&fail_count) < 0)
		return 0;
	instruction_pointer_set(regs, (unsigned long)fail_instead);
	return 1;
}

static void fail_stop(void)
{
	if (fail_probe.addr)
		unregister_kprobe(&fail_probe);
	memset(&fail_probe, 0, sizeof(fail_probe));
}

static ssize_t fail_write(struct file *f, const char __user *user, size_t n, loff_t *off)
{
	char text[128];
	int count, err = 0;

	if (n >= sizeof(text) || copy_from_user(text, user, n))
		return -EFAULT;
	text[n] = '\0';
	mutex_lock(&lock);
	fail_stop();
	if (sscanf(text, "%63s %d %ld", fail_name, &count, &fail_value) == 3) {
		atomic_set(&fail_count, count);
		fail_probe.symbol_name = fail_name;
		fail_probe.pre_handler = fail_enter;
		err = register_kprobe(&fail_probe);
		if (err)
			memset(&fail_probe, 0, sizeof(fail_probe));
	}
	mutex_unlock(&lock);
	return err ?: n;
}

static const struct proc_ops fail_ops = { .proc_write = fail_write };

static void fail_init(void)
{
	proc_create("natlab_fail", 0200, NULL, &fail_ops);
}

static void fail_exit(void)
{
	remove_proc_entry("natlab_fail", NULL);
	fail_stop();
}
#else
static void fail_init(void) { }
static void fail_exit(void) { }
#endif

#ifdef CONFIG_KRETPROBES
static char longest_name[64];
static struct kretprobe longest;
static atomic64_t longest_calls, longest_ns;

static int longest_enter(struct kretprobe_instance *call, struct pt_regs *regs)
{
	*(u64 *)call->data = ktime_get_ns();
	return 0;
}

static int longest_leave(struct kretprobe_instance *call, struct pt_regs *regs)
{
	const u64 took = ktime_get_ns() - *(u64 *)call->data;

	atomic64_inc(&longest_calls);
	if (took > atomic64_read(&longest_ns))
		atomic64_set(&longest_ns, took);	/* of one CPU */
	return 0;
}

static void longest_stop(void)
{
	if (longest.kp.addr)
		unregister_kretprobe(&longest);
	memset(&longest, 0, sizeof(longest));
}

static ssize_t longest_write(struct file *f, const char __user *user, size_t n, loff_t *off)
{
	char text[sizeof(longest_name)];
	int err;

	if (n >= sizeof(text) || copy_from_user(text, user, n))
		return -EFAULT;
	text[n] = '\0';
	mutex_lock(&lock);
	longest_stop();
	strscpy(longest_name, strim(text), sizeof(longest_name));
	atomic64_set(&longest_calls, 0);
	atomic64_set(&longest_ns, 0);
	longest.kp.symbol_name = longest_name;
	longest.entry_handler = longest_enter;
	longest.handler = longest_leave;
	longest.data_size = sizeof(u64);
	err = *longest_name ? register_kretprobe(&longest) : 0;
	if (err)
		memset(&longest, 0, sizeof(longest));
	mutex_unlock(&lock);
	return err ?: n;
}

static int longest_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%lld %lld\n", atomic64_read(&longest_calls), atomic64_read(&longest_ns));
	return 0;
}

static int longest_open(struct inode *inode, struct file *f)
{
	return single_open(f, longest_show, NULL);
}

static const struct proc_ops longest_ops = {
	.proc_open = longest_open, .proc_read = seq_read, .proc_lseek = seq_lseek,
	.proc_release = single_release, .proc_write = longest_write,
};

static void longest_init(void)
{
	proc_create("natlab_longest", 0600, NULL, &longest_ops);
}

static void longest_exit(void)
{
	remove_proc_entry("natlab_longest", NULL);
	longest_stop();
}
#else
static void longest_init(void) { }
static void longest_exit(void) { }
#endif

static int bench_show(struct seq_file *m, void *v)
{
	seq_puts(m, bench_result);
	return 0;
}

static int bench_open(struct inode *inode, struct file *f)
{
	return single_open(f, bench_show, NULL);
}

static const struct proc_ops inject_ops = { .proc_write = inject_write };
static const struct proc_ops bench_ops = {
	.proc_open = bench_open, .proc_read = seq_read, .proc_lseek = seq_lseek,
	.proc_release = single_release, .proc_write = bench_write,
};

static int __init natlab_init(void)
{
	proc_create("natlab_inject", 0200, NULL, &inject_ops);
	proc_create("natlab_bench", 0600, NULL, &bench_ops);
	init_completion(&probe.done);
	natlab_hrtimer_setup(&probe.timer, probe_send, HRTIMER_MODE_REL_SOFT);
	proc_create("natlab_probe", 0600, NULL, &probe_ops);
	fail_init();
	longest_init();
	return 0;
}

static void __exit natlab_exit(void)
{
	fail_exit();
	longest_exit();
	remove_proc_entry("natlab_inject", NULL);
	remove_proc_entry("natlab_bench", NULL);
	remove_proc_entry("natlab_probe", NULL);
	probe_end();
}

module_init(natlab_init);
module_exit(natlab_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("natflow's lab: injects packets");
