// SPDX-License-Identifier: GPL-2.0-only
/* DNS messages: the question, the answers, the response code. */
#include "dns.h"

#define HEADER NATFLOW_DNS_QUESTION	/* RFC 1035 section 4.1.1 */
#define RECORD 10	/* type, class, TTL, RDLENGTH; section 4.1.3 */
#define LABEL_MAX 63	/* section 2.3.4 */
#define NAME_MAX_WIRE 255	/* section 2.3.4; hence at most 127 labels */
#define POINTER 0xc0	/* section 4.1.4 */
#define CLASS_IN 1
#define TYPE_OPT 41	/* RFC 6891 section 6.1.1 */

static unsigned int be16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 be32(const u8 *p)
{
	return (u32)be16(p) << 16 | be16(p + 2);
}

/*
 * A pointer must refer to bytes before the labels that it ends, not merely before
 * itself. So following pointers always ends. Return: the offset, or 0 if wrong.
 */
static unsigned int follow(const u8 *pointer, unsigned int before)
{
	unsigned int to = be16(pointer) & ~(POINTER << 8);

	return to >= HEADER && to < before ? to : 0;
}

/*
 * Skip a name, which must end before @len. Its pointers must refer to bytes before
 * @before; they are not followed.
 */
static enum natflow_parsed skip_name(struct natflow_dns_cursor *c, unsigned int len,
				     unsigned int *end, unsigned int before)
{
	unsigned int at = *end;
	u8 n;

	do {
		if (at >= len)
			return NATFLOW_PARSE_MORE;
		n = c->msg[at];
		if (n >= POINTER) {
			if (len - at < 2)
				return NATFLOW_PARSE_MORE;
			if (!follow(c->msg + at, before))
				return NATFLOW_PARSE_MALFORMED;
			at += 2;
			break;
		}
		at += 1 + n;
		if (n > LABEL_MAX || at - *end > NAME_MAX_WIRE)
			return NATFLOW_PARSE_MALFORMED;
	} while (n);
	c->spent += (at - *end) / 2;
	*end = at;
	return NATFLOW_PARSED;
}

/*
 * Append a label and a dot. A label may have any byte (RFC 2181 section 11). A dot in
 * it would make two names equal, and a natflow_hostname has no blanks.
 */
static void copy_label(u8 *text, const u8 *label, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		u8 ch = label[i];

		text[i] = ch == '.' || ch <= ' ' || ch >= 0x7f ? '?' : ch;
	}
	text[n] = '.';
}

/**
 * natflow_dns_name_read() - read a name and follow its pointers
 * @c: a cursor after natflow_dns_begin()
 * @at: offset of the name, from a record
 * @host: the result; empty for the root
 *
 * A dot in a label, and each byte that is no printable character, becomes "?".
 *
 * Return: false, with @host empty, if the name is malformed or too long, or if @c has
 * spent NATFLOW_DNS_BUDGET.
 */
bool natflow_dns_name_read(struct natflow_dns_cursor *c, unsigned int at,
			   struct natflow_hostname *host)
{
	u8 text[NAME_MAX_WIRE - 1];	/* without the root's byte */
	unsigned int start = at, size = 0, n;

	natflow_hostname_set(host, c->msg, 0);
	while (at < c->len && c->spent++ < NATFLOW_DNS_BUDGET) {
		n = c->msg[at];
		if (!n)
			return natflow_hostname_set(host, text, size) || !size;
		if (n >= POINTER) {
			start = c->len - at < 2 ? 0 : follow(c->msg + at, start);
			if (!start)
				return false;
			at = start;
			continue;
		}
		if (n > LABEL_MAX || n >= c->len - at || size + n + 1 > sizeof(text))
			return false;
		copy_label(text + size, c->msg + at + 1, n);
		c->spent += n;
		size += n + 1;
		at += n + 1;
	}
	return false;
}

/**
 * natflow_dns_name_at() - where the labels of a name begin
 * @c: a cursor after natflow_dns_begin()
 * @at: offset of the name, from a record
 *
 * Return: the offset, 0 if a pointer is malformed or @c has spent NATFLOW_DNS_BUDGET.
 * Names with equal offsets are equal.
 */
