/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes older kernels look like the newest one. Included before every source
 * file; the only place that knows kernel versions.
 */
#ifndef _NATFLOW_COMPAT_H
#define _NATFLOW_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "natflow needs Linux 6.1 or newer"
#endif

/*
 * Kernels built with automatic zeroing of stack variables would do it to every
 * packet's context; the compilers since gcc 12 can be told.
 */
#if __has_attribute(__uninitialized__)
#define natflow_uninitialized __attribute__((__uninitialized__))
#else
#define natflow_uninitialized
#endif

/* 6.10 took the source argument away: the string is known from __string(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define natflow_assign_str(field, src) __assign_str(field, src)
#else
#define natflow_assign_str(field, src) __assign_str(field)
#endif

/* 6.17 gave each SHA-2 a context of its own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define sha256_ctx sha256_state
#endif

/*
 * 7.0 has keys of AES for encryption only, and its aes_encrypt() uses tables. Older
 * kernels have the tables in "aes-generic", but no function that uses them without a
 * transform.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define aes_enckey crypto_aes_ctx
#define aes_prepareenckey aes_expandkey
#define NATFLOW_COMPAT_AES_TABLES IS_ENABLED(CONFIG_CRYPTO_AES)
#else
#define NATFLOW_COMPAT_AES_TABLES 0
#endif

/* 6.11 made what handlers of sysctls get constant... */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define natflow_compat_ctl_table struct ctl_table
#else
#define natflow_compat_ctl_table const struct ctl_table
#endif

