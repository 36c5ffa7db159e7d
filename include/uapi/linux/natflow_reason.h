/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Why natflow did not forward a packet, did not learn a flow, or ended one.
 *
 * X(group, NAME, "key", "explanation") is the only list. It yields the enum,
 * the counter of each "group.key" line of /proc/natflow, the text of the
 * tracepoints, and the explanation that status lines show. Keys are stable; a
 * new reason is appended to its group.
 *
 *   refuse  the ingress hook sent a packet up the stack, untouched
 *   learn   the stack sent a packet of a selected flow, and natflow did not learn from it
 *   end     a flow was removed; the stack forwards its packets
 *   drop    a limit dropped a packet, or marked it
 *   name    the result of the inspection for a name, once a flow or DNS message
 */
#ifndef _UAPI_LINUX_NATFLOW_REASON_H
#define _UAPI_LINUX_NATFLOW_REASON_H

#define NATFLOW_REASONS(X) \
	X(refuse, MISS, "miss", "no flow is known for this packet") \
	X(refuse, NOT_IP, "not-ip", "not IPv4 or IPv6 (ARP, VLAN, PPPoE, ...)") \
	X(refuse, NOT_FOR_US, "not-for-us", "not addressed to this port's MAC address") \
	X(refuse, VLAN_TAG, "vlan-tag", "has a VLAN tag; the hook of the VLAN device looks it up") \
	X(refuse, CONNTRACKED, "conntracked", "already has a conntrack (bridge netfilter, notrack)") \
	X(refuse, DST_ATTACHED, "dst-attached", "already has a route or tunnel metadata") \
	X(refuse, SECPATH, "secpath", "arrived through IPsec") \
	X(refuse, ENCAPSULATED, "encapsulated", "its checksum or segmentation offload refers to an inner header") \
	X(refuse, TRUNCATED, "truncated", "shorter than its headers") \
	X(refuse, IP_HEADER, "ip-header", "the IP version field is wrong") \
	X(refuse, IP_LENGTH, "ip-length", "the IP length does not fit the packet") \
	X(refuse, IP_CHECKSUM, "ip-checksum", "the IPv4 header checksum is wrong") \
	X(refuse, IP_OPTIONS, "ip-options", "has IPv4 options") \
	X(refuse, EXTENSION, "extension", "has an IPv6 extension header") \
	X(refuse, FRAGMENT, "fragment", "IP fragment") \
	X(refuse, PROTOCOL, "protocol", "neither TCP nor UDP") \
	X(refuse, TTL, "ttl", "TTL or hop limit would reach zero") \
	X(refuse, L4_HEADER, "l4-header", "a TCP or UDP length field is wrong") \
	X(refuse, TCP_FLAGS, "tcp-flags", "SYN, FIN or RST, or no ACK: conntrack decides what it means") \
	X(refuse, AMBIGUOUS, "zone-ambiguous", "two conntrack zones have this tuple on this port") \
	X(refuse, CLOCK, "route-changed", "routing changed since the flow was learned") \
	X(refuse, EGRESS, "egress-down", "the next hop is not usable any more") \
	X(refuse, TTL_DIFFERS, "ttl-differs", "TTL minus one differs from the last packet that the stack sent") \
	X(refuse, DSCP_DIFFERS, "dscp-differs", "DSCP differs from the last packet that the stack sent") \
	X(refuse, MTU, "mtu", "larger than the egress MTU") \
	X(refuse, GSO_TYPE, "gso-type", "a GSO type that only the stack can segment") \
	X(refuse, CSUM_START, "csum-start", "its checksum offload does not cover exactly the L4 packet") \
	X(refuse, CT_GONE, "conntrack-gone", "the conntrack was deleted or has expired") \
	X(refuse, CT_MARK, "mark-changed", "the conntrack's mark changed, and policy routing may depend on it") \
	X(refuse, NO_MEMORY, "no-memory", "no memory for a private copy of the packet") \
	X(refuse, MEMBER, "bridge-member", "came in by a bridge port; the hook of the bridge looks it up") \
	X(refuse, STATION, "station", "sent up so that the bridge knows the station: once in 5 s, and when it forgot it") \
	X(refuse, PATH, "path-changed", "a bypassed VLAN, bridge or PPP device changed, or got a qdisc, filter, XDP program or tap") \
	X(refuse, WATCHED, "watched", "a new request may start here; the stack inspects it") \
	X(refuse, PMTU, "pmtu", "ip_forward_use_pmtu was set, or the device's IPv6 MTU changed") \
	X(refuse, ECN_DIFFERS, "ecn-differs", "the stack has not yet sent this ECN codepoint unchanged") \
	X(refuse, LABEL_DIFFERS, "flow-label-differs", "the IPv6 flow label differs from the last packet that the stack sent") \
	X(refuse, MARK_DIFFERS, "mark-differs", "mark or priority at ingress differs from the stack's last packet") \
	X(refuse, LENGTH_DIFFERS, "length-differs", "rules classify packets, and the stack has not sent this length yet") \
	X(refuse, SAMPLED, "sampled", "rules classify packets: the first 8 and one in 5 s take the stack to show how") \
	X(refuse, REWRITTEN, "rewritten", "the stack rewrites TTL, TOS or flow label of this direction") \
	X(refuse, VARIES, "varies", "the stack sets different marks or priorities on equal packets") \
	X(refuse, CT_STATE, "conntrack-state", "the conntrack left ESTABLISHED, got a helper or was offloaded") \
	X(refuse, TCP_WINDOW, "tcp-window", "not in the TCP window, or it closes the window: conntrack decides") \
	X(refuse, ACCESS, "access", "its user may not use the line any more") \
	X(refuse, DISPUTED, "address-disputed", "another MAC sends with the address of its user") \
	X(refuse, IDLE, "idle-time", "of a PPPoE session, sent up so that PPP knows that it is in use: once a second") \
	X(learn, LEARN_DEFERRED, "deferred", "it waited in a queue; its route may be older than the route generation") \
	X(learn, LEARN_NO_CONNTRACK, "no-conntrack", "no conntrack (untracked), or a template") \
	X(learn, LEARN_PROTOCOL, "protocol", "neither TCP nor UDP") \
	X(learn, LEARN_UNCONFIRMED, "unconfirmed", "the first packet of its conntrack") \
	X(learn, LEARN_UNREPLIED, "unreplied", "the other side has not answered yet") \
	X(learn, LEARN_TCP_STATE, "tcp-state", "TCP is not ESTABLISHED and ASSURED") \
	X(learn, LEARN_HELPER, "helper", "the conntrack has a helper") \
	X(learn, LEARN_SEQADJ, "seqadj", "NAT adjusts TCP sequence numbers") \
	X(learn, LEARN_CLASH, "nat-clash", "the conntrack lost a NAT clash") \
	X(learn, LEARN_OFFLOADED, "offloaded", "another flow table offloads this conntrack") \
	X(learn, LEARN_DYING, "dying", "the conntrack is being deleted") \
	X(learn, LEARN_OPTIONS, "ip-options", "has IPv4 options or an IPv6 extension header") \
	X(learn, LEARN_SECPATH, "secpath", "arrived through IPsec") \
	X(learn, LEARN_XFRM, "xfrm", "leaves through IPsec") \
	X(learn, LEARN_LWTUNNEL, "lwtunnel", "the route has a lightweight tunnel") \
	X(learn, LEARN_BRIDGED, "bridged", "bridged, not routed") \
	X(learn, LEARN_ROUTE_TYPE, "route-type", "not a unicast route") \
	X(learn, LEARN_NAT, "nat-mismatch", "its addresses differ from those in the conntrack") \
	X(learn, LEARN_IN_DEVICE, "in-device", "came in by a device without natflow's hook") \
	X(learn, LEARN_OUT_DEVICE, "out-device", "leaves by a device natflow cannot send to") \
	X(learn, LEARN_GROUP, "ifname-group", "the interface group excludes it") \
	X(learn, LEARN_NEIGHBOUR, "neighbour", "the next hop is not resolved yet") \
	X(learn, LEARN_DELAY, "delay", "within the first delay_pkts packets") \
	X(learn, LEARN_HALF, "half", "the other direction is not learned yet") \
	X(learn, LEARN_AMBIGUOUS, "zone-ambiguous", "two conntrack zones have this tuple on this port") \
	X(learn, LEARN_FULL, "table-full", "flow_limit is reached and no idle flow can be evicted, or ended flows are not freed yet") \
	X(learn, LEARN_BUCKET, "bucket-full", "both hash buckets are full") \
	X(learn, LEARN_NO_MEMORY, "no-memory", "no memory for the flow") \
	X(learn, LEARN_HW_NONE, "hw-none", "--hw is set, but no hardware back end is loaded") \
	X(learn, LEARN_INSPECT, "inspect", "its name is not known yet, or is blocked") \
	X(learn, LEARN_PMTU, "pmtu", "ip_forward_use_pmtu is set, or the route has a locked path MTU, which expires") \
	X(learn, LEARN_IPVS, "ipvs", "IPVS forwards it and must see each packet") \
	X(learn, LEARN_UNNOTED, "unnoted", "its arrival was not recorded: it was reassembled, or too many came at once") \
	X(learn, LEARN_REWRITTEN, "rewritten", "rules rewrite TTL, TOS or flow label; the direction stays with the stack") \
	X(learn, LEARN_VARIES, "varies", "rules set different marks or priorities on equal packets; the direction stays with the stack") \
	X(learn, LEARN_UNSELECTED, "unselected", "it could be fast, but no rule and no setting selected it") \
	X(learn, LEARN_MARKED, "marked", "a limit marked it: it left with another ECN codepoint than others do") \
	X(end, END_CT_GONE, "conntrack-gone", "the conntrack was deleted or has expired") \
	X(end, END_TCP, "tcp-flags", "conntrack accepted a FIN or RST, or the start of a new connection") \
	X(end, END_EVICTED, "evicted", "idle, and a new flow needed its place") \
	X(end, END_REPLACED, "replaced", "its packets now arrive by another port") \
	X(end, END_FLUSH, "flush", "the flush command") \
	X(end, END_DISABLED, "disabled", "disabled=1, or the flow is beyond a new flow_limit") \
	X(end, END_HALF, "half-evicted", "only one direction was learned, and another flow needed its place") \
	X(end, END_NETNS, "netns", "the namespace or the module is going away") \
	X(end, END_BLOCKED, "blocked", "a new rule blocks its name") \
	X(end, END_INSPECT, "inspect", "the client sent a new request, which the stack inspects") \
	X(end, END_IPVS, "ipvs", "IPVS took over the flow") \
	X(end, END_CT_STATE, "conntrack-state", "the conntrack left ESTABLISHED, got a helper or was offloaded") \
	X(end, END_KICK, "kick", "its user was kicked") \
	X(end, END_ACCESS, "access", "its user may not use the line any more") \
	X(end, END_DISPUTED, "address-disputed", "another MAC sent with the address of its user") \
	X(end, END_POLICY, "policy", "a policy blocks its user, or sends it to the portal") \
	X(end, END_LIMIT, "limit", "another rule of natflow_qos_ctl is for it") \
	X(name, NAME_KNOWN, "named", "the client sent a name") \
	X(name, NAME_NONE, "no-name", "the protocol or the client sends no name") \
	X(name, NAME_BUDGET, "budget", "no name within the allowed packets, bytes and seconds") \
	X(name, NAME_MALFORMED, "malformed", "a request or hello begins wrong") \
	X(name, NAME_MEMORY, "memory", "no memory") \
	X(name, NAME_UNTRUSTED, "untrusted", "packets gave different names, or may not have reached the server") \
	X(name, NAME_STRAY, "stray-answer", "a DNS answer to no open question: it teaches no address") \
	X(name, NAME_RESOLVER, "other-resolver", "a DNS answer of a server that dns_resolvers does not name: it teaches no address") \
	X(name, NAME_ADDRESS, "special-address", "a DNS answer has an address that is private, reserved or the gateway's own") \
	X(name, NAME_QUESTIONS, "questions-full", "the client has too many open DNS questions: the answer will be stray") \
	X(name, NAME_TARGETS, "targets", "a DNS answer leads to too many names: the rest was not judged") \
	X(name, NAME_SHARE, "share", "no place or memory is left of the client's share, or an unanswered flow gave way to another") \
	X(drop, DROP_OVER, "over", "its rule or user has used up the rate and the burst") \
	X(drop, DROP_EARLY, "early", "its rule or user sends more than the rate for a while: a sign for the sender") \
	X(drop, DROP_MARKED, "marked", "the same sign, and not dropped: congestion was marked in its header")

enum natflow_reason {
	NATFLOW_OK = 0,
#define NATFLOW_REASON_ENUM(group, name, key, text) NATFLOW_##name,
	NATFLOW_REASONS(NATFLOW_REASON_ENUM)
#undef NATFLOW_REASON_ENUM
	__NATFLOW_REASON_LAST
};

#define NATFLOW_REASON_MAX (__NATFLOW_REASON_LAST - 1)

#endif /* _UAPI_LINUX_NATFLOW_REASON_H */
