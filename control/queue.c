// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_urllogger_queue: the log of names, as records of two kinds; see the uapi. */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../include/uapi/linux/natflow_urllogger.h"
#include "../natflow_urllogger.h"
#include "door.h"
#include "file.h"
#include "queue.h"

#define NAME "natflow_urllogger_queue"

struct queue_file {
	struct natflow_file file;	/* its lock protects all below */
	struct natflow_ring_cursor cursor;
	bool v3;
	char record[4096] __aligned(8);	/* one, on its way out */
};

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

/* The next record that this reader is shown. Context: the ring's lock held. */
static struct natflow_event *next_event(struct queue_file *file, struct natflow_names_log *log)
{
	struct natflow_event *e;

	while ((e = natflow_names_log_peek(log, &file->cursor)) && !file->v3 &&
	       e->source >= NATFLOW_URL_DNS)
		natflow_ring_pass(&log->ring, &file->cursor, &e->record);
	return e;
}

/* The next record, in file->record. Return: its length, 0 if there is none, or an errno. */
static int next_record(struct queue_file *file, size_t room)
{
	struct natflow_names_log *log;
	struct natflow_event *e;
	struct natflow_net *nn;
	int len = -ENODEV;

	nn = natflow_file_enter(&file->file);
	if (nn) {
		log = natflow_urllogger_log(nn);
		spin_lock_bh(&log->ring.lock);
		e = next_event(file, log);
		len = !e ? 0 : file->v3 ?
			encode_v3(file->record, e, file->cursor.dropped, log->limited) :
			encode_v2(file->record, e,
				  natflow_urllogger_get(nn, NATFLOW_NAMES_TUPLE_TYPE));
		if (e && len <= room)
			natflow_ring_pass(&log->ring, &file->cursor, &e->record);
		spin_unlock_bh(&log->ring.lock);
	}
	natflow_file_leave(&file->file);
	return len < 0 || len <= room ? len : -EMSGSIZE;
}

/* Logged once, because a reader may repeat such a read for ever. */
static void complain_room(struct queue_file *file, size_t room)
{
	struct natflow_net *nn = natflow_file_enter(&file->file);

	if (nn)
		natflow_log_once(nn, NATFLOW_LOG_ERROR,
				 NAME ": a read of %zu bytes: expected at least %zu, as in: 65536",
				 room, sizeof(file->record));
	natflow_file_leave(&file->file);
}

/* The door's lock is not held while user memory is written. */
static ssize_t queue_read(struct file *filp, char __user *user, size_t room, loff_t *pos)
{
	struct queue_file *file = filp->private_data;
	size_t done = 0;
	int len;

	mutex_lock(&file->file.lock);
	while ((len = next_record(file, room - done)) > 0) {
		if (copy_to_user(user + done, file->record, len)) {
			len = -EFAULT;
			break;
		}
		done += len;
		cond_resched();
	}
	mutex_unlock(&file->file.lock);
	if (len == -EFAULT)
		return len;
	if (!done && len == -EMSGSIZE)
		complain_room(file, room);
	/* A record that does not fit behind others comes first next time. */
	return done ? done : len == -EMSGSIZE ? -EINVAL : len;
}

/*
 * "cache=N" is what readers of the original begin with; it kept nothing without,
 * and N records then. Here only "cache=0" means something: what has come so far
 * is not wanted. "clear" has the log forget all of it, for every reader.
 */
static int command(struct queue_file *file, struct natflow_net *nn, const char *line)
{
	struct natflow_names_log *log = natflow_urllogger_log(nn);
	unsigned int n;

	if (!strcmp(line, "records=2"))
		file->v3 = false;
	else if (!strcmp(line, "records=3"))
		file->v3 = true;
	else if (!strcmp(line, "from=oldest"))
		natflow_names_log_begin(log, &file->cursor, true);
	else if (!strcmp(line, "clear"))
		natflow_ring_clear(&log->ring);
	else if (strncmp(line, "cache=", 6))
		goto bad;
	else if (kstrtouint(line + 6, 10, &n))
		goto bad_number;
	else if (!n)
		natflow_names_log_begin(log, &file->cursor, false);
	return 0;

bad:
	natflow_log(nn, NATFLOW_LOG_ERROR, NAME ": '%*pE': expected %s", (int)strlen(line), line,
		    "cache=N, records=2, records=3, from=oldest or clear, as in: records=3");
	return -EINVAL;
bad_number:
	natflow_log(nn, NATFLOW_LOG_ERROR, NAME ": '%*pE': expected %s",
		    (int)strlen(line + 6), line + 6, "0 to 4294967295, as in: cache=0");
	return -EINVAL;
}