unsigned int natflow_dns_name_at(struct natflow_dns_cursor *c, unsigned int at)
{
	while (at && at < c->len && c->msg[at] >= POINTER && c->spent++ < NATFLOW_DNS_BUDGET)
		at = c->len - at < 2 ? 0 : follow(c->msg + at, at);
	return at < c->len && c->msg[at] < POINTER ? at : 0;
}

static enum natflow_parsed read_record(struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	const unsigned int start = c->at;
	enum natflow_parsed ret;
	const u8 *fixed;
	unsigned int n;

	ret = skip_name(c, c->len, &c->at, start);
	if (ret != NATFLOW_PARSED)
		return ret;
	if (c->len - c->at < RECORD)
		return NATFLOW_PARSE_MORE;
	fixed = c->msg + c->at;
	n = be16(fixed + 8);
	c->at += RECORD;
	c->spent += RECORD / 2;
	if (c->len - c->at < n)
		return NATFLOW_PARSE_MORE;
	memset(r, 0, sizeof(*r));
	r->owner = c->msg[start] < POINTER ? start : follow(c->msg + start, start);
	r->type = be16(fixed);
	r->class = be16(fixed + 2);
	r->ttl = be32(fixed + 4);
	r->data = c->at;
	c->at += n;
	r->end = c->at;
	c->left--;
	return NATFLOW_PARSED;
}

/*
 * Check a value's length (RFC 9460 sections 7 and 8). The connecting client checks
 * that the keys of "mandatory" are present.
 */
static const struct { u16 least, most, unit; } shapes[] = {
	[NATFLOW_DNS_MANDATORY] = { 2, 0xffff, 2 },
	[NATFLOW_DNS_ALPN] = { 2, 0xffff, 1 },
	[NATFLOW_DNS_NO_DEFAULT_ALPN] = { 0, 0, 1 },
	[NATFLOW_DNS_PORT] = { 2, 2, 1 },
	[NATFLOW_DNS_IPV4HINT] = { 4, 0xffff, 4 },
	[NATFLOW_DNS_ECH] = { 1, 0xffff, 1 },
	[NATFLOW_DNS_IPV6HINT] = { 16, 0xffff, 16 },
};

static bool good_value(const u8 *value, u16 key, unsigned int len)
{
	unsigned int i;

	if (key >= ARRAY_SIZE(shapes))
		return true;
	if (len < shapes[key].least || len > shapes[key].most || len % shapes[key].unit)
		return false;
	if (key != NATFLOW_DNS_ALPN)
		return true;
	for (i = 0; i < len && value[i]; )
		i += 1 + value[i];
	return i == len;
}

/**
 * natflow_dns_param_next() - get the next SvcParam
 * @c: the cursor that gave @r
 * @r: a record of type SVCB or HTTPS; its @data moves on
 * @p: the result. Hints are whole addresses in network order. ALPN is a list of
 * non-empty strings, each behind a byte of its length. Other values are raw.
 *
 * Return: false at the end.
 */
bool natflow_dns_param_next(const struct natflow_dns_cursor *c, struct natflow_dns_record *r,
			    struct natflow_dns_param *p)
{
	const u8 *param = c->msg + r->data;

	if (r->end - r->data < 4)
		return false;
	p->key = be16(param);
	p->len = be16(param + 2);
	p->at = r->data + 4;
	if (p->len > r->end - p->at || !good_value(param + 4, p->key, p->len))
		return false;
	r->data = p->at + p->len;
	return true;
}

/* RFC 9460 section 2.2: the target has no pointers; section 2.4.2: an alias, no parameters. */
static bool read_service(struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	if (r->end - r->data < 2)
		return false;
	r->priority = be16(c->msg + r->data);
	r->data += 2;
	r->target = r->data;
	if (skip_name(c, r->end, &r->data, 0) != NATFLOW_PARSED)
		return false;
	if (!r->priority)
		r->data = r->end;
	return true;
}

static bool read_address(const struct natflow_dns_cursor *c, struct natflow_dns_record *r,
			 unsigned int size)
{
	if (r->end - r->data != size)
		return false;
	memcpy(r->addr, c->msg + r->data, size);
	return true;
}

