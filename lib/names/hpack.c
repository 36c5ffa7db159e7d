// SPDX-License-Identifier: GPL-2.0-only
/*
 * HPACK (RFC 7541). Only reported fields are decoded; the length of others is parsed,
 * and they are skipped.
 */
#include "hpack.h"

#define STATIC_ENTRIES 61	/* RFC 7541 appendix A */
#define FRAME_HEADER 9		/* RFC 9113 section 4.1 */
#define END_HEADERS 0x4		/* RFC 9113 section 6.10 */
#define HUFFMAN_BITS 30		/* longest code of RFC 7541 appendix B */
#define FIELDS_MAX 1024		/* in a block; limits the cost of many short fields */
#define INTEGER_SHIFT_MAX 21	/* 28 bits: far more than a block of any size we read needs */

/*
 * RFC 7541 appendix B is a canonical code: the number of codes of each length and
 * their symbols in order define it. EOS, the last code, is left out, because it
 * is always an error (section 5.2).
 */
static const u8 huffman_counts[HUFFMAN_BITS + 1] = {
	[5] = 10, [6] = 26, [7] = 32, [8] = 6, [10] = 5, [11] = 3, [12] = 2, [13] = 6,
	[14] = 2, [15] = 3, [19] = 3, [20] = 8, [21] = 13, [22] = 26, [23] = 29, [24] = 12,
	[25] = 4, [26] = 15, [27] = 19, [28] = 29, [30] = 3,
};

static const u8 huffman_symbols[256] = {
	0x30, 0x31, 0x32, 0x61, 0x63, 0x65, 0x69, 0x6f, 0x73, 0x74, 0x20, 0x25,
	0x2d, 0x2e, 0x2f, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3d, 0x41,
	0x5f, 0x62, 0x64, 0x66, 0x67, 0x68, 0x6c, 0x6d, 0x6e, 0x70, 0x72, 0x75,
	0x3a, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c,
	0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x59,
	0x6a, 0x6b, 0x71, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x26, 0x2a, 0x2c, 0x3b,
	0x58, 0x5a, 0x21, 0x22, 0x28, 0x29, 0x3f, 0x27, 0x2b, 0x7c, 0x23, 0x3e,
	0x00, 0x24, 0x40, 0x5b, 0x5d, 0x7e, 0x5e, 0x7d, 0x3c, 0x60, 0x7b, 0x5c,
	0xc3, 0xd0, 0x80, 0x82, 0x83, 0xa2, 0xb8, 0xc2, 0xe0, 0xe2, 0x99, 0xa1,
	0xa7, 0xac, 0xb0, 0xb1, 0xb3, 0xd1, 0xd8, 0xd9, 0xe3, 0xe5, 0xe6, 0x81,
	0x84, 0x85, 0x86, 0x88, 0x92, 0x9a, 0x9c, 0xa0, 0xa3, 0xa4, 0xa9, 0xaa,
	0xad, 0xb2, 0xb5, 0xb9, 0xba, 0xbb, 0xbd, 0xbe, 0xc4, 0xc6, 0xe4, 0xe8,
	0xe9, 0x01, 0x87, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8f, 0x93, 0x95, 0x96,
	0x97, 0x98, 0x9b, 0x9d, 0x9e, 0xa5, 0xa6, 0xa8, 0xae, 0xaf, 0xb4, 0xb6,
	0xb7, 0xbc, 0xbf, 0xc5, 0xe7, 0xef, 0x09, 0x8e, 0x90, 0x91, 0x94, 0x9f,
	0xab, 0xce, 0xd7, 0xe1, 0xec, 0xed, 0xc7, 0xcf, 0xea, 0xeb, 0xc0, 0xc1,
	0xc8, 0xc9, 0xca, 0xcd, 0xd2, 0xd5, 0xda, 0xdb, 0xee, 0xf0, 0xf2, 0xf3,
	0xff, 0xcb, 0xcc, 0xd3, 0xd4, 0xd6, 0xdd, 0xde, 0xdf, 0xf1, 0xf4, 0xf5,
	0xf6, 0xf7, 0xf8, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0x02, 0x03, 0x04, 0x05,
	0x06, 0x07, 0x08, 0x0b, 0x0c, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14,
	0x15, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x7f, 0xdc,
	0xf9, 0x0a, 0x0d, 0x16,
};

