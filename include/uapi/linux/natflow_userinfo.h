/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Records of /dev/natflow_userinfo_queue. A read returns as many whole records as fit
 * into the buffer. Byte order is the machine's unless a comment says otherwise. A read
 * returns 0 if there is no record; poll() waits for one.
 *
 * An open file starts with records of version 3, the format of the original natflow.
 * After a write of "records=4\n" it returns records of version 4. Every open file has
 * its own position. Nothing is recorded while no file is open.
 */
#ifndef _UAPI_LINUX_NATFLOW_USERINFO_H
#define _UAPI_LINUX_NATFLOW_USERINFO_H

#include <linux/types.h>

/* Version 3. RX is what the user receives, whoever sent it. */
struct natflow_userinfo_v3 {
	__u16 version;		/* 3 */
	__u16 header_len;	/* 102 */
	__u16 record_len;	/* 102 */
	__u16 family;		/* AF_INET or AF_INET6 */
	__u32 idle;		/* seconds since the user's last packet */
	__u8 ip[16];		/* network byte order; IPv4 in the first four */
	__u8 mac[6];		/* 0: unknown */
	__u8 auth_type;		/* 0: none, 1: auto, 2: web */
	__u8 auth_status;	/* as "set-status" takes it */
	__u16 auth_rule;	/* or 255: no rule */
	__u64 rx_packets, rx_bytes;
	__u64 tx_packets, tx_bytes;
	__u32 rx_speed_packets, rx_speed_bytes;	/* in a second, over eight seconds */
	__u32 tx_speed_packets, tx_speed_bytes;
	__u8 ifname[16];	/* where the user was last seen */
} __attribute__((packed));

/* What happened. Readers ignore kinds that they do not know. */
enum natflow_userinfo_kind {
	NATFLOW_USERINFO_LISTED = 1,	/* an answer to "list": what a user has now */
	NATFLOW_USERINFO_LIST_END,	/* of no user: the list is complete */
	NATFLOW_USERINFO_NEW,		/* the first packet of an address */
	NATFLOW_USERINFO_ACTIVE,	/* traffic, and no other record for 32 seconds */
	NATFLOW_USERINFO_MOVE,		/* the address has another MAC */
	NATFLOW_USERINFO_CONFLICT,	/* two MACs claim the address */
	NATFLOW_USERINFO_STATUS,	/* the user has another status, see @why */
	NATFLOW_USERINFO_KICK,
	NATFLOW_USERINFO_GRANT,		/* extra time begins */
	NATFLOW_USERINFO_GRANT_END,
	NATFLOW_USERINFO_LAST,		/* the final sums: nothing of this user follows */
};

enum natflow_userinfo_why {
	NATFLOW_USERINFO_UNSAID,
	NATFLOW_USERINFO_HAND,		/* a line that was written */
	NATFLOW_USERINFO_RULE,		/* a rule of access, or a set in one */
	NATFLOW_USERINFO_POLICY,	/* a policy's verdict */
	NATFLOW_USERINFO_SCHEDULE,
	NATFLOW_USERINFO_VOLUME,	/* quotas */
	NATFLOW_USERINFO_MINUTES,
	NATFLOW_USERINFO_GRANTED,
	/* of LAST */
	NATFLOW_USERINFO_EVICTED,	/* it gave way to a new user */
	NATFLOW_USERINFO_IDLE,
	NATFLOW_USERINFO_MEMORY,	/* there was none for it */
	NATFLOW_USERINFO_ZONE,		/* the user went on, under its number, in another zone */
};

/*
 * Version 4: a header, then attributes up to record_len. Readers skip attributes that
 * they do not know. An unknown value has no attribute.
 *
 * A number of @user is never used again under the same @cookie. Sums only grow.
 * events = records with a number + dropped + limited, from the opening of the file on.
 */
struct natflow_userinfo_v4 {
	__u16 version;		/* 4 */
	__u16 header_len;	/* offset of the attributes; may grow */
	__u32 record_len;	/* a multiple of 8 */
	__u64 cookie;		/* of all numbers: another one after the module was loaded again */
	__u64 number;		/* of the event, from 1; 0: LISTED, LIST_END */
	__u64 time;		/* ns since 1970 */
	__u64 dropped;		/* events lost before this record: the reader was too slow */
	__u64 limited;		/* events that were not stored because memory was short */
	__u64 user;		/* number of the user's record; LIST_END: of the next new one */
	__u16 kind;		/* enum natflow_userinfo_kind */
	__u16 why;		/* enum natflow_userinfo_why */
	__u8 family;		/* AF_INET or AF_INET6 */
	__u8 zone;
	__u8 auth_type;
	__u8 auth_status;
	__u8 auth_before;	/* STATUS: the status before */
	__u8 zero;
	__u16 auth_rule;	/* or 255: no rule */
	__u32 zero2;
};

/* An attribute is padded to a multiple of 8. */
struct natflow_userinfo_attr {
	__u16 len;		/* of the value, without this header and padding */
	__u16 type;		/* enum natflow_userinfo_attr_type */
	__u32 zero;
};

enum natflow_userinfo_attr_type {
	NATFLOW_USERINFO_A_ADDRESS = 1,	/* 4 or 16 bytes, network byte order */
	NATFLOW_USERINFO_A_MAC,		/* 6 bytes */
	NATFLOW_USERINFO_A_OTHER_MAC,	/* 6 bytes; MOVE: the one before; CONFLICT: the other */
	NATFLOW_USERINFO_A_DEVICE,	/* text without a NUL: where the user was last seen */
	NATFLOW_USERINFO_A_NAME,	/* text: the name of the user's device */
	NATFLOW_USERINFO_A_POLICY,	/* text: the policy that decided */
	NATFLOW_USERINFO_A_VALUE,	/* u64; GRANT: seconds; LIST_END: users */
	NATFLOW_USERINFO_A_TIMES,	/* struct natflow_userinfo_times */
	NATFLOW_USERINFO_A_SUMS,	/* struct natflow_userinfo_sums */
	NATFLOW_USERINFO_A_RATES,	/* struct natflow_userinfo_rates */
	NATFLOW_USERINFO_A_GONE,	/* struct natflow_userinfo_gone; LAST, LIST_END */
};

struct natflow_userinfo_times {
	__u32 since, idle;	/* seconds since the first and the last packet */
	__u32 flows;		/* accelerated connections */
	__u32 zero;
};

struct natflow_userinfo_count {
	__u64 packets, bytes;
};

struct natflow_userinfo_sums {
	struct natflow_userinfo_count wan_rx, wan_tx;	/* the other end in the WAN */
	struct natflow_userinfo_count lan_rx, lan_tx;	/* in the LAN, or this host */
	struct natflow_userinfo_count dropped;		/* not delivered, by natflow's rules */
};

struct natflow_userinfo_rates {
	struct natflow_userinfo_count rx, tx;		/* in the last whole second */
	struct natflow_userinfo_count rx8, tx8;		/* in a second, over eight */
};

/* Of all users that had their last record, this one included. */
struct natflow_userinfo_gone {
	__u64 users;
	struct natflow_userinfo_sums sums;
};

#endif /* _UAPI_LINUX_NATFLOW_USERINFO_H */