static bool read_data(struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	unsigned int at = r->data;

	if (r->ttl >> 31)
		r->ttl = 0;	/* RFC 2181 section 8 */
	switch (r->type) {
	case NATFLOW_DNS_A:
		return read_address(c, r, 4);
	case NATFLOW_DNS_AAAA:
		return read_address(c, r, 16);
	case NATFLOW_DNS_CNAME:
		r->target = at;
		return skip_name(c, r->end, &at, at) == NATFLOW_PARSED && at == r->end;
	case NATFLOW_DNS_SVCB:
	case NATFLOW_DNS_HTTPS:
		return read_service(c, r);
	default:
		return true;
	}
}

/* RFC 9460 section 2.2: keys ascend. Checked once; natflow_dns_next() relies on it. */
static bool check_data(struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	struct natflow_dns_param p;
	int last = -1;

	if (!read_data(c, r))
		return false;
	if (r->type != NATFLOW_DNS_SVCB && r->type != NATFLOW_DNS_HTTPS)
		return true;
	while (natflow_dns_param_next(c, r, &p)) {
		if (p.key <= last)
			return false;
		last = p.key;
	}
	return r->data == r->end;
}

/* RFC 6891 section 6.1: at most one OPT; its owner is the root, and its TTL has flags. */
static bool take_opt(const struct natflow_dns_cursor *c, const struct natflow_dns_record *r,
		     struct natflow_dns *dns)
{
	if (dns->edns || c->msg[r->owner])
		return false;
	dns->edns = true;
	dns->rcode |= r->ttl >> 24 << 4;
	return true;
}

static enum natflow_parsed check_records(struct natflow_dns_cursor *c, struct natflow_dns *dns)
{
	const unsigned int additionals = dns->answers + dns->authorities;
	unsigned int i;

	c->left = additionals + dns->additionals;
	for (i = 0; c->left; i++) {
		struct natflow_dns_record r;
		enum natflow_parsed ret = read_record(c, &r);

		if (ret != NATFLOW_PARSED)
			return ret;
		if (i < dns->answers && r.class == CLASS_IN && !check_data(c, &r))
			return NATFLOW_PARSE_MALFORMED;
		if (i >= additionals && r.type == TYPE_OPT && !take_opt(c, &r, dns))
			return NATFLOW_PARSE_MALFORMED;
	}
	return NATFLOW_PARSED;
}

static void read_header(const u8 *msg, struct natflow_dns *dns)
{
	dns->id = be16(msg);
	dns->response = msg[2] >> 7;
	dns->opcode = msg[2] >> 3 & 15;
	dns->truncated = msg[2] & 2;
	dns->rcode = msg[3] & 15;
	dns->questions = be16(msg + 4);
	dns->answers = be16(msg + 6);
	dns->authorities = be16(msg + 8);
	dns->additionals = be16(msg + 10);
}

/* A question's name, type and class. */
static enum natflow_parsed skip_question(struct natflow_dns_cursor *c)
{
	enum natflow_parsed ret = skip_name(c, c->len, &c->at, 0);

	if (ret != NATFLOW_PARSED)
		return ret;
	if (c->len - c->at < 4)
		return NATFLOW_PARSE_MORE;
	c->at += 4;
	return NATFLOW_PARSED;
}

/* Read the first question, and check the form of the others. */
static enum natflow_parsed read_questions(struct natflow_dns_cursor *c, struct natflow_dns *dns)
{
	enum natflow_parsed ret = NATFLOW_PARSED;
	unsigned int i, end = 0;

	if (!dns->questions || dns->questions > NATFLOW_DNS_QUESTIONS_MAX)
		return NATFLOW_PARSE_MALFORMED;
	for (i = 0; i < dns->questions && ret == NATFLOW_PARSED; i++) {
		ret = skip_question(c);
		end = end ?: c->at;
	}
	if (ret != NATFLOW_PARSED)
		return dns->questions == 1 ? ret : NATFLOW_PARSE_MALFORMED;
	if (!natflow_dns_name_read(c, NATFLOW_DNS_QUESTION, &dns->question))
		return NATFLOW_PARSE_MALFORMED;
	dns->type = be16(c->msg + end - 4);
	dns->class = be16(c->msg + end - 2);
	dns->question_end = end;
	return dns->questions == 1 ? NATFLOW_PARSED : NATFLOW_PARSE_MALFORMED;
}