/* Go to the next byte. Return: false at the end of the block. */
static bool refill(struct natflow_hpack *block)
{
	while (block->at == block->end) {
		const u8 *frame = block->data + block->next;

		if (!block->next)
			return false;
		block->at = block->next + FRAME_HEADER;
		block->end = block->at + (frame[0] << 16 | frame[1] << 8 | frame[2]);
		block->next = frame[4] & END_HEADERS ? 0 : block->end;
	}
	return true;
}

/* Return: a byte, or -EINVAL at the end of the block. */
static int take(struct natflow_hpack *block)
{
	return refill(block) ? block->data[block->at++] : -EINVAL;
}

static int skip(struct natflow_hpack *block, unsigned int len)
{
	while (len) {
		unsigned int some;

		if (!refill(block))
			return -EINVAL;
		some = block->end - block->at;
		if (some > len)
			some = len;
		block->at += some;
		len -= some;
	}
	return 0;
}

/* RFC 7541 section 5.1, from the bits @mask of @first. Return: the value, or -EINVAL. */
static int take_integer(struct natflow_hpack *block, int first, int mask)
{
	unsigned int shift;
	int value = first & mask;

	if (first < 0 || value < mask)
		return first < 0 ? first : value;
	for (shift = 0; shift <= INTEGER_SHIFT_MAX; shift += 7) {
		int c = take(block);

		if (c < 0)
			return c;
		value += (c & 0x7f) << shift;
		if (!(c & 0x80))
			return value;
	}
	return -EINVAL;
}

/*
 * Bits of an incomplete symbol. @above is their value minus the first code of
 * their length; @base is the number of symbols with shorter codes.
 */
struct huffman {
	unsigned int bits, above, base;
	bool ones;
};

static const struct huffman huffman_begin = { .ones = true };

/* Return: a symbol, -EAGAIN if more bits are needed, or -EINVAL if no code begins like this. */
static int add_bit(struct huffman *h, unsigned int bit)
{
	unsigned int shorter = huffman_counts[h->bits++];

	if (h->bits > HUFFMAN_BITS)
		return -EINVAL;
	h->ones &= bit;
	h->above = (h->above - shorter) * 2 + bit;
	h->base += shorter;
	return h->above < huffman_counts[h->bits] ? huffman_symbols[h->base + h->above] : -EAGAIN;
}

static bool is_full(struct natflow_hpack_field *field)
{
	field->cut = field->len == NATFLOW_HPACK_VALUE_MAX;
	return field->cut;
}

static int take_huffman(struct natflow_hpack *block, unsigned int len,
			struct natflow_hpack_field *field)
{
	struct huffman h = huffman_begin;
	int mask, octet, symbol;

	for (; len; len--) {
		octet = take(block);
		if (octet < 0)
			return octet;
		for (mask = 0x80; mask; mask >>= 1) {
			symbol = add_bit(&h, !!(octet & mask));
			if (symbol == -EINVAL)
				return symbol;
			if (symbol < 0)
				continue;
			if (is_full(field))
				return skip(block, len - 1);
			field->value[field->len++] = symbol;
			h = huffman_begin;
		}
	}
	/* Padding is a prefix of EOS, so all ones, and shorter than a byte. */
	return h.bits < 8 && h.ones ? 0 : -EINVAL;
}

static int take_plain(struct natflow_hpack *block, unsigned int len,
		      struct natflow_hpack_field *field)
{
	for (; len && !is_full(field); len--) {
		int c = take(block);

		if (c < 0)
			return c;
		field->value[field->len++] = c;
	}
	return skip(block, len);
}

