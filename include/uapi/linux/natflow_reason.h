/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Why a packet, a flow or a flow's life went the way it did.
 *
 * X(group, NAME, "key", "explanation") is the only list. It yields the enum,
 * the counter behind each "group.key" line of /proc/natflow, the text of the
 * tracepoints, and this explanation. Keys are stable; new ones are appended to
 * their group.
 *
 *   refuse  a packet met the RX hook and went up the stack, untouched
 *   learn   a selected flow's packet left by the stack and was not learned from
 *   end     a flow went back to the stack for good
 *   name    what looking for a flow's name came to, once a flow
 */
#ifndef _UAPI_LINUX_NATFLOW_REASON_H
#define _UAPI_LINUX_NATFLOW_REASON_H

#define NATFLOW_REASONS(X) \
	X(refuse, MISS, "miss", "no flow is known for this packet") \
	X(refuse, NOT_IP, "not-ip", "not IPv4 or IPv6 (ARP, VLAN, PPPoE, ...)") \
	X(refuse, NOT_FOR_US, "not-for-us", "not addressed to this port's MAC address") \
	X(refuse, VLAN_TAG, "vlan-tag", "carries a VLAN tag; the VLAN device will see it again") \
	X(refuse, CONNTRACKED, "conntracked", "already carries a conntrack (bridge netfilter, notrack)") \
	X(refuse, DST_ATTACHED, "dst-attached", "already carries a route or tunnel metadata") \
	X(refuse, SECPATH, "secpath", "arrived through IPsec") \
	X(refuse, ENCAPSULATED, "encapsulated", "offloads refer to an inner header") \
	X(refuse, TRUNCATED, "truncated", "shorter than its headers") \
	X(refuse, IP_HEADER, "ip-header", "the IP version field is wrong") \
	X(refuse, IP_LENGTH, "ip-length", "the IP length does not fit the packet") \
	X(refuse, IP_CHECKSUM, "ip-checksum", "the IPv4 header checksum is wrong") \
	X(refuse, IP_OPTIONS, "ip-options", "IPv4 options") \
	X(refuse, EXTENSION, "extension", "IPv6 extension header") \
	X(refuse, FRAGMENT, "fragment", "IP fragment") \
	X(refuse, PROTOCOL, "protocol", "neither TCP nor UDP") \
	X(refuse, TTL, "ttl", "TTL or hop limit would reach zero") \
	X(refuse, L4_HEADER, "l4-header", "a TCP or UDP length field lies") \
	X(refuse, TCP_FLAGS, "tcp-flags", "SYN, FIN or RST: conntrack must see it, the flow ends") \
	X(refuse, AMBIGUOUS, "zone-ambiguous", "two conntrack zones own this tuple on this port") \
	X(refuse, CLOCK, "route-changed", "routing changed since the flow was learned") \
	X(refuse, EGRESS, "egress-down", "the next hop is not usable any more") \
	X(refuse, TTL_DIFFERS, "ttl-differs", "TTL minus one is not what the stack last sent") \
	X(refuse, DSCP_DIFFERS, "dscp-differs", "DSCP is not what the stack last sent") \
	X(refuse, MTU, "mtu", "larger than the egress MTU") \
	X(refuse, GSO_TYPE, "gso-type", "a kind of super-packet only the stack can split") \
	X(refuse, CSUM_START, "csum-start", "checksum offload that is not for exactly the L4 packet") \
	X(refuse, CT_GONE, "conntrack-gone", "the conntrack was deleted or has expired") \
	X(refuse, CT_MARK, "mark-changed", "the conntrack's mark changed, and rules may route by it") \
	X(refuse, NO_MEMORY, "no-memory", "no memory for a private copy") \
	X(refuse, MEMBER, "bridge-member", "came in by a port of a bridge; the bridge device will see it again") \
	X(refuse, STATION, "station", "the bridge should see the station now and then") \
	X(refuse, PATH, "path-changed", "a device that was skipped must not be any more") \
	X(refuse, WATCHED, "watched", "the client says something, and it may be another name") \
	X(refuse, PMTU, "pmtu", "ip_forward_use_pmtu was set, or the device's IPv6 MTU changed") \
	X(refuse, ECN_DIFFERS, "ecn-differs", "the stack has not yet sent this ECN codepoint unchanged") \
	X(refuse, LABEL_DIFFERS, "flow-label-differs", "the IPv6 flow label is not what the stack last sent") \
	X(refuse, MARK_DIFFERS, "mark-differs", "came in with a mark or priority that the stack's last packet did not have") \
	X(refuse, LENGTH_DIFFERS, "length-differs", "rules classify packets here, and none of this length was seen") \
	X(refuse, SAMPLED, "sampled", "rules classify packets here: the first 8 and one in 5 s show what they do") \
	X(refuse, REWRITTEN, "rewritten", "the stack changes TTL, TOS or flow label of this direction") \
	X(refuse, VARIES, "varies", "the stack sets different marks or priorities on packets that are alike") \
	X(refuse, CT_STATE, "conntrack-state", "conntrack's entry says that this flow must not be fast") \
	X(learn, LEARN_DEFERRED, "deferred", "it waited in a queue; its route may be older than the clock") \
	X(learn, LEARN_NO_CONNTRACK, "no-conntrack", "untracked or a template") \
	X(learn, LEARN_PROTOCOL, "protocol", "neither TCP nor UDP") \
	X(learn, LEARN_UNCONFIRMED, "unconfirmed", "first packet of its conntrack") \
	X(learn, LEARN_UNREPLIED, "unreplied", "the other side has not answered yet") \
	X(learn, LEARN_TCP_STATE, "tcp-state", "TCP is not ESTABLISHED and ASSURED") \
	X(learn, LEARN_HELPER, "helper", "a conntrack helper reads this flow") \
	X(learn, LEARN_SEQADJ, "seqadj", "NAT adjusts TCP sequence numbers") \
	X(learn, LEARN_CLASH, "nat-clash", "the conntrack lost a NAT clash") \
	X(learn, LEARN_OFFLOADED, "offloaded", "another flow table owns this conntrack") \
	X(learn, LEARN_DYING, "dying", "the conntrack is being deleted") \
	X(learn, LEARN_OPTIONS, "ip-options", "IPv4 options or an IPv6 extension header") \
	X(learn, LEARN_SECPATH, "secpath", "arrived through IPsec") \
	X(learn, LEARN_XFRM, "xfrm", "leaves through IPsec") \
	X(learn, LEARN_LWTUNNEL, "lwtunnel", "the route encapsulates") \
	X(learn, LEARN_BRIDGED, "bridged", "bridged, not routed") \
	X(learn, LEARN_ROUTE_TYPE, "route-type", "not a unicast route") \
	X(learn, LEARN_NAT, "nat-mismatch", "addresses differ from what conntrack recorded") \
	X(learn, LEARN_IN_DEVICE, "in-device", "came in by a device without a hook") \
	X(learn, LEARN_OUT_DEVICE, "out-device", "leaves by a device natflow cannot send to") \
	X(learn, LEARN_GROUP, "ifname-group", "the interface group excludes it") \
	X(learn, LEARN_NEIGHBOUR, "neighbour", "the next hop is not resolved yet") \
	X(learn, LEARN_DELAY, "delay", "within the first delay_pkts packets") \
	X(learn, LEARN_HALF, "half", "the other direction is not learned yet") \
	X(learn, LEARN_AMBIGUOUS, "zone-ambiguous", "two conntrack zones own this tuple on this port") \
	X(learn, LEARN_FULL, "table-full", "flow_limit reached, no idle flow to evict, or ended ones not freed yet") \
	X(learn, LEARN_BUCKET, "bucket-full", "both hash buckets are full") \
	X(learn, LEARN_NO_MEMORY, "no-memory", "no memory for the flow") \
	X(learn, LEARN_HW_NONE, "hw-none", "--hw asked for, but no hardware back end is loaded") \
	X(learn, LEARN_INSPECT, "inspect", "its name is sought, or it is blocked") \
	X(learn, LEARN_PMTU, "pmtu", "ip_forward_use_pmtu is set, or a locked path MTU is in force, which expires") \
	X(learn, LEARN_IPVS, "ipvs", "IPVS forwards it and must see each packet") \
	X(learn, LEARN_UNNOTED, "unnoted", "how it came in is not known: it was reassembled, or too many came at once") \
	X(learn, LEARN_REWRITTEN, "rewritten", "rules change its TTL, TOS or flow label; the direction stays with the stack") \
	X(learn, LEARN_VARIES, "varies", "rules set different marks or priorities on packets that are alike; the direction stays with the stack") \
	X(learn, LEARN_UNSELECTED, "unselected", "it could be fast, but no rule and no setting selected it") \
	X(end, END_CT_GONE, "conntrack-gone", "the conntrack was deleted or has expired") \
	X(end, END_TCP, "tcp-flags", "SYN, FIN or RST was seen") \
	X(end, END_EVICTED, "evicted", "idle, and its place was needed") \
	X(end, END_REPLACED, "replaced", "it came in by another port") \
	X(end, END_FLUSH, "flush", "the flush command") \
	X(end, END_DISABLED, "disabled", "disabled=1, or beyond a new flow_limit") \
	X(end, END_HALF, "half-evicted", "never saw its other direction, and its place was needed") \
	X(end, END_NETNS, "netns", "the namespace or the module goes away") \
	X(end, END_BLOCKED, "blocked", "a rule forbids its name from now on") \
	X(end, END_INSPECT, "inspect", "its client said something more, and it may be another name") \
	X(end, END_IPVS, "ipvs", "IPVS took over the flow") \
	X(end, END_CT_STATE, "conntrack-state", "conntrack's entry was changed: not ESTABLISHED, a helper, offloaded") \
	X(name, NAME_KNOWN, "named", "the client said whom it wants") \
	X(name, NAME_NONE, "no-name", "a protocol or a client that says no name") \
	X(name, NAME_BUDGET, "budget", "no name within the packets, bytes and seconds allowed") \
	X(name, NAME_MALFORMED, "malformed", "the beginning of a request or hello that is wrong") \
	X(name, NAME_MEMORY, "memory", "no memory, or too many flows at a time") \
	X(name, NAME_UNTRUSTED, "untrusted", "said differently by different packets, or by ones that may not arrive")

enum natflow_reason {
	NATFLOW_OK = 0,
#define NATFLOW_REASON_ENUM(group, name, key, text) NATFLOW_##name,
	NATFLOW_REASONS(NATFLOW_REASON_ENUM)
#undef NATFLOW_REASON_ENUM
	__NATFLOW_REASON_LAST
};

#define NATFLOW_REASON_MAX (__NATFLOW_REASON_LAST - 1)

#endif /* _UAPI_LINUX_NATFLOW_REASON_H */
