// SPDX-License-Identifier: GPL-2.0-only
/* Devices below a route. */
#include <linux/etherdevice.h>
#include "path.h"

/**
 * natflow_hwnat_path_find() - the wires that the directions of a flow leave by
 * @net: namespace
 * @flow: description
 * @side: filled in, by direction
 *
 * Context: process.
 * Return: NATFLOW_HWNAT_OK or why hardware cannot follow.
 */
enum natflow_hwnat_reason natflow_hwnat_path_find(struct net *net,
						  const struct natflow_hw_flow *flow,
						  struct natflow_hwnat_side side[2])
{
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_OK;
	unsigned int d;

	rcu_read_lock();
	for (d = 0; d < 2 && !reason; d++) {
		const struct natflow_hw_dir *dir = &flow->dir[d];
		struct net_device *dev = dev_get_by_index_rcu(net, dir->out_l3);

		if (!dev || flow->dir[!d].in != dir->out_l3) {
			reason = NATFLOW_HWNAT_PATH;
			break;
		}
		if (!is_valid_ether_addr(dir->next_hop))
			reason = NATFLOW_HWNAT_NEIGHBOUR;
		side[d].port = dir->out_l3;
		side[d].conduit = dir->out_l3;
		side[d].redirect = dir->out_l3;
		side[d].mtu = dir->mtu;
		ether_addr_copy(side[d].src, dev->dev_addr);
		ether_addr_copy(side[d].dst, dir->next_hop);
	}
	rcu_read_unlock();
	return reason;
}