static int take_value(struct natflow_hpack *block, struct natflow_hpack_field *field)
{
	int first = take(block), len = take_integer(block, first, 0x7f);

	if (len < 0)
		return len;
	if (field->name == NATFLOW_HPACK_OTHER)
		return skip(block, len);
	return first & 0x80 ? take_huffman(block, len, field) : take_plain(block, len, field);
}

#define NAME_MAX_LEN 10		/* bytes of the longest spelling below */

/* Names as plain text and Huffman coded; the code of a text is unique. */
static const struct {
	const char *spelling;
	u8 len;
	bool huffman;
	u8 name;
} spellings[] = {
	{ ":authority", 10, false, NATFLOW_HPACK_AUTHORITY },
	{ "\xb8\x3b\x53\x39\xec\x32\x7d\x7f", 8, true, NATFLOW_HPACK_AUTHORITY },
	{ ":method", 7, false, NATFLOW_HPACK_METHOD },
	{ "\xb9\x49\x53\x39\xe4", 5, true, NATFLOW_HPACK_METHOD },
	{ ":path", 5, false, NATFLOW_HPACK_PATH },
	{ "\xb9\x58\xd3\x3f", 4, true, NATFLOW_HPACK_PATH },
	{ "host", 4, false, NATFLOW_HPACK_HOST },
	{ "\x9c\xe8\x4f", 3, true, NATFLOW_HPACK_HOST },
};

/* Return: enum natflow_hpack_name, or -EINVAL. */
static int take_name(struct natflow_hpack *block)
{
	int first = take(block), len = take_integer(block, first, 0x7f), i;
	u8 text[NAME_MAX_LEN];

	if (len < 0 || len > NAME_MAX_LEN)
		return len < 0 ? len : skip(block, len);
	for (i = 0; i < len; i++) {
		int c = take(block);

		if (c < 0)
			return c;
		text[i] = c;
	}
	for (i = 0; i < (int)ARRAY_SIZE(spellings); i++) {
		if (spellings[i].len == len && spellings[i].huffman == !!(first & 0x80) &&
		    !memcmp(spellings[i].spelling, text, len))
			return spellings[i].name;
	}
	return NATFLOW_HPACK_OTHER;
}

/* Number of the entry with a dynamic index, from 0. Return: false if it is not known. */
static bool find_entry(const struct natflow_hpack_table *table, unsigned int index, u32 *number)
{
	index -= STATIC_ENTRIES + 1;
	*number = table->added - 1 - index;
	return index < table->added && index < NATFLOW_HPACK_ENTRIES;
}

static int find_name(const struct natflow_hpack *block, unsigned int index)
{
	u32 number;
	static const u8 names[STATIC_ENTRIES + 1] = {
		[1] = NATFLOW_HPACK_AUTHORITY,
		[2] = NATFLOW_HPACK_METHOD, [3] = NATFLOW_HPACK_METHOD,
		[4] = NATFLOW_HPACK_PATH, [5] = NATFLOW_HPACK_PATH,
		[38] = NATFLOW_HPACK_HOST,
	};

	if (index < ARRAY_SIZE(names))
		return index ? names[index] : -EINVAL;
	if (!find_entry(block->table, index, &number))
		return -EINVAL;
	return block->table->entry[number % NATFLOW_HPACK_ENTRIES];
}

static bool is_host(int name)
{
	return name == NATFLOW_HPACK_AUTHORITY || name == NATFLOW_HPACK_HOST;
}

static void copy_value(struct natflow_hpack_field *to, const struct natflow_hpack_field *from)
{
	to->len = from->len;
	to->cut = from->cut;
	memcpy(to->value, from->value, from->len);
}

static void add_entry(struct natflow_hpack_table *table, const struct natflow_hpack_field *field)
{
	unsigned int slot = table->hosts % NATFLOW_HPACK_HOSTS;

	if (is_host(field->name)) {
		table->owner[slot] = table->added;
		copy_value(&table->host[slot], field);
		table->hosts++;
	}
	table->entry[table->added++ % NATFLOW_HPACK_ENTRIES] = field->name;
}

