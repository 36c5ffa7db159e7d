// SPDX-License-Identifier: GPL-2.0-only
/* lib/ on the host: parser, rewrite, keys, line protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "grammar.h"
#include "../../lib/nat.h"
#include "../../lib/pkt.h"
#include "../../lib/pppoe.h"

#define WAY 8

/* 10.0.1.2:1234 -> 10.0.2.2:80; checksums are filled in by fix(). */
static const u8 udp4[] = {
	0x45, 0xb9, 0, 32, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 1, 2, 10, 0, 2, 2,
	4, 210, 0, 80, 0, 12, 0, 0, 'a', 'b', 'c', 'd',
};

static const u8 tcp4[] = {
	0x45, 0, 0, 41, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 1, 2, 10, 0, 2, 2,
	4, 210, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0, 'x',
};

static const u8 udp6[] = {
	0x6b, 0x90, 0, 0, 0, 12, 17, 64,
	0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	4, 210, 0, 80, 0, 12, 0, 0, 'a', 'b', 'c', 'd',
};

/* The plainest possible checksum, as an oracle. */
static u16 slow_sum(const u8 *p, size_t len, u32 sum)
{
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u16 l4_slow_sum(const u8 *p, size_t len)
{
	size_t l4 = p[0] >> 4 == 4 ? 20 : 40, addrs = l4 == 20 ? 12 : 8;
	u8 proto = l4 == 20 ? p[9] : p[6];

	return slow_sum(p + addrs, l4 - addrs + len - l4, proto + (len - l4));
}

static void put16(u8 *p, u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void fix(u8 *p, size_t len)
{
	size_t l4 = p[0] >> 4 == 4 ? 20 : 40;
	bool udp = (l4 == 20 ? p[9] : p[6]) == 17;
	u8 *field = p + l4 + (udp ? 6 : 16);
	u16 sum;

	if (l4 == 20) {
		put16(p + 10, 0);
		put16(p + 10, ~slow_sum(p, 20, 0));
	}
	put16(field, 0);
	sum = ~l4_slow_sum(p, len);
	put16(field, udp && !sum ? 0xffff : sum);
}

static enum natflow_reason parse(const u8 *p, size_t linear, size_t len, struct natflow_pkt *pkt)
{
	return p[0] >> 4 == 6 ? natflow_pkt_parse(p, linear, len, WAY, pkt, NFPROTO_IPV6) :
				natflow_pkt_parse(p, linear, len, WAY, pkt, NFPROTO_IPV4);
}

static void test_parse_good(void **state)
{
	struct natflow_pkt pkt;
	u8 p[64];

	memcpy(p, udp4, sizeof(udp4));
	fix(p, sizeof(udp4));
	assert_int_equal(parse(p, sizeof(udp4), sizeof(udp4), &pkt), NATFLOW_OK);
	assert_int_equal(pkt.len, 32);
	assert_int_equal(pkt.l4, 20);
	assert_int_equal(pkt.payload, 28);
	assert_int_equal(natflow_look_ttl(pkt.look), 64);
	assert_int_equal(natflow_look_tos(pkt.look), 0xb9);
	assert_int_equal(pkt.tcp_flags, NATFLOW_TCP_ACK);
	assert_int_equal(ntohs(pkt.key.v4.tail.ports.sport), 1234);
	assert_int_equal(pkt.key.v4.tail.way, WAY);
	assert_int_equal(pkt.proto, IPPROTO_UDP);

	memcpy(p, tcp4, sizeof(tcp4));
	fix(p, sizeof(tcp4));
	assert_int_equal(parse(p, sizeof(tcp4), sizeof(tcp4), &pkt), NATFLOW_OK);
	assert_int_equal(pkt.tcp_flags, 0x18);
	assert_int_equal(pkt.payload, 40);
	assert_int_equal(pkt.key.v4.tail.way, WAY | NATFLOW_KEY_TCP);

	memcpy(p, udp6, sizeof(udp6));
	assert_int_equal(parse(p, sizeof(udp6), sizeof(udp6), &pkt), NATFLOW_OK);
	assert_int_equal(natflow_look_tos(pkt.look), 0xb9);
	assert_int_equal(pkt.len, 52);
	assert_memory_equal(&pkt.key.v6.addrs, udp6 + 8, 32);
	assert_int_equal(pkt.key.v6.tail.way, WAY);
}

/* Padding behind the IP length is no part of the packet. */
static void test_parse_padding(void **state)
{
	struct natflow_pkt pkt;
	u8 p[64] = {};

	memcpy(p, udp4, sizeof(udp4));
	fix(p, sizeof(udp4));
	assert_int_equal(parse(p, 46, 46, &pkt), NATFLOW_OK);
	assert_int_equal(pkt.len, 32);
}

struct vector {
	size_t at;
	u8 value;
	bool keep_sum;		/* do not fix the header checksum */
	enum natflow_reason want;
};

static void run_vectors(const u8 *good, size_t len, const struct vector *v, size_t n)
{
	struct natflow_pkt pkt;
	u8 p[64];

	for (; n--; v++) {
		memcpy(p, good, len);
		p[v->at] = v->value;
		if (!v->keep_sum)
			fix(p, len);
		assert_int_equal(natflow_pkt_parse(p, len, len, WAY, &pkt, NFPROTO_IPV4), v->want);
	}
}

static void test_parse_refusals(void **state)
{
	static const struct vector udp[] = {
		{ 0, 0x55, true, NATFLOW_IP_HEADER }, { 0, 0x44, true, NATFLOW_IP_HEADER },
		{ 0, 0x46, true, NATFLOW_IP_OPTIONS }, { 3, 19, false, NATFLOW_IP_LENGTH },
		{ 3, 33, false, NATFLOW_IP_LENGTH }, { 2, 1, false, NATFLOW_IP_LENGTH },
		{ 6, 0x20, false, NATFLOW_FRAGMENT }, { 7, 1, false, NATFLOW_FRAGMENT },
		{ 8, 1, false, NATFLOW_TTL }, { 8, 0, false, NATFLOW_TTL },
		{ 10, 0x12, true, NATFLOW_IP_CHECKSUM }, { 9, 1, false, NATFLOW_PROTOCOL },
		{ 9, 132, false, NATFLOW_PROTOCOL }, { 3, 27, false, NATFLOW_TRUNCATED },
		{ 25, 7, false, NATFLOW_L4_HEADER }, { 25, 13, false, NATFLOW_L4_HEADER },
		{ 24, 1, false, NATFLOW_L4_HEADER }, { 25, 8, false, NATFLOW_OK },
	};
	static const struct vector tcp[] = {
		{ 32, 0x40, false, NATFLOW_L4_HEADER }, { 32, 0x60, false, NATFLOW_L4_HEADER },
		{ 3, 39, false, NATFLOW_TRUNCATED }, { 3, 40, false, NATFLOW_OK },
	};

	run_vectors(udp4, sizeof(udp4), udp, ARRAY_SIZE(udp));
	run_vectors(tcp4, sizeof(tcp4), tcp, ARRAY_SIZE(tcp));
}

static void test_parse_refusals6(void **state)
{
	static const struct { size_t at; u8 value; enum natflow_reason want; } v[] = {
		{ 0, 0x50, NATFLOW_IP_HEADER }, { 5, 0, NATFLOW_IP_LENGTH }, { 5, 13, NATFLOW_IP_LENGTH },
		{ 6, 0, NATFLOW_EXTENSION }, { 6, 43, NATFLOW_EXTENSION }, { 6, 44, NATFLOW_EXTENSION },
		{ 6, 51, NATFLOW_EXTENSION }, { 6, 60, NATFLOW_EXTENSION }, { 6, 58, NATFLOW_PROTOCOL },
		{ 7, 1, NATFLOW_TTL }, { 5, 7, NATFLOW_TRUNCATED }, { 45, 7, NATFLOW_L4_HEADER },
	};
	struct natflow_pkt pkt;
	u8 p[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		memcpy(p, udp6, sizeof(udp6));
		p[v[i].at] = v[i].value;
		assert_int_equal(natflow_pkt_parse(p, sizeof(udp6), sizeof(udp6), WAY, &pkt,
						   NFPROTO_IPV6), v[i].want);
	}
}

/* Every length from nothing to whole, in a buffer that ends there. */
static void test_parse_truncated(void **state)
{
	static const struct { const u8 *p; size_t len; } good[] = {
		{ udp4, sizeof(udp4) }, { tcp4, sizeof(tcp4) }, { udp6, sizeof(udp6) },
	};
	struct natflow_pkt pkt;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		for (n = 1; n < good[i].len; n++) {
			u8 *p = malloc(n);

			memcpy(p, good[i].p, n);
			assert_int_not_equal(parse(p, n, n, &pkt), NATFLOW_OK);
			assert_int_not_equal(parse(p, n, good[i].len + 1000, &pkt), NATFLOW_OK);
			free(p);
		}
	}
}

static u32 rnd(void)
{
	static u32 x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

/* A rewrite is right when checksums computed afresh agree, whatever the addresses. */
static void check_rewrite(const u8 *good, size_t len, bool zero_udp)
{
	const bool v4 = good[0] >> 4 == 4;
	const u16 l4 = v4 ? 20 : 40;
	const bool udp = (v4 ? good[9] : good[6]) == 17;
	struct natflow_rewrite6 rw6;
	struct natflow_rewrite4 rw4;
	u8 p[64], want[64];
	size_t i;

	memcpy(p, good, len);
	for (i = 0; i < 32; i++)
		((u8 *)&rw6.addrs)[i] = rnd();
	rw6.ports.sport = rnd();
	rw6.ports.dport = rnd();
	memcpy(&rw4.addrs, &rw6.addrs, 8);
	rw4.ports = rw6.ports;
	for (i = len - 4; i < len; i++)
		p[i] = rnd();
	fix(p, len);
	if (zero_udp)
		put16(p + l4 + 6, 0);
	rw4.sums.addr = natflow_sum_diff(p + 12, &rw4.addrs, 8);
	rw6.sums.addr = natflow_sum_diff(p + 8, &rw6.addrs, 32);
	rw4.sums.ports = natflow_sum_diff(p + l4, &rw4.ports, 4);
	rw6.sums.ports = natflow_sum_diff(p + l4, &rw6.ports, 4);

	memcpy(want, p, len);
	want[v4 ? 8 : 7]--;
	memcpy(want + (v4 ? 12 : 8), v4 ? (void *)&rw4.addrs : (void *)&rw6.addrs, v4 ? 8 : 32);
	memcpy(want + l4, &rw6.ports, 4);
	fix(want, len);
	if (zero_udp)
		put16(want + l4 + 6, 0);

	if (v4)
		natflow_nat_rewrite(p, &rw4, l4, udp, false, NFPROTO_IPV4);
	else
		natflow_nat_rewrite(p, &rw6, l4, udp, false, NFPROTO_IPV6);
	assert_memory_equal(p, want, len);
}

static void test_rewrite(void **state)
{
	int i;

	for (i = 0; i < 100000; i++) {
		check_rewrite(udp4, sizeof(udp4), false);
		check_rewrite(tcp4, sizeof(tcp4), false);
		check_rewrite(udp6, sizeof(udp6), false);
	}
	check_rewrite(udp4, sizeof(udp4), true);
}

/* Without NAT and with any checksum, right or wrong, it stays to the bit. */
static void test_rewrite_identity(void **state)
{
	struct natflow_rewrite4 rw;
	u8 p[64];
	u32 sum;

	for (sum = 0; sum < 0x10000; sum++) {
		memcpy(p, tcp4, sizeof(tcp4));
		put16(p + 36, sum);
		memcpy(&rw.addrs, p + 12, 8);
		memcpy(&rw.ports, p + 20, 4);
		rw.sums.addr = natflow_sum_diff(p + 12, &rw.addrs, 8);
		rw.sums.ports = natflow_sum_diff(p + 20, &rw.ports, 4);
		natflow_nat_rewrite(p, &rw, 20, false, false, NFPROTO_IPV4);
		assert_int_equal(p[36] << 8 | p[37], sum);
	}
}

/* CHECKSUM_PARTIAL: the field holds the pseudo header, and does so afterwards. */
static void test_rewrite_partial(void **state)
{
	struct natflow_rewrite4 rw;
	u8 p[64];
	int i;

	for (i = 0; i < 10000; i++) {
		memcpy(p, udp4, sizeof(udp4));
		rw.addrs.saddr = rnd();
		rw.addrs.daddr = rnd();
		rw.ports.sport = rnd();
		rw.ports.dport = rnd();
		put16(p + 26, slow_sum(p + 12, 8, 17 + 12));
		rw.sums.addr = natflow_sum_diff(p + 12, &rw.addrs, 8);
		rw.sums.ports = natflow_sum_diff(p + 20, &rw.ports, 4);
		natflow_nat_rewrite(p, &rw, 20, true, true, NFPROTO_IPV4);
		assert_int_equal(p[26] << 8 | p[27], slow_sum(p + 12, 8, 17 + 12));
	}
}

/* One bit of difference in any key word changes the hash; equal keys are equal. */
static void test_key(void **state)
{
	static const u64 seed[4] = { 0x1234567, 0x9e3779b97f4a7c15, 0xdeadbeefcafef00d, 3 };
	union natflow_key a = {}, b;
	unsigned int bit;

	for (bit = 0; bit < 8 * sizeof(a); bit++) {
		b = a;
		b.word[bit / 64] ^= 1ULL << bit % 64;
		assert_false(natflow_key_equal(a.word, b.word, NFPROTO_IPV6));
		assert_true(natflow_key_hash(a.word, seed, NFPROTO_IPV6) !=
			    natflow_key_hash(b.word, seed, NFPROTO_IPV6));
		if (bit >= 8 * sizeof(a.v4))
			continue;
		assert_false(natflow_key_equal(a.word, b.word, NFPROTO_IPV4));
		assert_true(natflow_key_hash(a.word, seed, NFPROTO_IPV4) !=
			    natflow_key_hash(b.word, seed, NFPROTO_IPV4));
	}
	assert_true(natflow_key_equal(a.word, a.word, NFPROTO_IPV6));
}

/* The portable product agrees with schoolbook arithmetic. */
static void test_mul(void **state)
{
	assert_true(mul_u64_u64_shr(~0ULL, ~0ULL, 64) == 0xfffffffffffffffeULL);
	assert_true(mul_u64_u64_shr(1ULL << 32, 1ULL << 32, 64) == 1);
	assert_true(mul_u64_u64_shr(0x123456789abcdef0ULL, 0xfedcba9876543210ULL, 64) ==
		    0x121fa00ad77d7422ULL);
}

static int parse_line(const char *text, struct natflow_command *cmd)
{
	return natflow_command_parse(&grammars[0], text, cmd);
}

static void test_command_good(void **state)
{
	struct natflow_command c;
	struct natflow_select_args *select = NATFLOW_ARGS(&c, struct natflow_select_args);
	struct natflow_filter *filter = NATFLOW_ARGS(&c, struct natflow_filter);

	assert_int_equal(parse_line("", &c), 0);
	assert_null(c.verb);
	assert_int_equal(parse_line("  # disabled=7", &c), 0);
	assert_null(c.verb);
	assert_int_equal(parse_line("  disabled=1  ", &c), 0);
	assert_ptr_equal(c.verb, &ctl_settings[NATFLOW_SETTING_disabled]);
	assert_int_equal(c.value, 1);
	assert_int_equal(parse_line("select=mark:0x10/0xf0", &c), 0);
	assert_int_equal(select->mark, 0x10);
	assert_int_equal(select->mask, 0xf0);
	assert_int_equal(c.value, 3);
	assert_int_equal(parse_line("select=mark:5", &c), 0);
	assert_int_equal(select->mask, 0xffffffff);
	assert_int_equal(parse_line("flow_limit=4194304", &c), 0);
	assert_int_equal(c.value, 4194304);
	assert_int_equal(parse_line("ifname_group_add=eth0.10", &c), 0);
	assert_string_equal((const char *)c.args, "eth0.10");
	assert_int_equal(parse_line("flush", &c), 0);
	assert_int_equal(parse_line("flush proto=udp src=10.0.0.0/8  dst=10.0.2.2 sport=1 dport=65535 dev=eth0",
				    &c), 0);
	assert_int_equal(filter->proto, IPPROTO_UDP);
	assert_int_equal(filter->src_len, 8);
	assert_int_equal(filter->dst_len, 32);
	assert_int_equal(filter->dport, 65535);
	assert_string_equal(filter->dev, "eth0");
	assert_int_equal(parse_line("flush src=fd00::/64", &c), 0);
	assert_int_equal(filter->src_family, NFPROTO_IPV6);
}

static void test_command_bad(void **state)
{
	static const struct { const char *text; int want; } bad[] = {
		{ "disabled=2", -ERANGE }, { "disabled=", -EINVAL }, { "disabled=x", -EINVAL },
		{ "disabled = 1", -EINVAL }, { "disabled=1 1", -EINVAL }, { "disabled=-1", -EINVAL },
		{ "disabled=99999999999999999999", -ERANGE }, { "disabled", -EINVAL },
		{ "nonsense", -EINVAL }, { "select=most", -EINVAL }, { "select=mark:", -EINVAL },
		{ "select=mark:1/0", -EINVAL }, { "select=mark:0x100/0xff", -EINVAL },
		{ "flow_limit=15", -ERANGE }, { "flow_limit=4194305", -ERANGE },
		{ "debug=64", -ERANGE }, { "ifname_group_type=3", -ERANGE },
		{ "ifname_group_add=", -EINVAL }, { "ifname_group_add=a/b", -EINVAL },
		{ "ifname_group_add=sixteencharacter", -EINVAL }, { "ifname_group_add=..", -EINVAL },
		{ "ifname_group_clear now", -EINVAL }, { "update_magics", -EINVAL },
		{ "flush everything", -EINVAL }, { "flush proto=icmp", -EINVAL },
		{ "flush src=1.2.3", -EINVAL }, { "flush src=1.2.3.4/33", -ERANGE },
		{ "flush dst=::1/129", -ERANGE }, { "flush sport=0", -EINVAL },
		{ "flush sport=65536", -ERANGE }, { "flushed", -EINVAL },
	};
	struct natflow_command c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse_line(bad[i].text, &c), bad[i].want);
		assert_non_null(c.word);
		assert_non_null(c.expected);
	}
}

