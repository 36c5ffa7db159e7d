// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user who is refused the line may still do, and what its packets are answered
 * with.
 *
 * Whether a packet passes depends on the server that the user addresses, never on a
 * port that the user, or somebody who helps it from outside, can choose.
 *
 * A request to the portal's page needs a TCP connection. Its server never hears of it:
 * natflow answers the SYN in its place, and keeps nothing. The sequence number is a
 * hash of addresses and ports, so that only who received it can be sent the redirect.
 */
#include <linux/netfilter.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/timekeeping.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "answer.h"
#include "client.h"
#include "portal.h"
#include "sets.h"

#define PORT_DNS	53
#define PORT_HTTP	80
#define PORT_DHCP	67
#define PORT_DHCP6	547

/* The server of a connection, behind DNAT. Its port is 0 unless it is TCP or UDP. */
struct server {
	u8 addr[16];
	u8 proto;
	u16 port;
};

/**
 * natflow_portal_read() - parse a packet, with or without a conntrack
 * @p: gets ->s and ->parsed
 * @skb: packet
 * @family: NFPROTO_*
 */
void natflow_portal_read(struct natflow_portal_packet *p, struct sk_buff *skb, u8 family)
{
	enum ip_conntrack_info info;
	struct nf_conn *ct = nf_ct_get(skb, &info);

	p->parsed = natflow_segment_parse(&p->s, skb, family);
	if (!ct || nf_ct_is_template(ct))
		return;
	p->s.ct = ct;
	p->s.dir = CTINFO2DIR(info);
}

static void server_by_ct(struct server *server, const struct natflow_segment *s)
{
	union natflow_key key;

	natflow_ct_key(s->ct, IP_CT_DIR_REPLY, 0, &key);
	memcpy(server->addr, &key, s->family == NFPROTO_IPV4 ? 4 : 16);
	server->proto = natflow_ct_proto(s->ct);
	server->port = ntohs(natflow_key_tail(&key, s->family)->ports.sport);
}

static void server_by_packet(struct server *server, const struct natflow_portal_packet *p)
{
	const struct natflow_segment *s = &p->s;
	__be16 buffer, *port = NULL;

	if (s->family == NFPROTO_IPV4)
		memcpy(server->addr, &ip_hdr(s->skb)->daddr, 4);
	else
		memcpy(server->addr, &ipv6_hdr(s->skb)->daddr, 16);
	server->proto = p->parsed ? s->proto : IPPROTO_NONE;
	if (p->parsed)
		port = skb_header_pointer(s->skb, s->l4 + 2, sizeof(buffer), &buffer);
	server->port = port ? ntohs(*port) : 0;
}

/* Which server the user addressed. Return: false if it was the other side that began. */
static bool find_server(struct server *server, const struct natflow_portal_packet *p)
{
	bool forth = p->s.dir == IP_CT_DIR_ORIGINAL;

	memset(server, 0, sizeof(*server));
	if (p->sent != forth)
		return false;
	if (p->s.ct)
		server_by_ct(server, &p->s);
	else
		server_by_packet(server, p);
	return true;
}

static bool is_service(const struct server *server, u8 family)
{
	if (server->proto == IPPROTO_TCP)
		return server->port == PORT_DNS;
	if (server->proto != IPPROTO_UDP)
		return false;
	return server->port == PORT_DNS ||
	       server->port == (family == NFPROTO_IPV4 ? PORT_DHCP : PORT_DHCP6);
}

static bool is_portal(const struct natflow_access_rules *rules, const struct server *server,
		      u8 family)
{
	static const u8 none[16];
	const u8 *portal = family == NFPROTO_IPV4 ? rules->portal4 : rules->portal6;
	const unsigned int len = family == NFPROTO_IPV4 ? 4 : 16;

	return memcmp(portal, none, len) && !memcmp(portal, server->addr, len);
}

static bool is_free(const struct natflow_access *access, const struct natflow_access_rules *rules,
		    const struct server *server, u8 family)
{
	struct natflow_site_client as_client = { .family = family, .net = access->nn->net };

	if (!*rules->free_servers)
		return false;
	memcpy(as_client.addr, server->addr, sizeof(as_client.addr));
	return natflow_set_test(&as_client, rules->free_servers) > 0;
}

/**
 * natflow_portal_passes() - does a packet of a refused user pass all the same
 * @access: the namespace's state
 * @p: packet
 *
 * To and from DNS, DHCP, the portal and dst_bypasslist_name=, if the user began; and in
 * connections that a user who is not refused began.
 *
 * Context: RCU read side, BH disabled.
 */
bool natflow_portal_passes(const struct natflow_access *access,
			   const struct natflow_portal_packet *p)
{
	const struct natflow_access_rules *rules = rcu_dereference(access->rules);
	const u8 family = p->s.family;
	struct server server;

	if (p->status == NATFLOW_ACCESS_BLOCK)
		return false;
	if (!find_server(&server, p))
		return p->inside;
	return is_service(&server, family) || is_portal(rules, &server, family) ||
	       is_free(access, rules, &server, family);
}

/* -- the connection to the portal's redirect */

static u32 cookie_of(const struct natflow_segment *s)
{
	struct {
		u8 addrs[32];
		__be16 ports[2];
		u32 family;
	} __aligned(SIPHASH_ALIGNMENT) from = { .family = s->family };
	static siphash_key_t key;

	get_random_once(&key, sizeof(key));
	if (s->family == NFPROTO_IPV4)
		memcpy(from.addrs, &ip_hdr(s->skb)->saddr, 8);
	else
		memcpy(from.addrs, &ipv6_hdr(s->skb)->saddr, 32);
	if (skb_copy_bits(s->skb, s->l4, from.ports, sizeof(from.ports)))
		return 0;
	return siphash(&from, sizeof(from), &key);
}

