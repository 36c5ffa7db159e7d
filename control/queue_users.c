// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_userinfo_queue: events of users and their sums, as records of two kinds. */
#include <linux/socket.h>
#include <linux/timekeeping.h>
#include "../core/base/netns.h"
#include "../lib/text/auth.h"
#include "../natflow_user.h"
#include "../policy/event.h"
#include "queue.h"

static_assert(sizeof(struct natflow_userinfo_v3) == 102);
static_assert(offsetof(struct natflow_userinfo_v3, idle) == 8);
static_assert(offsetof(struct natflow_userinfo_v3, ip) == 12);
static_assert(offsetof(struct natflow_userinfo_v3, mac) == 28);
static_assert(offsetof(struct natflow_userinfo_v3, auth_type) == 34);
static_assert(offsetof(struct natflow_userinfo_v3, auth_rule) == 36);
static_assert(offsetof(struct natflow_userinfo_v3, rx_packets) == 38);
static_assert(offsetof(struct natflow_userinfo_v3, rx_speed_packets) == 70);
static_assert(offsetof(struct natflow_userinfo_v3, ifname) == 86);
static_assert(sizeof(struct natflow_userinfo_v4) == 72);
static_assert(offsetof(struct natflow_userinfo_v4, cookie) == 8);
static_assert(offsetof(struct natflow_userinfo_v4, user) == 48);
static_assert(offsetof(struct natflow_userinfo_v4, family) == 60);
static_assert(offsetof(struct natflow_userinfo_v4, auth_rule) == 66);
static_assert(sizeof(struct natflow_userinfo_attr) == 8);
static_assert(sizeof(struct natflow_userinfo_times) == 16);
static_assert(sizeof(struct natflow_userinfo_sums) == 80);
static_assert(sizeof(struct natflow_userinfo_rates) == 64);
static_assert(sizeof(struct natflow_userinfo_gone) == 88);

struct users_file {
	struct natflow_queue_file base;
	bool listing;
	loff_t at;			/* in the list: the next user's place */
	u64 listed;
	struct natflow_user_record now;	/* of the list: without a number */
};

static struct users_file *users_file(struct natflow_queue_file *file)
{
	return container_of(file, struct users_file, base);
}

static u16 family_of(const struct natflow_user_record *r)
{
	return r->family == NFPROTO_IPV4 ? AF_INET : r->family == NFPROTO_IPV6 ? AF_INET6 : 0;
}

/* -- records */

static u32 fit(u64 value)
{
	return min_t(u64, value, U32_MAX);
}

static unsigned int encode_v3(char *to, const struct natflow_user_record *r)
{
	const struct natflow_userinfo_sums *s = &r->sums;
	struct natflow_userinfo_v3 *v = (void *)to;

	*v = (struct natflow_userinfo_v3){
		.version = 3, .header_len = sizeof(*v), .record_len = sizeof(*v),
		.family = family_of(r), .idle = r->times.idle,
		.auth_type = r->type, .auth_status = r->status, .auth_rule = r->rule,
		.rx_packets = s->wan_rx.packets + s->lan_rx.packets,
		.rx_bytes = s->wan_rx.bytes + s->lan_rx.bytes,
		.tx_packets = s->wan_tx.packets + s->lan_tx.packets,
		.tx_bytes = s->wan_tx.bytes + s->lan_tx.bytes,
		.rx_speed_packets = fit(r->rates.rx8.packets),
		.rx_speed_bytes = fit(r->rates.rx8.bytes),
		.tx_speed_packets = fit(r->rates.tx8.packets),
		.tx_speed_bytes = fit(r->rates.tx8.bytes),
	};
	memcpy(v->ip, r->addr, sizeof(v->ip));
	memcpy(v->mac, r->mac, sizeof(v->mac));
	memcpy(v->ifname, r->dev, sizeof(v->ifname));
	return sizeof(*v);
}