/* Return: false if the value is not kept any more. */
static bool set_dynamic_value(struct natflow_hpack_table *table, struct natflow_hpack_field *field,
			      unsigned int index)
{
	unsigned int i;
	u32 number;

	if (!is_host(field->name)) {
		field->unknown = true;
		return true;
	}
	if (!find_entry(table, index, &number))
		return false;
	for (i = 0; i < NATFLOW_HPACK_HOSTS && i < table->hosts; i++) {
		if (table->owner[i] == number) {
			copy_value(field, &table->host[i]);
			return true;
		}
	}
	return false;
}

static void set_static_value(struct natflow_hpack_field *field, unsigned int index)
{
	static const char * const values[] = { "", "", "GET", "POST", "/", "/index.html" };
	const char *value = index < ARRAY_SIZE(values) ? values[index] : "";

	field->len = strlen(value);
	memcpy(field->value, value, field->len);
}

/* Each field at most once, pseudo-headers first: RFC 9113 section 8.3. */
static bool is_in_order(struct natflow_hpack *block, enum natflow_hpack_name name)
{
	u8 refused = 1 << name | 1 << NATFLOW_HPACK_HOST;

	if (name == NATFLOW_HPACK_OTHER)
		return true;
	if (block->seen & refused)
		return false;
	block->seen |= 1 << name;
	return true;
}

/* RFC 7541 section 6.1 */
static int take_indexed(struct natflow_hpack *block, u8 first, struct natflow_hpack_field *field)
{
	int index = take_integer(block, first, 0x7f);
	int name = index < 0 ? index : find_name(block, index);

	if (name < 0 || !is_in_order(block, name))
		return -EINVAL;
	field->name = name;
	if (name == NATFLOW_HPACK_OTHER)
		return 0;
	if (index > STATIC_ENTRIES)
		return set_dynamic_value(block->table, field, index) ? 0 : -EINVAL;
	set_static_value(field, index);
	return 0;
}

/* RFC 7541 section 6.2, all three kinds of literals */
static int take_literal(struct natflow_hpack *block, u8 first, struct natflow_hpack_field *field)
{
	bool add = first & 0x40;
	int index = take_integer(block, first, add ? 0x3f : 0x0f);
	int name = index > 0 ? find_name(block, index) : index ?: take_name(block);

	int err;

	if (name < 0 || !is_in_order(block, name))
		return -EINVAL;
	field->name = name;
	err = take_value(block, field);
	if (!err && add)
		add_entry(block->table, field);
	return err;
}

/**
 * natflow_hpack_next() - find the next reported field
 * @block: state of reading
 * @field: the result
 *
 * Each name occurs at most once, "host" last. Values of other fields are not
 * decoded.
 *
 * Return: 1, 0 at the end of the block, or -EINVAL if the block is wrong.
 */
int natflow_hpack_next(struct natflow_hpack *block, struct natflow_hpack_field *field)
{
	int err = 0;

	do {
		u8 first;

		if (!refill(block))
			return 0;
		if (block->count++ == FIELDS_MAX)
			return -EINVAL;
		first = block->data[block->at++];
		field->name = NATFLOW_HPACK_OTHER;
		field->len = 0;
		field->cut = false;
		field->unknown = false;
		if ((first & 0xe0) == 0x20) {
			/* Table size update, RFC 7541 section 6.3: only in front (section 4.2). */
			err = take_integer(block, first, 0x1f);
			if (block->begun)
				err = -EINVAL;
			continue;
		}
		block->begun = true;
		err = first & 0x80 ? take_indexed(block, first, field) :
				     take_literal(block, first, field);
	} while (err >= 0 && field->name == NATFLOW_HPACK_OTHER);
	return err < 0 ? err : 1;
}
