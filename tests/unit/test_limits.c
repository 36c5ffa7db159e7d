// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each driver of TC_SETUP_FT takes: the table of what their sources take, 6.1 to 7.3, as
 * combinations of headers, families, NAT, switches and wires.
 */
#include <netinet/in.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Of the kernel's, as much as natflow_hwnat/hwnat.h needs. */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef struct { } netdevice_tracker;
struct list_head { struct list_head *next, *prev; };
#define BIT(n) (1U << (n))
#define NATFLOW_COMPAT_MTK_COUNTS true
#define _NATFLOW_CORE_BASE_SLOT_H
struct natflow_flow;
#include "../../natflow_hwnat/limits.c"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char * const keys[] = {
#define WORD(name, key) key,
	NATFLOW_HWNAT_REASONS(WORD)
};

enum { V4, V4_NAT, V6, V6_NAT };
#define OTHER_TAG 5

/* Headers by letter, outermost first: V and S are tags of 802.1Q and of 802.1ad, P a session. */
static void wear(struct natflow_hwnat_side *side, const char *headers)
{
	for (; *headers && side->encaps < NATFLOW_HWNAT_ENCAPS; headers++)
		side->encap[side->encaps++].proto = htons(*headers == 'V' ? ETH_P_8021Q :
							  *headers == 'S' ? ETH_P_8021AD :
									    ETH_P_PPP_SES);
}

struct question {
	struct natflow_hw_flow flow;
	struct natflow_hwnat_side in, out;
};

static struct question question(int kind)
{
	struct question q = {
		.flow = { .proto = IPPROTO_UDP, .family = kind < V6 ? NFPROTO_IPV4 : NFPROTO_IPV6 },
		.in = { .port = 2, .conduit = 2 }, .out = { .port = 3, .conduit = 3 },
	};

	memcpy(q.out.src, "\2\0\0\0\0\3", ETH_ALEN);
	memcpy(q.out.own, q.out.src, ETH_ALEN);
	if (kind == V4_NAT || kind == V6_NAT)
		q.flow.dir[0].after.sport = htons(0x1234);
	return q;
}

static const char *answer(const char *driver, const struct question *q)
{
	const struct natflow_hwnat_way way = { .flow = &q->flow, .in = &q->in, .out = &q->out };

	return keys[natflow_hwnat_limits_check(natflow_hwnat_limits_find(driver), &way)];
}

static const char * const names[] = {
	"mtk_soc_eth", "mtk_soc_eth mt7621", "mt7915e", "airoha_eth", "mlx5e_rep", "whatever"
};

#define NAMES (sizeof(names) / sizeof(*names))
/* Answers in the order of the names; MediaTek's three are one. */
static void expect(const struct question *q, const char *mtk, const char *airoha,
		   const char *mlx5, const char *other, const char *what)
{
	const char *want[NAMES] = { mtk, mtk, mtk, airoha, mlx5, other };
	unsigned int i;

	for (i = 0; i < NAMES; i++)
		if (strcmp(answer(names[i], q), want[i]))
			fail_msg("%s, %s: %s, want %s", names[i], what, answer(names[i], q),
				 want[i]);
}

static void test_names(void **state)
{
	assert_false(natflow_hwnat_limits_find("mtk_soc_eth mt7621")->counts);
	assert_false(natflow_hwnat_limits_find("mtk_soc_eth mt7623")->counts);
	assert_true(natflow_hwnat_limits_find("mtk_soc_eth")->counts);
	assert_true(natflow_hwnat_limits_find("mt7996e")->sticky);
	assert_false(natflow_hwnat_limits_find("airoha_eth")->sticky);
	assert_true(natflow_hwnat_limits_find("airoha_eth")->by_rate);
	assert_string_equal(natflow_hwnat_limits_find("")->driver, "");
	assert_string_equal(natflow_hwnat_limits_find("mlx5_core")->driver, "");
}

static void test_families(void **state)
{
	static const char * const six[] = { "ok", "ok", "ok", "nat66" };
	int kind;

	for (kind = V4; kind <= V6_NAT; kind++) {
		struct question q = question(kind);

		expect(&q, six[kind], six[kind], "ok", "ok", "family and NAT");
		q.flow.proto = IPPROTO_ICMP;
		expect(&q, "protocol", "protocol", "protocol", "protocol", "ICMP");
		q.flow.proto = 47;
		expect(&q, "protocol", "protocol", "protocol", "protocol", "GRE");
		q.flow.proto = IPPROTO_TCP;
		expect(&q, six[kind], six[kind], "ok", "ok", "TCP");
		q.flow.zone = 1;
		expect(&q, "zone", "zone", "zone", "zone", "a zone");
	}
}

static void test_headers(void **state)
{
	static const struct {
		const char *headers, *mtk, *airoha, *mlx5, *other;
	} rows[] = {
		{ "", "ok", "ok", "ok", "ok" },
		{ "V", "ok", "ok", "ok", "ok" },
		{ "VV", "ok", "ok", "ok", "ok" },
		{ "VVV", "encap", "encap", "encap", "ok" },
		{ "P", "ok", "ok", "encap", "ok" },
		{ "VP", "ok", "ok", "encap", "ok" },
		{ "VVP", "encap", "encap", "encap", "ok" },
		{ "S", "encap", "encap", "ok", "ok" },
		{ "SV", "encap", "encap", "ok", "ok" },
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct question in = question(V4), out = question(V4);

		wear(&in.in, rows[i].headers);
		wear(&out.out, rows[i].headers);
		expect(&in, rows[i].mtk, rows[i].airoha, rows[i].mlx5, rows[i].other,
		       rows[i].headers);
		expect(&out, rows[i].mtk, rows[i].airoha, rows[i].mlx5, rows[i].other,
		       rows[i].headers);
	}
}

static void test_wires(void **state)
{
	struct question q = question(V4);

	q.out.dsa_proto = 9;		/* MediaTek's tag */
	expect(&q, "ok", "ok", "dsa-protocol", "dsa-protocol", "a switch of MediaTek's");
	q.out.dsa_proto = OTHER_TAG;
	expect(&q, "dsa-protocol", "dsa-protocol", "dsa-protocol", "dsa-protocol", "another");
	q.out.dsa_proto = 9 + 32;	/* not 9 again */
	expect(&q, "dsa-protocol", "dsa-protocol", "dsa-protocol", "dsa-protocol", "a new one");

	q = question(V4);
	q.out.wed = true;
	expect(&q, "ok", "ok", "path", "path", "Wi-Fi");

	q = question(V4);
	q.out.port = q.in.port;
	expect(&q, "ok", "ok", "path", "ok", "back out of its port");
}

/* airoha's IPv6 entries have the number of a port, whose address the frames get. */
static void test_source(void **state)
{
	struct question q = question(V6);

	q.out.src[5]++;
	expect(&q, "ok", "source-mac", "ok", "ok", "another source address");
	q.flow.family = NFPROTO_IPV4;
	expect(&q, "ok", "ok", "ok", "ok", "another source address, IPv4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_wires),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