/* Methods with which a browser asks for a page. */
static bool is_request(const struct natflow_segment *s)
{
	static const char * const methods[] = { "GET ", "HEAD ", "POST " };
	char text[5] = {};
	unsigned int i;

	if (s->len < sizeof(text) || skb_copy_bits(s->skb, s->data, text, sizeof(text)))
		return false;
	for (i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strncmp(text, methods[i], strlen(methods[i])))
			return true;
	return false;
}

static int print_portal(const struct natflow_access_rules *rules, u8 family, char *text,
			size_t size)
{
	static const u8 none[16];

	if (family == NFPROTO_IPV6 && memcmp(rules->portal6, none, sizeof(none)))
		return scnprintf(text, size, "[%pI6c]", rules->portal6);
	return scnprintf(text, size, "%pI4", rules->portal4);
}

/* Where the portal's page finds who asks, as natflow's portals know it. */
static void redirect(struct natflow_access *access, const struct natflow_portal_packet *p)
{
	static const u8 none[ETH_ALEN];
	const u8 flags = NATFLOW_TCP_PSH | NATFLOW_TCP_ACK | NATFLOW_TCP_FIN;
	const char *format = p->s.family == NFPROTO_IPV4 ?
		"/index.html?ip=%pI4&mac=%pM&rid=%u&_t=%lld" :
		"/index.html?ip=%pI6c&mac=%pM&rid=%u&_t=%lld";
	char text[320];
	int len = scnprintf(text, sizeof(text), "HTTP/1.1 302 Found\r\nLocation: http://");

	len += print_portal(rcu_dereference(access->rules), p->s.family, text + len,
			    sizeof(text) - len);
	len += scnprintf(text + len, sizeof(text) - len, format, &p->user->addr, p->mac ?: none,
			 p->rule, ktime_get_real_seconds());
	len += scnprintf(text + len, sizeof(text) - len, "\r\nCache-Control: no-store\r\n"
			 "Content-Length: 0\r\nConnection: close\r\n\r\n");
	if (natflow_answer_tcp(&p->s, flags, text, len))
		atomic64_inc(&access->redirected);
}

/* Has the packet to do with a connection to such a redirect? */
static bool is_for_redirect(const struct natflow_portal_packet *p)
{
	__be16 buffer, *port;

	if (p->status != NATFLOW_ACCESS_REQ || !p->sent)
		return false;
	if (p->s.ct && natflow_ct_confirmed(p->s.ct))
		return false;		/* a server has it */
	port = skb_header_pointer(p->s.skb, p->s.l4 + 2, sizeof(buffer), &buffer);
	return port && *port == htons(PORT_HTTP);
}

/* In place of the server. Return: false for what deserves a RST. */
static bool serve(struct natflow_access *access, const struct natflow_portal_packet *p)
{
	const struct natflow_segment *s = &p->s;
	const u8 kind = s->flags & (NATFLOW_TCP_SYN | NATFLOW_TCP_ACK | NATFLOW_TCP_FIN);
	const u32 cookie = cookie_of(s);

	if (kind == NATFLOW_TCP_SYN) {
		natflow_answer_syn(s, cookie);
		return true;
	}
	if (kind != NATFLOW_TCP_ACK || !s->len)
		return kind == NATFLOW_TCP_ACK;
	if (s->ack != cookie + 1 || !is_request(s))
		return false;
	redirect(access, p);
	return true;
}

/* -- refusals */

/* Both sides of a connection that a server has are told. */
static unsigned int refuse_tcp(struct natflow_access *access, struct natflow_portal_packet *p)
{
	struct natflow_segment *s = &p->s;
	const bool live = s->ct && natflow_ct_confirmed(s->ct);

	if (!live && !p->sent)
		return NF_DROP;
	if (!natflow_client_may(access->answers, s))
		return NF_DROP;
	if (is_for_redirect(p) && serve(access, p))
		return NF_DROP;
	natflow_answer_tcp(s, NATFLOW_TCP_RST | NATFLOW_TCP_ACK, NULL, 0);
	if (!live)
		return NF_DROP;
	/* Conntrack sees neither the answer nor this packet. */
	natflow_ct_close(s->ct);
	return natflow_answer_turn(s) ? NF_ACCEPT : NF_DROP;
}

/**
 * natflow_portal_refuse() - do not forward a packet, and say so at once
 * @access: the namespace's state
 * @p: packet
 *
 * Context: FORWARD, RCU read side, BH disabled.
 * Return: the hook's verdict; NF_ACCEPT if the packet has become a RST.
 */
unsigned int natflow_portal_refuse(struct natflow_access *access,
				   struct natflow_portal_packet *p)
{
	atomic64_inc(&access->refused);
	if (p->parsed && p->s.proto == IPPROTO_TCP)
		return refuse_tcp(access, p);
	if (p->sent && natflow_client_may(access->answers, &p->s))
		natflow_answer_forbidden(&p->s);
	/* Else these packets would keep it, and its place in NAT, for ever. */
	if (p->s.ct && natflow_ct_confirmed(p->s.ct))
		natflow_ct_kill(p->s.ct);
	return NF_DROP;
}