static char *put_attr(char *to, u16 type, const void *value, u16 len)
{
	struct natflow_userinfo_attr *a = (void *)to;

	*a = (struct natflow_userinfo_attr){ .type = type, .len = len };
	to += sizeof(*a);
	memcpy(to, value, len);
	memset(to + len, 0, ALIGN(len, 8) - len);
	return to + ALIGN(len, 8);
}

static char *put_text(char *to, u16 type, const char *text)
{
	return *text ? put_attr(to, type, text, strlen(text)) : to;
}

static char *put_mac(char *to, u16 type, const u8 *mac)
{
	return memchr_inv(mac, 0, 6) ? put_attr(to, type, mac, 6) : to;
}

static char *put_who(char *to, const struct natflow_user_record *r)
{
	to = put_attr(to, NATFLOW_USERINFO_A_ADDRESS, r->addr,
		      r->family == NFPROTO_IPV4 ? 4 : 16);
	to = put_mac(to, NATFLOW_USERINFO_A_MAC, r->mac);
	to = put_mac(to, NATFLOW_USERINFO_A_OTHER_MAC, r->other);
	to = put_text(to, NATFLOW_USERINFO_A_DEVICE, r->dev);
	to = put_text(to, NATFLOW_USERINFO_A_NAME, r->name);
	to = put_text(to, NATFLOW_USERINFO_A_POLICY, r->policy);
	to = put_attr(to, NATFLOW_USERINFO_A_TIMES, &r->times, sizeof(r->times));
	return put_attr(to, NATFLOW_USERINFO_A_SUMS, &r->sums, sizeof(r->sums));
}

static unsigned int encode_v4(char *to, const struct natflow_user_record *r,
			      const struct natflow_userlog *log, u64 dropped)
{
	struct natflow_userinfo_v4 *v = (void *)to;
	char *at = to + sizeof(*v);

	*v = (struct natflow_userinfo_v4){
		.version = 4, .header_len = sizeof(*v), .cookie = log->cookie,
		.number = r->record.number, .time = r->when, .dropped = dropped,
		.limited = log->limited, .user = r->user, .kind = r->kind, .why = r->why,
		.family = family_of(r), .zone = r->zone, .auth_type = r->type,
		.auth_status = r->status, .auth_before = r->before, .auth_rule = r->rule,
	};
	if (r->family)
		at = put_who(at, r);
	if (r->value)
		at = put_attr(at, NATFLOW_USERINFO_A_VALUE, &r->value, sizeof(r->value));
	if (r->kind == NATFLOW_USERINFO_LAST || r->kind == NATFLOW_USERINFO_LIST_END)
		at = put_attr(at, NATFLOW_USERINFO_A_GONE, &r->gone, sizeof(r->gone));
	else
		at = put_attr(at, NATFLOW_USERINFO_A_RATES, &r->rates, sizeof(r->rates));
	v->record_len = at - to;
	return v->record_len;
}

static unsigned int encode(struct natflow_queue_file *file, struct natflow_net *nn,
			   struct natflow_ring_record *record)
{
	const struct natflow_user_record *r = natflow_user_record(record);

	if (file->version == 3)
		return encode_v3(file->record, r);
	return encode_v4(file->record, r, nn->userlog, file->cursor.dropped);
}

/* -- what comes next */

static struct natflow_ring *ring(struct natflow_net *nn)
{
	return &nn->userlog->ring;
}

/* Readers of the original take each record for a user who is there. */
static bool is_shown(const struct natflow_queue_file *file, const struct natflow_user_record *r)
{
	return file->version == 4 || r->kind != NATFLOW_USERINFO_LAST;
}

static struct natflow_user_record *next_event(struct natflow_queue_file *file,
					      struct natflow_net *nn)
{
	struct natflow_ring_record *record;

	while ((record = natflow_ring_peek(ring(nn), &file->cursor)) &&
	       !is_shown(file, natflow_user_record(record)))
		natflow_ring_pass(ring(nn), &file->cursor, record);
	return natflow_user_record(record);
}

