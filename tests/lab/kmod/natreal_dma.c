// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA engines: frames into the driver's RX ring, frames out of its TX ring, interrupts.
 *
 * A write of 1 to a status register clears nothing in memory. So a status bit is there only
 * while the driver listens for it and there is something: fe_interrupts() keeps it so.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/interrupt.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/gso.h>
#include <net/ip6_checksum.h>
#include "natreal.h"

#define DONE		BIT(31)		/* rxd2, and txd3: the CPU owns it */
#define LAST		BIT(30)		/* txd3 */
#define LENGTH		GENMASK(29, 16)	/* rxd2, txd3 */
#define TX_PORT		GENMASK(27, 25)	/* txd4 */
#define TX_TSO		BIT(28)
#define TX_CHECKSUM	GENMASK(31, 29)
#define TX_VLAN		BIT(16)
#define TX_MAX		70000		/* bytes of a frame that is still to be cut */

struct desc {
	u32 word[4];
};

static u32 length(u32 word)
{
	return (word & LENGTH) >> 16;
}

static void interrupt(struct fe *fe, bool pending, u32 mask, u32 status, u32 bit, int irq)
{
	bool on = pending && (fe_read(fe, mask) & bit);

	fe_write(fe, status, on ? bit : 0);
	if (on)
		irq_set_irqchip_state(irq, IRQCHIP_STATE_PENDING, true);
}

/**
 * fe_interrupts() - status registers, and interrupts that are due
 * @fe: the engine
 *
 * Context: @fe's lock held.
 */
void fe_interrupts(struct fe *fe)
{
	u32 next = (fe_read(fe, FE_RX_FREED) + 1) % fe_read(fe, FE_RX_COUNT);

	interrupt(fe, next != fe->rx_next, FE_RX_MASK, FE_RX_STATUS, FE_RX_INT, fe->rx_irq);
	interrupt(fe, fe_read(fe, FE_TX_FREED) != fe_read(fe, FE_TX_DONE), FE_TX_MASK, FE_TX_STATUS,
		  FE_TX_INT, fe->tx_irq);
}

static bool fill(struct fe *fe, unsigned int mac, const u8 *frame, unsigned int len, u32 word)
{
	struct desc *d = phys_to_virt(fe_read(fe, FE_RX_BASE));

	d += fe->rx_next;
	if (fe->rx_next == fe_read(fe, FE_RX_FREED) || READ_ONCE(d->word[1]) & DONE ||
	    len > length(d->word[1]))
		return false;
	memcpy(phys_to_virt(d->word[0]), frame, len);
	d->word[2] = 0;
	d->word[3] = word | (mac + 1) << 19;
	dma_wmb();
	WRITE_ONCE(d->word[1], DONE | len << 16);
	fe->rx_next = (fe->rx_next + 1) % fe_read(fe, FE_RX_COUNT);
	return true;
}

/**
 * fe_to_cpu() - a frame into the RX ring
 * @fe: the engine
 * @mac: the port that it came from
 * @frame: from the destination address on, without FCS
 * @len: bytes of it
 * @reason: why the PPE gives it to the CPU
 * @index: the entry in question, or PPE_NO_INDEX
 *
 * Context: any but hard interrupts; takes @fe's lock.
 */
void fe_to_cpu(struct fe *fe, unsigned int mac, const u8 *frame, unsigned int len, u32 reason,
	       u32 index)
{
	bool done = false;

	spin_lock_bh(&fe->lock);
	if (!fe->running) {
		fe_add(fe, FE_DOWN, 1);
	} else {
		done = fill(fe, mac, frame, len, (index & 0x3fff) | reason << 14);
		fe_add(fe, done ? FE_TO_CPU : FE_FULL, 1);
		fe_interrupts(fe);
	}
	spin_unlock_bh(&fe->lock);
	if (done)
		atomic64_inc(&fe->reason[reason & 31]);
}

/* The frame at tx_next, out of one descriptor or many; they are the driver's again. */
static struct sk_buff *gather(struct fe *fe, u32 *flags)
{
	struct sk_buff *skb = alloc_skb(TX_MAX, GFP_ATOMIC | __GFP_NOWARN);
	u32 word;

	for (*flags = 0;;) {
		struct desc *d = phys_to_virt(fe->tx_next);

		word = READ_ONCE(d->word[2]);
		if (!*flags)
			*flags = d->word[3];
		if (skb && skb_tailroom(skb) >= length(word))
			skb_put_data(skb, phys_to_virt(d->word[0]), length(word));
		WRITE_ONCE(d->word[2], word | DONE);
		fe_write(fe, FE_TX_DONE, fe->tx_next);
		fe->tx_next = d->word[1];
		if (word & LAST || fe->tx_next == fe_read(fe, FE_TX_CPU))
			break;
	}
	if (!skb || !(word & LAST))
		fe_add(fe, FE_LOST, 1);
	return skb;
}