/* ...and 6.6 counts their entries instead of looking for an empty one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define natflow_compat_register_sysctl(path, table, count) register_sysctl(path, table)
#else
#define natflow_compat_register_sysctl register_sysctl_sz
#endif

/* 6.6 put the attributes of a dump's request into a genl_info. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define natflow_compat_dump_attrs(cb) (genl_dumpit_info(cb)->attrs)
#else
#define natflow_compat_dump_attrs(cb) (genl_dumpit_info(cb)->info.attrs)
#endif

/* 6.6 gave tc's hooks to BPF too. @way: ingress or egress. */
#ifndef CONFIG_NET_CLS_ACT
#define natflow_compat_tc(dev, way) false
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define natflow_compat_tc(dev, way) rcu_access_pointer((dev)->miniq_##way)
#else
#define natflow_compat_tc(dev, way) rcu_access_pointer((dev)->tcx_##way)
#endif
#define natflow_compat_has_tc(dev) \
	(natflow_compat_tc(dev, ingress) || natflow_compat_tc(dev, egress))

/* What sees a packet before a device's queue: tc's and netfilter's hooks at its egress. */
#ifndef CONFIG_NETFILTER_EGRESS
#define natflow_compat_has_nf_egress(dev) false
#else
#define natflow_compat_has_nf_egress(dev) rcu_access_pointer((dev)->nf_hooks_egress)
#endif
#define natflow_compat_has_egress(dev) \
	(natflow_compat_tc(dev, egress) || natflow_compat_has_nf_egress(dev))

/* 6.15 gave taps a function for who is under RCU already. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define natflow_compat_is_tapped dev_nit_active
#else
#define natflow_compat_is_tapped dev_nit_active_rcu
#endif

/* Bits that netdev_core_pick_tx() and tc keep in a packet. */
#ifdef CONFIG_XPS
#define natflow_compat_set_sender(skb, cpu) \
	((skb)->sender_cpu - 1 >= MIN_NAPI_ID - 1 ? (void)((skb)->sender_cpu = (cpu) + 1) : (void)0)
#else
#define natflow_compat_set_sender(skb, cpu) ((void)(skb))
#endif
#ifdef CONFIG_NET_CLS_ACT
#define natflow_compat_leave_ingress(skb) ((skb)->tc_at_ingress = 0)
#else
#define natflow_compat_leave_ingress(skb) ((void)(skb))
#endif

/* Newer kernels mark super-packets whose CWR bit belongs to each segment (RFC 9768). */
#include <linux/netdev_features.h>
#ifdef NETIF_F_GSO_ACCECN
#define NATFLOW_COMPAT_GSO_ACCECN SKB_GSO_TCP_ACCECN
#else
#define NATFLOW_COMPAT_GSO_ACCECN 0
#endif

/* Set on packets that IPVS forwards; kernels without IPVS do not have the bit. */
#if IS_ENABLED(CONFIG_IP_VS)
#define natflow_compat_is_ipvs(skb) ((skb)->ipvs_property)
#else
#define natflow_compat_is_ipvs(skb) false
#endif

/* The largest fragment of a packet that bridge netfilter has joined, or 0. */
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
#include <linux/netfilter_bridge.h>
#define natflow_compat_bridged_fragment(skb) \
	(nf_bridge_info_get(skb) ? nf_bridge_info_get(skb)->frag_max_size : 0)
#else
#define natflow_compat_bridged_fragment(skb) 0
#endif

/* 6.17 has devices that forward IPv6 though the namespace does not. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define natflow_compat_force_forwarding(conf) false
#else
#define natflow_compat_force_forwarding(conf) READ_ONCE((conf)->force_forwarding)
#endif

/*
 * 6.18 lets PREEMPT_RT run softirqs without their per-CPU lock. Then BH-disabled
 * sections of one CPU interleave: another packet may come between two hooks.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0) && defined(CONFIG_PREEMPT_RT) && \
	!defined(CONFIG_PREEMPT_RT_NEEDS_BH_LOCK)
#define NATFLOW_COMPAT_INTERLEAVES 1
#else
#define NATFLOW_COMPAT_INTERLEAVES 0
#endif

/* IPv4 routes by three bits of the TOS in 6.1, by all six of the DSCP in 6.12. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define NATFLOW_COMPAT_TOS IPTOS_RT_MASK
#else
#define NATFLOW_COMPAT_TOS INET_DSCP_MASK
#endif

/* 6.13 and 6.18 gave the DSCP a type of its own: as an argument, and in a flow's key. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define natflow_compat_route_input ip_route_input_noref
#else
#define natflow_compat_route_input(skb, daddr, saddr, tos, dev) \
	ip_route_input_noref(skb, daddr, saddr, inet_dsfield_to_dscp(tos), dev)
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define natflow_compat_set_tos(fl4, tos) ((fl4)->flowi4_tos = (tos) & NATFLOW_COMPAT_TOS)
#define natflow_compat_unbound_wq system_unbound_wq
#else
#define natflow_compat_unbound_wq system_dfl_wq	/* the other warns in 7.3 */
#define natflow_compat_set_tos(fl4, tos) ((fl4)->flowi4_dscp = inet_dsfield_to_dscp(tos))
#endif

/* Kernels without IPsec or policy routing do not have these members. */
#ifdef CONFIG_XFRM
#define natflow_compat_has_policy(net, dir) \
	(READ_ONCE((net)->xfrm.policy_count[dir]) || \
	 READ_ONCE((net)->xfrm.policy_default[dir]) == XFRM_USERPOLICY_BLOCK)
#else
#define natflow_compat_has_policy(net, dir) false
#endif
#ifdef CONFIG_IP_MULTIPLE_TABLES
#define natflow_compat_rules4(net) \
	(READ_ONCE((net)->ipv4.fib_has_custom_rules) ? (net)->ipv4.rules_ops : NULL)
#define natflow_compat_rules4_by_ports(net) READ_ONCE((net)->ipv4.fib_rules_require_fldissect)
#define natflow_compat_main_table(net) rcu_dereference((net)->ipv4.fib_main)
#else
#define natflow_compat_rules4(net) NULL
#define natflow_compat_rules4_by_ports(net) false
#define natflow_compat_main_table(net) fib_get_table(net, RT_TABLE_MAIN)
#endif
#ifdef CONFIG_IPV6_MULTIPLE_TABLES
#define natflow_compat_rules6(net) \
	(READ_ONCE((net)->ipv6.fib6_has_custom_rules) ? (net)->ipv6.fib6_rules_ops : NULL)
#else
#define natflow_compat_rules6(net) NULL
#endif
#ifdef CONFIG_IPV6_SUBTREES
#define natflow_compat_subtree(node) rcu_dereference((node)->subtree)
#else
#define natflow_compat_subtree(node) NULL
#endif

/* 6.4 made mtk_eth_soc count what its PPE forwards. */
#define NATFLOW_COMPAT_MTK_COUNTS (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0))

/* 7.3 asks for a context, and tunnels on the path hold their routes until it is released. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define natflow_compat_forward_path(below, mac, type, stack) \
	dev_fill_forward_path(below, mac, stack)
#define natflow_compat_forward_path_release(stack) ((void)(stack))
#define natflow_compat_path_is_tunnel(path) false
#else
#define natflow_compat_forward_path(below, mac, type, stack) ({ \
	struct net_device_path_ctx _ctx = { .dev = (below), .ether_type = (type) }; \
	memcpy(_ctx.daddr, mac, ETH_ALEN); \
	dev_fill_forward_path(&_ctx, stack); })
#define natflow_compat_forward_path_release(stack) dev_fill_forward_path_release(stack)
#define natflow_compat_path_is_tunnel(path) ((path)->type == DEV_PATH_TUN)
#endif

/* 7.3 asks whether packets that wait are to be dropped. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define natflow_compat_deactivate(dev) dev_deactivate(dev)
#define natflow_compat_set_pkt_segs(skb, n) ((void)(skb))
#else
#define natflow_compat_deactivate(dev) dev_deactivate(dev, true)
#define natflow_compat_set_pkt_segs(skb, n) (qdisc_skb_cb(skb)->pkt_segs = (n))
#endif

/* Sparse would count a lock that only queues with TCQ_F_NOLOCK take. */
#ifdef __CHECKER__
#define natflow_compat_run_begin(q) (!qdisc_is_running(q))
#define natflow_compat_run_end(q) ((void)(q))
#else
#define natflow_compat_run_begin(q) qdisc_run_begin(q)
#define natflow_compat_run_end(q) qdisc_run_end(q)
#endif

/* Since 6.19 packets of other CPUs come to a queue by a list in front of it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define natflow_compat_others_come(q) false
#else
#define natflow_compat_others_come(q) (!llist_empty(&(q)->defer_list))
#endif

/* 6.15 gave some drivers' devices a lock of their own, which their queues are changed under. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define natflow_compat_lock_device(dev) ((void)(dev))
#define natflow_compat_unlock_device(dev) ((void)(dev))
#else
#include <net/netdev_lock.h>
#define natflow_compat_lock_device(dev) netdev_lock_ops(dev)
#define natflow_compat_unlock_device(dev) netdev_unlock_ops(dev)
#endif

/* 6.5 moved segmentation to a header of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

#endif /* _NATFLOW_COMPAT_H */
