/* SPDX-License-Identifier: GPL-2.0-only */
/* An open file of a device in /dev: the part that every device has. */
#ifndef _NATFLOW_CONTROL_FILE_H
#define _NATFLOW_CONTROL_FILE_H

#include <linux/mutex.h>
#include <linux/poll.h>

struct natflow_door;
struct natflow_net;

/* First member of the struct that a device allocates for each open file. */
struct natflow_file {
	struct natflow_door *door;
	struct mutex lock;	/* serialises users of the file; outside the door's lock */
};

void *natflow_file_alloc(size_t size);
void natflow_file_free(struct natflow_file *file);
struct natflow_net *natflow_file_enter(struct natflow_file *file);
void natflow_file_leave(struct natflow_file *file);
__poll_t natflow_file_poll(struct natflow_file *file, struct file *filp, poll_table *table,
			   __poll_t (*events)(struct natflow_file *file, struct natflow_net *nn));

#endif /* _NATFLOW_CONTROL_FILE_H */
