/* SPDX-License-Identifier: GPL-2.0-only */
/* HPACK (RFC 7541) for the first header block of a connection: method, host and path. */
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

/*
 * State of reading a block: the payloads of a HEADERS frame and of its
 * CONTINUATION frames, up to END_HEADERS. The caller has checked that all of them
 * are available. It sets the first four members and zeroes the others.
 */
struct natflow_hpack {
	const u8 *data;
	unsigned int at, end;	/* rest of the current frame's payload, offsets into @data */
	unsigned int next;	/* offset of the next CONTINUATION frame; 0: none */
	u64 told;		/* dynamic table, newest in bit 0: is the name reported? */
	unsigned int added;	/* entries in the dynamic table */
	unsigned int count;	/* representations read */
	u8 seen;		/* bit per enum natflow_hpack_name */
	bool begun;		/* a field was read */
};

struct natflow_hpack_field {
	enum natflow_hpack_name name;
	u16 len;
	bool cut;		/* the value is longer */
	u8 value[NATFLOW_HPACK_VALUE_MAX];
};

int natflow_hpack_next(struct natflow_hpack *block, struct natflow_hpack_field *field);

#endif /* _NATFLOW_LIB_NAMES_HPACK_H */