static void end_list(struct users_file *file, struct natflow_net *nn)
{
	file->now = (struct natflow_user_record){
		.kind = NATFLOW_USERINFO_LIST_END,
		.when = ktime_get_real_ns(),
		.user = atomic64_read(&nn->userlog->users) + 1,
		.value = file->listed,
		.rule = NATFLOW_AUTH_NO_RULE,
		.gone = nn->userlog->gone,
	};
}

/* The next user of the list, or the end of it, in file->now. */
static struct natflow_user_record *next_listed(struct users_file *file, struct natflow_net *nn)
{
	static const struct natflow_user_news news = { .kind = NATFLOW_USERINFO_LISTED };
	const struct natflow_user *user;

	rcu_read_lock();
	user = natflow_user_from(nn, &file->at);
	if (user)
		natflow_userlog_describe(nn, user, &news, &file->now);
	else
		end_list(file, nn);
	rcu_read_unlock();
	if (!user && file->base.version == 3) {
		file->listing = false;
		return NULL;
	}
	return &file->now;
}

/*
 * Events first: whoever reads in order never sees a sum that is lower than one before,
 * and the end of a list has the sums of exactly those users whose last record was read.
 */
static struct natflow_ring_record *next(struct natflow_queue_file *file, struct natflow_net *nn)
{
	struct natflow_user_record *r = next_event(file, nn);

	if (!r && users_file(file)->listing)
		r = next_listed(users_file(file), nn);
	return r ? &r->record : NULL;
}

static void pass(struct natflow_queue_file *base, struct natflow_net *nn,
		 struct natflow_ring_record *record)
{
	struct users_file *file = users_file(base);

	if (record != &file->now.record) {
		natflow_ring_pass(ring(nn), &base->cursor, record);
		return;
	}
	file->listing = file->now.kind == NATFLOW_USERINFO_LISTED;
	file->at++;
	file->listed++;
}

/* -- lines */

static void begin(struct natflow_queue_file *file, struct natflow_net *nn, bool oldest)
{
	spin_lock_bh(&ring(nn)->lock);
	natflow_ring_begin(ring(nn), &file->cursor, oldest);
	spin_unlock_bh(&ring(nn)->lock);
	users_file(file)->listing = false;
}

/* In front of a record that the reader had not read when it last went; each is one event. */
static int begin_at(struct natflow_queue_file *file, struct natflow_net *nn, const char *value)
{
	u64 number;
	int err;

	if (kstrtou64(value, 10, &number) || !number)
		return -ENOENT;
	spin_lock_bh(&ring(nn)->lock);
	err = number > ring(nn)->closed ? -ENOENT : 0;
	if (!err)
		file->cursor = (struct natflow_ring_cursor){
			.next = number, .passed = number - 1,
		};
	spin_unlock_bh(&ring(nn)->lock);
	return err;
}

static int command(struct natflow_queue_file *file, struct natflow_net *nn, const char *line)
{
	if (!strncmp(line, "from=", 5))
		return begin_at(file, nn, line + 5);
	if (strcmp(line, "list"))
		return -ENOENT;
	users_file(file)->listing = true;
	users_file(file)->at = 0;
	users_file(file)->listed = 0;
	return 0;
}

static void open(struct natflow_net *nn)
{
	natflow_userlog_open(nn->userlog);
}

static void close(struct natflow_net *nn)
{
	natflow_userlog_close(nn->userlog);
}

struct natflow_queue natflow_queue_users = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_userinfo_queue",
		  .fops = &natflow_queue_fops, .mode = 0600 },
	.size = sizeof(struct users_file),
	.version = 3,
	.newer = 4,
	.lines = "cache=N, records=3, records=4, list, from=oldest or from=N",
	.ring = ring,
	.open = open,
	.close = close,
	.begin = begin,
	.command = command,
	.next = next,
	.encode = encode,
	.pass = pass,
};
