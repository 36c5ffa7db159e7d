// SPDX-License-Identifier: GPL-2.0-only
/* Whose DNS answers are believed, and about which addresses. */
#include "dns_trust.h"

/* Of an address that a name may lead to. */
enum scope { SCOPE_PUBLIC, SCOPE_PRIVATE, SCOPE_NONE };

/**
 * natflow_dns_trust_server() - is a server believed
 * @trust: settings
 * @family: of @addr, NFPROTO_*
 * @addr: of the server that answers, behind DNAT; network order
 */
bool natflow_dns_trust_server(const struct natflow_dns_trust *trust, u8 family, const u8 *addr)
{
	const size_t len = family == NFPROTO_IPV4 ? 4 : 16;
	unsigned int i;

	for (i = 0; i < trust->count; i++)
		if (trust->resolver[i].family == family &&
		    !memcmp(trust->resolver[i].addr, addr, len))
			return true;
	return trust->any;
}

/*
 * Private: RFC 1918, RFC 6598. None: this network, loopback, link-local, multicast,
 * reserved, broadcast.
 */
static enum scope scope4(const u8 *a)
{
	if (!a[0] || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254))
		return SCOPE_NONE;
	if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
	    (a[0] == 100 && (a[1] & 0xc0) == 64))
		return SCOPE_PRIVATE;
	return SCOPE_PUBLIC;
}

/*
 * Public: 2000::/3 (RFC 4291). NAT64's prefix (RFC 6052) and 6to4 (RFC 3056) are as
 * the IPv4 address in them. Private: RFC 4193. None: all others.
 */
static enum scope scope6(const u8 *a)
{
	static const u8 nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (!memcmp(a, nat64, sizeof(nat64)))
		return scope4(a + 12);
	if (a[0] == 0x20 && a[1] == 0x02)
		return scope4(a + 2);
	if ((a[0] & 0xe0) == 0x20)
		return SCOPE_PUBLIC;
	return (a[0] & 0xfe) == 0xfc ? SCOPE_PRIVATE : SCOPE_NONE;
}

/**
 * natflow_dns_trust_address() - may a name lead to this address
 * @trust: settings
 * @family: of @addr, NFPROTO_*
 * @addr: network order
 *
 * A private address of a public name would let its owner reach into the networks
 * behind the gateway. Loopback, link-local, multicast and reserved addresses are none
 * of a server.
 */
bool natflow_dns_trust_address(const struct natflow_dns_trust *trust, u8 family, const u8 *addr)
{
	enum scope scope = family == NFPROTO_IPV4 ? scope4(addr) : scope6(addr);

	return scope == SCOPE_PUBLIC || (scope == SCOPE_PRIVATE && trust->private);
}
