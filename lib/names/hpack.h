/* SPDX-License-Identifier: GPL-2.0-only */
/* HPACK (RFC 7541): method, host and path of a connection's header blocks. */
#ifndef _NATFLOW_LIB_NAMES_HPACK_H
#define _NATFLOW_LIB_NAMES_HPACK_H

#include "../host.h"

/* Characters kept of a value: a host name of 253, its final dot, "[]" and ":65535" fit. */
#define NATFLOW_HPACK_VALUE_MAX 264

/* The fields that natflow_hpack_next() reports. */
enum natflow_hpack_name {
	NATFLOW_HPACK_OTHER,
	NATFLOW_HPACK_AUTHORITY,
	NATFLOW_HPACK_METHOD,
	NATFLOW_HPACK_PATH,
	NATFLOW_HPACK_HOST,
};

struct natflow_hpack_field {
	enum natflow_hpack_name name;
	u16 len;
	bool cut;		/* the value is longer */
	bool unknown;		/* of method or path: the value is one of a former block */
	u8 value[NATFLOW_HPACK_VALUE_MAX];
};

#define NATFLOW_HPACK_ENTRIES 128	/* as many as fit in the 4,096 bytes that are the default */
#define NATFLOW_HPACK_HOSTS 4

/*
 * The dynamic table of a connection; all zero: empty. Only the names of its entries are
 * kept, and the values of the newest hosts. Eviction is not modelled: entries are counted
 * from the newest, and the server rejects a reference to one that it has evicted.
 */
struct natflow_hpack_table {
	u32 added;			/* entries so far */
	u8 entry[NATFLOW_HPACK_ENTRIES];	/* enum natflow_hpack_name, by number of entry */
	u32 hosts;			/* entries of hosts so far */
	u32 owner[NATFLOW_HPACK_HOSTS];	/* number of the entry, by number of host */
	struct natflow_hpack_field host[NATFLOW_HPACK_HOSTS];
};

/*
 * State of reading a block: the payloads of a HEADERS frame and of its
 * CONTINUATION frames, up to END_HEADERS. The caller has checked that all of them
 * are available. It sets the first five members and zeroes the others.
 */
struct natflow_hpack {
	const u8 *data;
	unsigned int at, end;	/* rest of the current frame's payload, offsets into @data */
	unsigned int next;	/* offset of the next CONTINUATION frame; 0: none */
	struct natflow_hpack_table *table;	/* changes with the block */
	unsigned int count;	/* representations read */
	u8 seen;		/* bit per enum natflow_hpack_name */
	bool begun;		/* a field was read */
};

int natflow_hpack_next(struct natflow_hpack *block, struct natflow_hpack_field *field);

#endif /* _NATFLOW_LIB_NAMES_HPACK_H */
