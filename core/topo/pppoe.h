/* SPDX-License-Identifier: GPL-2.0-only */
/* PPPoE sessions that PPP's own driver describes, at the ports below PPP devices. */
#ifndef _NATFLOW_CORE_TOPO_PPPOE_H
#define _NATFLOW_CORE_TOPO_PPPOE_H

#include "port.h"
#include "session.h"

/*
 * A packet came through PPP to its device's port, perhaps one that natflow_pppoe_look() sent.
 * Context: RCU read side, BH disabled.
 */
static inline void natflow_pppoe_arrived(struct natflow_port *port)
{
	if (unlikely(atomic_read(&port->above)))
		atomic_dec_if_positive(&port->above);
}

enum natflow_reason natflow_pppoe_look(struct natflow_session *s, const struct natflow_port *port);
void natflow_pppoe_learn(struct natflow_net *nn, const struct sk_buff *skb,
			 const struct natflow_port *in);
void natflow_pppoe_prune(struct natflow_port *port, const struct net_device *dev);

#endif /* _NATFLOW_CORE_TOPO_PPPOE_H */
