// SPDX-License-Identifier: GPL-2.0-only
/* lib/names/dns_trust on the host: whose answers are believed, and about which addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/dns_trust.h"

static void check_trust(const char *text, bool public, bool private)
{
	struct natflow_dns_trust trust = {};
	u8 family = strchr(text, ':') ? NFPROTO_IPV6 : NFPROTO_IPV4, addr[16];

	assert_int_equal(inet_pton(family, text, addr), 1);
	assert_int_equal(natflow_dns_trust_address(&trust, family, addr), public);
	trust.private = true;
	assert_int_equal(natflow_dns_trust_address(&trust, family, addr), public || private);
}

static void test_trust(void **state)
{
	static const char * const public[] = {
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.0.1", "100.128.0.1", "172.15.0.1",
		"172.32.0.1", "192.167.0.1", "192.169.0.1", "169.253.0.1", "223.255.255.255",
		"2000::1", "2620:fe::fe", "3fff::1", "64:ff9b::101:101", "2002:101:101::1",
	}, * const private[] = {
		"10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.0.1", "172.16.0.1",
		"172.31.0.1", "192.168.1.1", "fc00::1", "fdff::1", "64:ff9b::c0a8:101",
		"2002:c0a8:101::1",
	}, * const none[] = {
		"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.0.1", "169.254.0.1", "224.0.0.1",
		"239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:1.1.1.1", "100::1",
		"fe80::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::101:101",
		"2002:7f00:1::1", "1fff::1", "4000::1",
	};
	struct natflow_dns_trust trust = {
		.count = 2, .resolver = { { NFPROTO_IPV4, { 9, 9, 9, 9 } },
					  { NFPROTO_IPV6, { 9, 9, 9, 9, 1 } } },
	};
	u8 addr[16] = { 9, 9, 9, 9, 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(public); i++)
		check_trust(public[i], true, true);
	for (i = 0; i < ARRAY_SIZE(private); i++)
		check_trust(private[i], false, true);
	for (i = 0; i < ARRAY_SIZE(none); i++)
		check_trust(none[i], false, false);
	assert_true(natflow_dns_trust_server(&trust, NFPROTO_IPV4, addr));
	assert_true(natflow_dns_trust_server(&trust, NFPROTO_IPV6, addr));
	addr[15]++;
	assert_false(natflow_dns_trust_server(&trust, NFPROTO_IPV6, addr));
	addr[3]++;
	assert_false(natflow_dns_trust_server(&trust, NFPROTO_IPV4, addr));
	trust.any = true;
	assert_true(natflow_dns_trust_server(&trust, NFPROTO_IPV4, addr));
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_trust) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
