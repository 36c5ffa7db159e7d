// SPDX-License-Identifier: GPL-2.0-only
/* Numbers and addresses for long lists. */
#include "put.h"

#define GROUP		1000000000	/* the largest power of ten in 32 bits */
#define GROUP_DIGITS	9
#define DIGITS		10		/* of the largest number in 32 bits */

static const char hex[] = "0123456789abcdef";

/* With zeros in front: @least digits. The copy has a constant size: the rest is slack. */
static char *put_digits(char *at, u32 n, unsigned int least)
{
	char digits[DIGITS + NATFLOW_PUT_SLACK] = { 0 };
	unsigned int i = DIGITS;

	do {
		digits[--i] = '0' + n % 10;
		n /= 10;
	} while (n || DIGITS - i < least);
	memcpy(at, digits + i, NATFLOW_PUT_SLACK);
	return at + DIGITS - i;
}

/**
 * natflow_put_digits() - a decimal number
 * @at: where to; up to 20 digits, and NATFLOW_PUT_SLACK
 * @n: number
 *
 * Return: the end.
 */
char *natflow_put_digits(char *at, u64 n)
{
	u32 groups[2];
	unsigned int i = 0;

	while (n > UINT_MAX)
		n = div_u64_rem(n, GROUP, &groups[i++]);
	at = put_digits(at, n, 1);
	while (i--)
		at = put_digits(at, groups[i], GROUP_DIGITS);
	return at;
}

static __always_inline char *put_byte(char *at, u8 byte)
{
	at[0] = hex[byte >> 4];
	at[1] = hex[byte & 0xf];
	return at + 2;
}

/**
 * natflow_put_mac() - a MAC address, as by %pM
 * @at: where to
 * @mac: 6 bytes
 *
 * Return: the end; a byte more may be written.
 */
char *natflow_put_mac(char *at, const u8 *mac)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		at = put_byte(at, mac[i]);
		*at++ = ':';
	}
	return at - 1;
}

static char *put_ipv4(char *at, const u8 *addr)
{
	at = natflow_put_number(at, "", addr[0]);
	at = natflow_put_number(at, ".", addr[1]);
	at = natflow_put_number(at, ".", addr[2]);
	return natflow_put_number(at, ".", addr[3]);
}

static unsigned int word_of(const u8 *addr, unsigned int i)
{
	return addr[2 * i] << 8 | addr[2 * i + 1];
}

/* Without zeros in front. */
static char *put_word(char *at, unsigned int word)
{
	int shift = word < 0x10 ? 0 : word < 0x100 ? 4 : word < 0x1000 ? 8 : 12;

	for (; shift >= 0; shift -= 4)
		*at++ = hex[word >> shift & 0xf];
	return at;
}

/* The first of the longest runs of two or more zeros, which "::" stands for (RFC 5952). */
static unsigned int zeros_of(const u8 *addr, unsigned int *len)
{
	unsigned int i, run = 0, at = 8;

	*len = 1;
	for (i = 0; i < 8; i++) {
		run = word_of(addr, i) ? 0 : run + 1;
		if (run > *len) {
			*len = run;
			at = i + 1 - run;
		}
	}
	return at;
}

static char *put_ipv6(char *at, const u8 *addr)
{
	unsigned int i, len, zeros = zeros_of(addr, &len);

	for (i = 0; i < 8; i++) {
		if (i || !zeros)
			*at++ = ':';
		if (i == zeros)
			i += len - 1;
		else
			at = put_word(at, word_of(addr, i));
	}
	if (zeros + len == 8)
		*at++ = ':';
	return at;
}

/**
 * natflow_put_address() - an address, IPv6 as short as it can be (RFC 5952, hexadecimal)
 * @at: where to
 * @family: NFPROTO_*
 * @addr: 4 or 16 bytes
 *
 * Return: the end.
 */
char *natflow_put_address(char *at, u8 family, const u8 *addr)
{
	return family == NFPROTO_IPV4 ? put_ipv4(at, addr) : put_ipv6(at, addr);
}

/**
 * natflow_put_long_address() - an address, IPv6 with all its zeros, as by %pI6
 * @at: where to
 * @family: NFPROTO_*
 * @addr: 4 or 16 bytes
 *
 * Return: the end; a byte more may be written.
 */
char *natflow_put_long_address(char *at, u8 family, const u8 *addr)
{
	unsigned int i;

	if (family == NFPROTO_IPV4)
		return put_ipv4(at, addr);
	for (i = 0; i < 16; i += 2) {
		at = put_byte(put_byte(at, addr[i]), addr[i + 1]);
		*at++ = ':';
	}
	return at - 1;
}