/**
 * natflow_dns_parse() - check a message and read its question
 * @msg: the message from its header on, without a TCP length; not referenced later
 * @len: available bytes; bytes behind the last record are ignored
 * @dns: the result; if its @question_end is 0, not even the question can be read
 *
 * The form of all records is checked, and the data of class IN records in the answer
 * section. Names other than the question's are checked when they are read. A
 * message without exactly one question is malformed; up to NATFLOW_DNS_QUESTIONS_MAX
 * can be read nevertheless.
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MALFORMED or NATFLOW_PARSE_MORE. For a
 * complete datagram or TCP frame NATFLOW_PARSE_MORE means malformed too.
 */
enum natflow_parsed natflow_dns_parse(const u8 *msg, unsigned int len, struct natflow_dns *dns)
{
	struct natflow_dns_cursor c = { .msg = msg, .len = len, .at = NATFLOW_DNS_QUESTION };
	enum natflow_parsed ret;

	memset(dns, 0, sizeof(*dns));
	if (len < HEADER)
		return NATFLOW_PARSE_MORE;
	read_header(msg, dns);
	ret = read_questions(&c, dns);
	return ret == NATFLOW_PARSED ? check_records(&c, dns) : ret;
}

/**
 * natflow_dns_question_next() - read the next question of a message that has several
 * @c: cursor after natflow_dns_begin(), which stands behind the first question
 * @host: the result; empty for the root
 *
 * Context: not more often than natflow_dns.questions - 1 times.
 * Return: false if the name is malformed.
 */
bool natflow_dns_question_next(struct natflow_dns_cursor *c, struct natflow_hostname *host)
{
	unsigned int at = c->at;

	return skip_question(c) == NATFLOW_PARSED && natflow_dns_name_read(c, at, host);
}

/**
 * natflow_dns_begin() - start a walk over the answers
 * @c: cursor, zeroed before first use; it keeps its spent budget, so that all walks
 * over a message share one (a CNAME chain out of order needs several walks)
 * @dns: of this message, from natflow_dns_parse(), with a question that can be read
 * @msg: the message; must stay valid while @c is used
 * @len: its bytes
 */
void natflow_dns_begin(struct natflow_dns_cursor *c, const struct natflow_dns *dns, const u8 *msg,
		       unsigned int len)
{
	c->msg = msg;
	c->len = len;
	c->at = dns->question_end;
	c->left = dns->answers;
}

/**
 * natflow_dns_next() - get the next answer of class IN; malformed ones are left out
 * @c: a cursor after natflow_dns_begin()
 * @r: the result; types that are not in enum natflow_dns_type are raw
 *
 * Return: false when there are no more, or when @c has spent NATFLOW_DNS_BUDGET.
 */
bool natflow_dns_next(struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	while (c->left && c->spent < NATFLOW_DNS_BUDGET && read_record(c, r) == NATFLOW_PARSED) {
		if (r->class == CLASS_IN && read_data(c, r))
			return true;
	}
	return false;
}

/**
 * natflow_dns_frame_next() - find the next message of a TCP stream
 * @stream: from a length prefix (RFC 1035 section 4.2.2) on
 * @len: available bytes
 * @f: position of the message without its prefix; zeroed before the first call
 *
 * Return: NATFLOW_PARSED; NATFLOW_PARSE_MORE, with @f unchanged, at the end or if
 * the message at @f->at + @f->len is cut off; NATFLOW_PARSE_MALFORMED for an
 * impossible length, behind which nothing can be read.
 */
enum natflow_parsed natflow_dns_frame_next(const u8 *stream, unsigned int len,
					   struct natflow_dns_frame *f)
{
	unsigned int at = f->at + f->len, size;

	if (len - at < 2)
		return NATFLOW_PARSE_MORE;
	size = be16(stream + at);
	if (size < HEADER)
		return NATFLOW_PARSE_MALFORMED;
	if (size > len - at - 2)
		return NATFLOW_PARSE_MORE;
	f->at = at + 2;
	f->len = size;
	return NATFLOW_PARSED;
}
