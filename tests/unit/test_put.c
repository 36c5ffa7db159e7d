// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and addresses of long lists, beside what libc writes. */
#include "../../lib/text/put.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A heap block of the very size: a byte behind it is an error of ASan's. */
static void is_number(u64 n)
{
	char want[24], *have;
	int len = snprintf(want, sizeof(want), "%" PRIu64, (uint64_t)n);

	have = malloc(len + NATFLOW_PUT_SLACK + 1);
	memset(have, 'x', len + NATFLOW_PUT_SLACK + 1);
	assert_ptr_equal(natflow_put_number(have, "=", n), have + len + 1);
	assert_int_equal(have[0], '=');
	assert_memory_equal(have + 1, want, len);
	free(have);
}

static void test_numbers(void **state)
{
	u64 n, power = 1;
	unsigned int i;

	for (n = 0; n < 200000; n++)
		is_number(n);
	for (i = 0; i < 20; i++, power *= 10) {
		is_number(power - 1);
		is_number(power);
		is_number(power + 1);
	}
	for (i = 0; i < 64; i++) {
		is_number((1ULL << i) - 1);
		is_number(1ULL << i);
		is_number(-(1ULL << i));
	}
}

static void is_address(const u8 *addr)
{
	char want[64], have[64], *end = natflow_put_address(have, NFPROTO_IPV6, addr);
	unsigned int i;

	*end = '\0';
	inet_ntop(AF_INET6, addr, want, sizeof(want));
	/* libc writes a tail of IPv4 into addresses that begin with zeros. */
	if (!strchr(want, '.'))
		assert_string_equal(have, want);
	for (i = 0; i < 8; i++)
		sprintf(want + 5 * i, "%02x%02x:", addr[2 * i], addr[2 * i + 1]);
	want[39] = '\0';
	end = natflow_put_long_address(have, NFPROTO_IPV6, addr);
	*end = '\0';
	assert_string_equal(have, want);
}

/* Each pattern of words that are zero, with words of each length. */
static void test_ipv6(void **state)
{
	static const u16 words[] = { 1, 0x20, 0x300, 0x4000, 0xabcd, 0xf, 0xff0, 0xffff };
	unsigned int zeros, i, turn;

	for (zeros = 0; zeros < 256; zeros++) {
		for (turn = 0; turn < 8; turn++) {
			u8 addr[16] = { 0 };

			for (i = 0; i < 8; i++) {
				u16 word = zeros >> i & 1 ? 0 : words[(i + turn) % 8];

				addr[2 * i] = word >> 8;
				addr[2 * i + 1] = word;
			}
			is_address(addr);
		}
	}
}

static void test_ipv4_and_mac(void **state)
{
	static const u8 mac[6] = { 0x02, 0xab, 0x0c, 0xd0, 0xff, 0 };
	u8 addr[4] = { 255, 10, 9, 0 };
	char have[64], *end;

	end = natflow_put_mac(have, mac);
	*end = '\0';
	assert_string_equal(have, "02:ab:0c:d0:ff:00");
	end = natflow_put_address(have, NFPROTO_IPV4, addr);
	*end = '\0';
	assert_string_equal(have, "255.10.9.0");
	end = natflow_put_long_address(have, NFPROTO_IPV4, addr);
	*end = '\0';
	assert_string_equal(have, "255.10.9.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_ipv4_and_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
