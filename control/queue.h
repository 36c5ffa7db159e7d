/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/natflow_*_queue: records of a ring, read in order. Each open file has its own
 * position; a read returns whole records, and 0 if there is none.
 */
#ifndef _NATFLOW_CONTROL_QUEUE_H
#define _NATFLOW_CONTROL_QUEUE_H

#include <linux/miscdevice.h>
#include "../core/base/ring.h"
#include "file.h"

struct natflow_net;

/* First member of the struct of which a queue allocates one for each open file. */
struct natflow_queue_file {
	struct natflow_file file;	/* its lock protects all below */
	const struct natflow_queue *queue;
	struct natflow_ring_cursor cursor;
	u8 version;			/* of records */
	char record[4096] __aligned(8);	/* one, on its way out */
};

/* One row of queues[] in control/queue.c. Calls have the door's lock. */
struct natflow_queue {
	struct miscdevice misc;
	size_t size;			/* of an open file */
	u8 version, newer;		/* of records: at first, and after "records=" */
	const char *lines;		/* what may be written, for the message about other lines */
	struct natflow_ring *(*ring)(struct natflow_net *nn);
	/* Optional: a file was opened, is closed. */
	void (*open)(struct natflow_net *nn);
	void (*close)(struct natflow_net *nn);
	/* Place a reader behind the last record, or in front of the oldest one. */
	void (*begin)(struct natflow_queue_file *file, struct natflow_net *nn, bool oldest);
	/* A line that is only this queue's. Return: 0, an errno, or -ENOENT: unknown. */
	int (*command)(struct natflow_queue_file *file, struct natflow_net *nn, const char *line);
	/* The next record that the reader is shown, or NULL. These have the ring's lock, too. */
	struct natflow_ring_record *(*next)(struct natflow_queue_file *file,
					    struct natflow_net *nn);
	/* Write it into @file->record. Return: its length. */
	unsigned int (*encode)(struct natflow_queue_file *file, struct natflow_net *nn,
			       struct natflow_ring_record *record);
	/* It was read. */
	void (*pass)(struct natflow_queue_file *file, struct natflow_net *nn,
		     struct natflow_ring_record *record);
};

extern const struct file_operations natflow_queue_fops;
extern struct natflow_queue natflow_queue_urls, natflow_queue_users;

int natflow_queue_net_init(struct natflow_net *nn);
void natflow_queue_net_exit(struct natflow_net *nn);
int natflow_queue_init(void);
void natflow_queue_exit(void);

#endif /* _NATFLOW_CONTROL_QUEUE_H */