static int push(struct natflow_line *line, const char *text)
{
	int ret = 0;

	while (*text)
		ret = natflow_line_push(line, *text++);
	return ret;
}

static void test_line(void **state)
{
	struct natflow_line line = {};
	int i;

	assert_int_equal(push(&line, "half"), 0);
	assert_int_equal(push(&line, " line\r\n"), 1);
	assert_string_equal(line.text, "half line ");
	assert_int_equal(line.number, 1);
	assert_int_equal(push(&line, "\n"), 1);
	assert_int_equal(line.number, 2);
	for (i = 0; i < NATFLOW_LINE_MAX - 1; i++)
		assert_int_equal(push(&line, "x"), 0);
	assert_int_equal(push(&line, "\n"), 1);
	assert_int_equal(strlen(line.text), NATFLOW_LINE_MAX - 1);
	for (i = 0; i < NATFLOW_LINE_MAX; i++)
		assert_int_equal(push(&line, "x"), 0);
	assert_int_equal(push(&line, "\n"), -EINVAL);
	assert_int_equal(push(&line, "\x01 disabled=1\n"), -EINVAL);
	assert_int_equal(line.number, 5);
	assert_int_equal(push(&line, "again\n"), 1);
	assert_string_equal(line.text, "again");
	assert_int_equal(line.number, 6);
}

