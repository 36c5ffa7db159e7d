/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an open device file has of its network namespace. It does not keep the
 * namespace alive: when that goes the door is shut, and every call answers
 * -ENODEV.
 */
#ifndef _NATFLOW_CONTROL_DOOR_H
#define _NATFLOW_CONTROL_DOOR_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/wait.h>

struct natflow_net;

struct natflow_door {
	refcount_t ref;		/* the namespace and every open file */
	struct mutex lock;	/* outside natflow_net.lock and RTNL */
	struct natflow_net *nn;	/* NULL once shut; under @lock */
	wait_queue_head_t wait;	/* woken when it is shut, and by the log of names */
};

int natflow_door_net_init(struct natflow_net *nn);
void natflow_door_net_exit(struct natflow_net *nn);
struct natflow_door *natflow_door_get(void);
void natflow_door_put(struct natflow_door *door);
int natflow_door_gone(const char *name);

#endif /* _NATFLOW_CONTROL_DOOR_H */