static int commands(struct queue_file *file, struct natflow_net *nn, char *text, size_t len)
{
	char *line;
	int err = 0;

	if (!nn)
		return natflow_door_gone(NAME);
	if (strlen(text) != len) {
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    NAME ": expected at most 63 printable bytes a write, as in: records=3");
		return -EINVAL;
	}
	while (!err && (line = strsep(&text, "\n")))
		if (*line)
			err = command(file, nn, line);
	return err;
}

static ssize_t queue_write(struct file *filp, const char __user *user, size_t len, loff_t *pos)
{
	struct queue_file *file = filp->private_data;
	char text[64];
	int err;

	if (copy_from_user(text, user, min(len, sizeof(text) - 1)))
		return -EFAULT;
	/* If the write is longer, strlen() of this differs from @len. */
	text[min(len, sizeof(text) - 1)] = '\0';
	mutex_lock(&file->file.lock);
	err = commands(file, natflow_file_enter(&file->file), text, len);
	natflow_file_leave(&file->file);
	mutex_unlock(&file->file.lock);
	return err ?: len;
}

static __poll_t ready_events(struct natflow_file *base, struct natflow_net *nn)
{
	struct queue_file *file = container_of(base, struct queue_file, file);
	struct natflow_names_log *log = natflow_urllogger_log(nn);
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	spin_lock_bh(&log->ring.lock);
	if (next_event(file, log))
		events |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_bh(&log->ring.lock);
	return events;
}

static __poll_t queue_poll(struct file *filp, poll_table *table)
{
	struct queue_file *file = filp->private_data;
	__poll_t events;

	mutex_lock(&file->file.lock);
	events = natflow_file_poll(&file->file, filp, table, ready_events);
	mutex_unlock(&file->file.lock);
	return events;
}

static int queue_open(struct inode *inode, struct file *filp)
{
	struct queue_file *file = natflow_file_alloc(sizeof(*file));
	struct natflow_net *nn;

	if (IS_ERR(file))
		return PTR_ERR(file);
	nn = natflow_file_enter(&file->file);
	if (nn)
		natflow_names_log_begin(natflow_urllogger_log(nn), &file->cursor, false);
	natflow_file_leave(&file->file);
	if (!nn) {
		natflow_file_free(&file->file);
		return -ENODEV;
	}
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int queue_release(struct inode *inode, struct file *filp)
{
	struct queue_file *file = filp->private_data;

	natflow_file_free(&file->file);
	return 0;
}

static const struct file_operations queue_fops = {
	.owner		= THIS_MODULE,
	.open		= queue_open,
	.read		= queue_read,
	.write		= queue_write,
	.poll		= queue_poll,
	.release	= queue_release,
};

static struct miscdevice queue_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= NAME,
	.fops	= &queue_fops,
	.mode	= 0600,
};

/**
 * natflow_queue_net_init() - let the log of names wake the namespace's open files
 * @nn: namespace with a door
 *
 * Return: 0.
 */
int natflow_queue_net_init(struct natflow_net *nn)
{
	natflow_ring_set_wait(&natflow_urllogger_log(nn)->ring, &nn->door->wait);
	return 0;
}

/**
 * natflow_queue_net_exit() - the reverse, before the door is shut
 * @nn: namespace
 *
 * Context: process.
 */
void natflow_queue_net_exit(struct natflow_net *nn)
{
	natflow_ring_set_wait(&natflow_urllogger_log(nn)->ring, NULL);
}

/**
 * natflow_queue_init() - make the device
 *
 * Return: 0 or an errno.
 */
int __init natflow_queue_init(void)
{
	return misc_register(&queue_device);
}

/**
 * natflow_queue_exit() - take it away; open files pin the module, so there are none
 */
void natflow_queue_exit(void)
{
	misc_deregister(&queue_device);
}