static void test_prefix(void **state)
{
	static const u8 a[4] = { 10, 0, 1, 2 }, b[4] = { 10, 0, 1, 3 };

	assert_true(natflow_prefix_match(a, b, 0));
	assert_true(natflow_prefix_match(a, b, 31));
	assert_false(natflow_prefix_match(a, b, 32));
	assert_true(natflow_prefix_match(a, a, 32));
}

/* What PPP would count of 32 bytes of IP, in a frame of @len bytes behind its MAC addresses and type. */
static u32 room(const u8 *head, size_t len)
{
	u8 frame[64] = {};

	memcpy(frame, head, NATFLOW_PPPOE_LEN);
	memcpy(frame + NATFLOW_PPPOE_LEN, udp4, sizeof(udp4));
	return natflow_pppoe_room(frame, len, len, natflow_pppoe_family(frame));
}

static void test_pppoe(void **state)
{
	static const u8 right[8] = { 0x11, 0, 0x12, 0x34, 0, 34, 0, 0x21 };
	u8 head[8];

	assert_int_equal(natflow_pppoe_session(right), 0x1234);
	assert_int_equal(natflow_pppoe_family(right), NFPROTO_IPV4);
	assert_int_equal(room(right, 40), 32);
	assert_int_equal(room(right, 50), 32);	/* padding */
	assert_int_equal(room(right, 39), 0);
	memcpy(head, right, 8);
	head[5] = 36;			/* more than IP has: PPP counts it */
	assert_int_equal(room(head, 42), 34);
	assert_int_equal(room(head, 40), 0);
	head[5] = 33;			/* IP is cut off, and padding follows */
	assert_int_equal(room(head, 46), 0);
	head[5] = 2;
	assert_int_equal(room(head, 8), 0);
	head[5] = 34;
	head[0] = 0x21;
	assert_int_equal(room(head, 40), 0);
	head[0] = 0x11;
	head[1] = 1;
	assert_int_equal(room(head, 40), 0);
	head[7] = 0x57;
	assert_int_equal(natflow_pppoe_family(head), NFPROTO_IPV6);
	head[7] = 0xfd;
	assert_int_equal(natflow_pppoe_family(head), 0);
	assert_true(natflow_pppoe_compresses(natflow_pppoe_protocol(head)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_good), cmocka_unit_test(test_parse_padding),
		cmocka_unit_test(test_parse_refusals), cmocka_unit_test(test_parse_refusals6),
		cmocka_unit_test(test_parse_truncated), cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_rewrite_identity), cmocka_unit_test(test_rewrite_partial),
		cmocka_unit_test(test_key), cmocka_unit_test(test_mul),
		cmocka_unit_test(test_command_good), cmocka_unit_test(test_command_bad),
		cmocka_unit_test(test_line), cmocka_unit_test(test_pppoe), cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
