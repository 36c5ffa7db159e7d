/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Generic netlink family "natflow", version 1. Documentation/natflow.yaml describes it for
 * programs. Numbers never change; new ones are appended. Numbers are of the host's byte
 * order, but for those that are said to be big-endian, and for addresses.
 *
 *   GET       answers with what /proc/natflow begins with. Anybody may ask.
 *   SET       lines of a device in /dev, all or none. CAP_NET_ADMIN.
 *   FLOW_GET  a dump: a message for each flow, in the order of /proc/natflow_flows.
 *             CAP_NET_ADMIN. NLM_F_DUMP_INTR: the table got another size meanwhile,
 *             so flows may be missing, or be there twice.
 */
#ifndef _UAPI_LINUX_NATFLOW_H
#define _UAPI_LINUX_NATFLOW_H

#define NATFLOW_GENL_NAME	"natflow"
#define NATFLOW_GENL_VERSION	1

enum natflow_cmd {
	NATFLOW_CMD_UNSPEC,
	NATFLOW_CMD_GET,
	NATFLOW_CMD_SET,
	NATFLOW_CMD_FLOW_GET,
	__NATFLOW_CMD_LAST
};

#define NATFLOW_CMD_MAX (__NATFLOW_CMD_LAST - 1)

enum natflow_attr {
	NATFLOW_A_UNSPEC,
	NATFLOW_A_PAD,
	/* SET */
	NATFLOW_A_DEVICE,	/* string: name in /dev */
	NATFLOW_A_LINE,		/* string, one for each line: what one would write to it */
	/* FLOW_GET, and its answers */
	NATFLOW_A_FILTER,	/* string: conditions, as behind the word flush */
	NATFLOW_A_ID,		/* u32, big-endian: the connection's, CTA_ID of ctnetlink */
	NATFLOW_A_FAMILY,	/* u8: AF_INET or AF_INET6 */
	NATFLOW_A_PROTOCOL,	/* u8: IPPROTO_TCP or IPPROTO_UDP */
	NATFLOW_A_STATE,	/* u8: enum natflow_flow_state */
	NATFLOW_A_HW,		/* u8: enum natflow_flow_hw */
	NATFLOW_A_IDLE,		/* u32: milliseconds since its traffic was last summed up */
	NATFLOW_A_ORIG,		/* nest of enum natflow_dir_attr: as the connection began */
	NATFLOW_A_REPLY,	/* the same: the other direction */
	/* GET's answer */
	NATFLOW_A_VERSION,	/* string */
	NATFLOW_A_DISABLED,	/* u8: 0 or 1 */
	NATFLOW_A_SELECT,	/* string: the value of select= */
	NATFLOW_A_RULES,	/* u32: FLOWOFFLOAD rules */
	NATFLOW_A_LEARNING,	/* u8: 0 or 1 */
	NATFLOW_A_HOOKED,	/* u8: 0 or 1 */
	NATFLOW_A_FLOWS,	/* u32: fast ones */
	NATFLOW_A_HALVES,	/* u32: selected, and not fast yet */
	NATFLOW_A_LIMIT,	/* u32: flows */
	NATFLOW_A_PACKETS,	/* u64: forwarded, super-packets count once */
	NATFLOW_A_BYTES,	/* u64: the same, bytes of L3 */
	NATFLOW_A_REASON,	/* nest of enum natflow_reason_attr, one for each reason */
	__NATFLOW_A_LAST
};

#define NATFLOW_A_MAX (__NATFLOW_A_LAST - 1)

/* A direction. Addresses: 4 or 16 bytes. */
enum natflow_dir_attr {
	NATFLOW_A_DIR_UNSPEC,
	NATFLOW_A_DIR_PAD,
	NATFLOW_A_DIR_SRC,	/* as packets arrive */
	NATFLOW_A_DIR_DST,
	NATFLOW_A_DIR_SPORT,	/* u16, big-endian */
	NATFLOW_A_DIR_DPORT,
	NATFLOW_A_DIR_TO_SRC,	/* as they leave, behind NAT */
	NATFLOW_A_DIR_TO_DST,
	NATFLOW_A_DIR_TO_SPORT,
	NATFLOW_A_DIR_TO_DPORT,
	NATFLOW_A_DIR_IN,	/* u32: ifindex; not there if it is not known */
	NATFLOW_A_DIR_OUT,	/* the same */
	NATFLOW_A_DIR_PACKETS,	/* u64: forwarded, super-packets count once */
	NATFLOW_A_DIR_BYTES,	/* u64: bytes of L3 */
	__NATFLOW_A_DIR_LAST
};

#define NATFLOW_A_DIR_MAX (__NATFLOW_A_DIR_LAST - 1)

enum natflow_reason_attr {
	NATFLOW_A_REASON_UNSPEC,
	NATFLOW_A_REASON_PAD,
	NATFLOW_A_REASON_ID,	/* u32: enum natflow_reason of natflow_reason.h */
	NATFLOW_A_REASON_GROUP,	/* string */
	NATFLOW_A_REASON_KEY,	/* string */
	NATFLOW_A_REASON_COUNT,	/* u64 */
	__NATFLOW_A_REASON_LAST
};

#define NATFLOW_A_REASON_MAX (__NATFLOW_A_REASON_LAST - 1)

enum natflow_flow_state {
	NATFLOW_STATE_SELECTED,		/* nothing is learned yet */
	NATFLOW_STATE_HALF,		/* one direction is */
	NATFLOW_STATE_PUBLISHED,	/* it is fast */
	NATFLOW_STATE_AMBIGUOUS,	/* two zones of conntrack have its tuple: it is slow */
};

enum natflow_flow_hw {
	NATFLOW_HW_OFF,
	NATFLOW_HW_OFFERED,
	NATFLOW_HW_INSTALLED,
	NATFLOW_HW_BOUND,
	NATFLOW_HW_NO_BACK_END,		/* --hw, and natflow_hwnat is not loaded */
};

#endif /* _UAPI_LINUX_NATFLOW_H */
