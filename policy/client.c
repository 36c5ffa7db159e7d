// SPDX-License-Identifier: GPL-2.0-only
/* The client of a packet: the originator of its conntrack. */
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/arp.h>
#include <net/ndisc.h>
#include <net/neighbour.h>
#include "client.h"
#include "sets.h"

static void note_neighbour(struct natflow_site_client *client, const struct net_device *out)
{
	struct neigh_table *table = client->family == NFPROTO_IPV4 ? &arp_tbl : &nd_tbl;
	struct neighbour *neigh;

	if (out->type != ARPHRD_ETHER)
		return;
	neigh = neigh_lookup(table, client->addr, (struct net_device *)out);
	if (!neigh)
		return;
	if (READ_ONCE(neigh->nud_state) & NUD_VALID)
		neigh_ha_snapshot((char *)client->mac, neigh, out);
	neigh_release(neigh);
}

/**
 * natflow_client_of() - note the address of a client, without MAC and device
 * @client: the result
 * @ct: conntrack that the client originated
 */
void natflow_client_of(struct natflow_site_client *client, const struct nf_conn *ct)
{
	union natflow_key key;

	memset(client, 0, sizeof(*client));
	client->family = natflow_ct_family(ct);
	client->net = natflow_ct_net(ct);
	client->in_set = natflow_set_test;
	natflow_ct_key(ct, IP_CT_DIR_ORIGINAL, 0, &key);
	memcpy(client->addr, &key, client->family == NFPROTO_IPV4 ? 4 : 16);
}

/**
 * natflow_client_note() - note address, MAC and device of a client
 * @client: the result
 * @s: a packet from the client or to it
 * @out: for a packet to the client: the device it leaves by
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_client_note(struct natflow_site_client *client, const struct natflow_segment *s,
			 const struct net_device *out)
{
	const struct net_device *dev = s->dir == IP_CT_DIR_ORIGINAL ? s->skb->dev : out;
	const u8 *mac;

	natflow_client_of(client, s->ct);
	if (!dev)
		return;
	strscpy(client->dev, dev->name, sizeof(client->dev));
	if (s->dir != IP_CT_DIR_ORIGINAL) {
		note_neighbour(client, out);
		return;
	}
	mac = natflow_segment_mac(s->skb);
	if (mac)
		memcpy(client->mac, mac, sizeof(client->mac));
}

/**
 * natflow_client_sharer() - find the slots by which a client's shares are counted
 * @who: the result
 * @client: client that natflow_client_note() noted
 */
void natflow_client_sharer(struct natflow_sharer *who, const struct natflow_site_client *client)
{
	natflow_sharer_set(who, client->family, client->addr, client->mac, client->dev);
}

/**
 * natflow_client_may() - may the sender of a packet cause an event
 * @rate: rate of such events; an event that is allowed is counted
 * @s: packet, of either direction
 *
 * Context: a netfilter hook, BH disabled.
 */
bool natflow_client_may(struct natflow_rate *rate, const struct natflow_segment *s)
{
	static const u8 none[ETH_ALEN];
	const u8 *addr = s->family == NFPROTO_IPV4 ? (const u8 *)&ip_hdr(s->skb)->saddr :
						     (const u8 *)&ipv6_hdr(s->skb)->saddr;
	struct natflow_sharer who;

	natflow_sharer_set(&who, s->family, addr, natflow_segment_mac(s->skb) ?: none,
			   s->skb->dev ? s->skb->dev->name : "");
	return natflow_rate_allows(rate, &who);
}
