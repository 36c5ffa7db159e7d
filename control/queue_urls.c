// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_urllogger_queue: the log of names, as records of two kinds; see the uapi. */
#include "../core/base/netns.h"
#include "../include/uapi/linux/natflow_urllogger.h"
#include "../natflow_urllogger.h"
#include "queue.h"

/* The addresses of a record of version 2, by tuple_type. Host byte order but for addresses. */
static void put_tuple(struct natflow_url_tuple *out, const struct natflow_event *e, int type)
{
	union natflow_key orig = e->tuple[0], reply = e->tuple[1];
	const struct natflow_key_tail *ot = natflow_key_tail(&orig, e->family);
	const struct natflow_key_tail *rt = natflow_key_tail(&reply, e->family);
	const unsigned int size = e->family == NFPROTO_IPV4 ? 4 : 16;
	const u8 *orig_src = (const u8 *)&orig, *orig_dst = orig_src + size;
	const u8 *reply_src = (const u8 *)&reply, *reply_dst = reply_src + size;

	memset(out, 0, sizeof(*out));
	memcpy(out->src, type == 2 ? reply_dst : orig_src, size);
	memcpy(out->dst, type ? reply_src : orig_dst, size);
	out->sport = ntohs(type == 2 ? rt->ports.dport : ot->ports.sport);
	out->dport = ntohs(type ? rt->ports.sport : ot->ports.dport);
}

static unsigned int encode_v2(char *to, const struct natflow_event *e, int type)
{
	struct natflow_url_v2 *r = (void *)to;
	struct natflow_url_tuple t;

	put_tuple(&t, e, type);
	*r = (struct natflow_url_v2){
		.version = 2, .header_len = sizeof(*r),
		.record_len = sizeof(*r) + e->host_len + e->uri_len,
		.family = e->family, .timestamp = e->uptime, .sport = t.sport, .dport = t.dport,
		.hits = min_t(u64, e->record.events, U16_MAX), .host_len = e->host_len,
		.method = e->method == NATFLOW_URL_OTHER ? NATFLOW_URL_NONE : e->method,
		.source = e->source, .acl_idx = e->rule, .acl_action = e->action,
	};
	memcpy(r->sip, t.src, sizeof(r->sip));
	memcpy(r->dip, t.dst, sizeof(r->dip));
	memcpy(r->mac, e->mac, sizeof(r->mac));
	memcpy(to + sizeof(*r), e->text, e->host_len + e->uri_len);
	return r->record_len;
}

static char *put_attr(char *to, u16 type, const void *value, u16 len)
{
	struct natflow_url_attr *a = (void *)to;

	if (!len)
		return to;
	a->type = type;
	a->len = len;
	memcpy(a + 1, value, len);
	memset((char *)(a + 1) + len, 0, ALIGN(sizeof(*a) + len, 8) - sizeof(*a) - len);
	return to + ALIGN(sizeof(*a) + len, 8);
}

static unsigned int encode_v3(char *to, const struct natflow_event *e, u64 dropped, u64 limited)
{
	struct natflow_url_v3 *r = (void *)to;
	const char *text = e->text;
	struct natflow_url_tuple t;
	char *at = to + sizeof(*r);

	*r = (struct natflow_url_v3){
		.version = 3, .header_len = sizeof(*r), .sequence = e->record.number,
		.time = e->when, .hits = e->record.events, .dropped = dropped,
		.limited = limited, .family = e->family, .protocol = e->proto,
		.source = e->source, .method = e->method, .action = e->action,
		.rule = e->rule, .flags = e->flags,
	};
	if (memchr_inv(e->mac, 0, sizeof(e->mac)))
		at = put_attr(at, NATFLOW_URL_A_MAC, e->mac, sizeof(e->mac));
	put_tuple(&t, e, 0);
	at = put_attr(at, NATFLOW_URL_A_TUPLE, &t, sizeof(t));
	put_tuple(&t, e, 2);
	at = put_attr(at, NATFLOW_URL_A_NAT, &t, sizeof(t));
	at = put_attr(at, NATFLOW_URL_A_HOST, text, e->host_len);
	at = put_attr(at, e->source == NATFLOW_URL_ANSWER ? NATFLOW_URL_A_ANSWER :
							    NATFLOW_URL_A_URI,
		      text + e->host_len, e->uri_len);
	at = put_attr(at, NATFLOW_URL_A_ALPN, text + e->host_len + e->uri_len, e->alpn_len);
	at = put_attr(at, NATFLOW_URL_A_LIST, e->list, strlen(e->list));
	r->record_len = at - to;
	return r->record_len;
}

static struct natflow_names_log *log_of(struct natflow_net *nn)
{
	return natflow_urllogger_log(nn);
}

static struct natflow_ring *ring(struct natflow_net *nn)
{
	return &log_of(nn)->ring;
}

static void begin(struct natflow_queue_file *file, struct natflow_net *nn, bool oldest)
{
	natflow_names_log_begin(log_of(nn), &file->cursor, oldest);
}

static struct natflow_ring_record *next(struct natflow_queue_file *file, struct natflow_net *nn)
{
	struct natflow_event *e;

	while ((e = natflow_names_log_peek(log_of(nn), &file->cursor)) && file->version == 2 &&
	       e->source >= NATFLOW_URL_DNS)
		natflow_ring_pass(ring(nn), &file->cursor, &e->record);
	return e ? &e->record : NULL;
}

static unsigned int encode(struct natflow_queue_file *file, struct natflow_net *nn,
			   struct natflow_ring_record *record)
{
	const struct natflow_event *e = natflow_event(record);

	if (file->version == 2)
		return encode_v2(file->record, e,
				 natflow_urllogger_get(nn, NATFLOW_NAMES_TUPLE_TYPE));
	return encode_v3(file->record, e, file->cursor.dropped, log_of(nn)->limited);
}

static void pass(struct natflow_queue_file *file, struct natflow_net *nn,
		 struct natflow_ring_record *record)
{
	natflow_ring_pass(ring(nn), &file->cursor, record);
}

/* "clear" has the log forget all of it, for every reader. */
static int command(struct natflow_queue_file *file, struct natflow_net *nn, const char *line)
{
	if (strcmp(line, "clear"))
		return -ENOENT;
	natflow_ring_clear(ring(nn));
	return 0;
}

struct natflow_queue natflow_queue_urls = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_urllogger_queue",
		  .fops = &natflow_queue_fops, .mode = 0600 },
	.size = sizeof(struct natflow_queue_file),
	.version = 2,
	.newer = 3,
	.lines = "cache=N, records=2, records=3, from=oldest or clear",
	.ring = ring,
	.begin = begin,
	.command = command,
	.next = next,
	.encode = encode,
	.pass = pass,
};