/**
 * fe_from_cpu() - the next frame of the TX ring
 * @fe: the engine
 * @flags: set to its descriptor's last word
 *
 * Context: process; takes @fe's lock.
 * Return: the frame, or NULL if there is none.
 */
struct sk_buff *fe_from_cpu(struct fe *fe, u32 *flags)
{
	struct sk_buff *skb = NULL;

	spin_lock_bh(&fe->lock);
	if (fe->running && fe->tx_next != fe_read(fe, FE_TX_CPU))
		skb = gather(fe, flags);
	spin_unlock_bh(&fe->lock);
	return skb;
}

/* Where IP and its payload begin; the protocol, or 0. */
static u8 find_l4(struct sk_buff *skb)
{
	unsigned int at = ETH_HLEN;
	u8 l4;

	skb_reset_mac_header(skb);
	skb->protocol = eth_hdr(skb)->h_proto;
	if (skb->protocol == htons(ETH_P_8021Q)) {
		skb->protocol = ((struct vlan_ethhdr *)skb->data)->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	skb_set_network_header(skb, at);
	skb->mac_len = at;
	if (skb->protocol == htons(ETH_P_IP)) {
		at += ip_hdr(skb)->ihl * 4;
		l4 = ip_hdr(skb)->protocol;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		at += sizeof(struct ipv6hdr);
		l4 = ipv6_hdr(skb)->nexthdr;
	} else {
		return 0;
	}
	skb_set_transport_header(skb, at);
	return l4 == IPPROTO_TCP || l4 == IPPROTO_UDP ? l4 : 0;
}

/* Like a stack that leaves checksum and segments to its device. */
static bool checksum_partial(struct sk_buff *skb, bool tso)
{
	u8 l4 = find_l4(skb);
	unsigned int len = skb->len - skb_transport_offset(skb);
	__sum16 *sum, pseudo;
	u16 mss;

	if (!l4 || (tso && l4 != IPPROTO_TCP))
		return false;
	sum = l4 == IPPROTO_TCP ? &tcp_hdr(skb)->check : &udp_hdr(skb)->check;
	mss = ntohs((__force __be16)*sum);
	pseudo = skb->protocol == htons(ETH_P_IP) ?
		~csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len, l4, 0) :
		~csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, len, l4, 0);
	*sum = pseudo;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = (u8 *)skb_transport_header(skb) - skb->head;
	skb->csum_offset = (u8 *)sum - skb_transport_header(skb);
	if (tso) {
		skb_shinfo(skb)->gso_size = mss;
		skb_shinfo(skb)->gso_type = skb->protocol == htons(ETH_P_IP) ? SKB_GSO_TCPV4 :
									       SKB_GSO_TCPV6;
	}
	return true;
}

/**
 * fe_send() - a frame of the TX ring, as its descriptor wants it
 * @fe: the engine
 * @skb: the frame, consumed
 * @flags: the descriptor's last word
 *
 * Context: process.
 */
void fe_send(struct fe *fe, struct sk_buff *skb, u32 flags)
{
	unsigned int port = (flags & TX_PORT) >> 25;
	struct sk_buff *list = skb, *next;

	skb->dev = port >= 1 && port <= MACS ? fe->wire[port - 1] : NULL;
	if (!skb->dev || skb->len < ETH_HLEN)
		goto lost;
	if (flags & TX_VLAN) {
		skb = vlan_insert_tag(skb, htons(ETH_P_8021Q), flags & 0xffff);
		if (!skb)
			return;
		list = skb;
	}
	if (flags & TX_TSO) {
		if (!checksum_partial(skb, true))
			goto lost;
		list = skb_gso_segment(skb, 0);
		if (IS_ERR_OR_NULL(list))
			goto lost;
		consume_skb(skb);
	} else if (flags & TX_CHECKSUM) {
		if (!checksum_partial(skb, false) || skb_checksum_help(skb))
			goto lost;
	}
	for (; list; list = next) {
		next = list->next;
		skb_mark_not_on_list(list);
		fe_add(fe, FE_FROM_CPU, 1);
		fe_to_wire(fe, port - 1, list);
	}
	return;
lost:
	fe_add(fe, FE_LOST, 1);
	kfree_skb(skb);
}
