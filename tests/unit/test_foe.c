// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the PPE: slots that real boards used, words that the kernel's driver writes, words
 * that boards had, and a million flows at random.
 */
#include "../../natflow_hwnat/foe.c"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROW(...) ((const u32 [NATFLOW_FOE_WORDS]){ __VA_ARGS__ })

static u64 seed = 1;

static u32 number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 16;
}

static u32 below(u32 n)
{
	return number() % n;
}

static void ipv6(u32 *words, const char *text)
{
	struct in6_addr addr;
	unsigned int i;
	u8 *a = addr.s6_addr;

	assert_int_equal(inet_pton(AF_INET6, text, a), 1);
	for (i = 0; i < 4; i++)
		words[i] = mac_high(a + 4 * i);
}

static struct natflow_foe flow_v4(const struct natflow_foe_soc *soc, const char *src, u16 sport,
				  const char *dst, u16 dport)
{
	struct natflow_foe foe;

	natflow_foe_init(soc, &foe);
	foe.orig.src[0] = ntohl(inet_addr(src));
	foe.orig.dst[0] = ntohl(inet_addr(dst));
	foe.orig.sport = sport;
	foe.orig.dport = dport;
	foe.new = foe.orig;
	memcpy(foe.src, "\x02\x11\x22\x33\x44\x55", 6);
	memcpy(foe.dst, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	return foe;
}

/* Flows and the slots in which tables of real boards had them: all of 8192 slots. */
static const struct {
	const char *soc, *src;
	u16 sport;
	const char *dst;
	u16 dport, slot;
} boards[] = {
	{ "mt7621", "192.168.1.22", 52294, "185.187.81.227", 80, 0x12f2 },
	{ "mt7621", "99.83.135.170", 443, "176.98.95.135", 52823, 0x13ba },
	{ "mt7621", "143.204.15.45", 443, "176.98.95.135", 52852, 0x1614 },
	{ "mt7621", "50.7.248.58", 80, "176.98.95.135", 1200, 0x19ec },
	{ "mt7621", "2a01:d0:e6c6:0:196d:66d3:18c0:e02d", 52185, "2606:4700:10::6814:2917", 443,
	  0x1698 },
	{ "mt7621", "2a01:d0:e6c6:0:196d:66d3:18c0:e02d", 52235, "2a00:1450:4010:c0f::bc", 443,
	  0x1ce7 },
	{ "mt7622", "192.168.1.6", 38190, "162.159.140.220", 443, 0x1370 },
	{ "mt7986", "192.168.1.192", 9993, "192.168.1.101", 60278, 0x006c },
	{ "mt7986", "192.168.1.224", 56854, "192.168.1.210", 2020, 0x0404 },
	{ "mt7986", "192.168.1.224", 56852, "192.168.1.210", 2020, 0x040c },
	{ "mt7986", "192.168.1.224", 56850, "192.168.1.210", 2020, 0x0414 },
	{ "mt7981", "192.168.1.175", 34618, "192.168.1.2", 53317, 0x144c },
	{ "mt7981", "192.168.1.2", 53317, "192.168.1.175", 34618, 0x144d },
};

/* Eleven of the thirteen in the first way, two in the second. */
static void test_slots_of_boards(void **state)
{
	unsigned int i, second = 0;

	assert_int_equal(ARRAY_SIZE(boards), 13);
	for (i = 0; i < ARRAY_SIZE(boards); i++) {
		const struct natflow_foe_soc *soc = natflow_foe_soc(boards[i].soc);
		struct natflow_foe foe = { .orig.sport = boards[i].sport,
					   .orig.dport = boards[i].dport };
		int bucket;

		if (strchr(boards[i].src, ':')) {
			foe.type = NATFLOW_FOE_IPV6_5T;
			ipv6(foe.orig.src, boards[i].src);
			ipv6(foe.orig.dst, boards[i].dst);
		} else {
			foe.orig.src[0] = ntohl(inet_addr(boards[i].src));
			foe.orig.dst[0] = ntohl(inet_addr(boards[i].dst));
		}
		bucket = natflow_foe_bucket(soc, 8192, &foe);
		assert_true(bucket >= 0 && boards[i].slot - bucket <= 1);
		assert_int_equal(bucket % soc->ways, 0);
		assert_true(natflow_foe_usable(soc, boards[i].slot));
		second += boards[i].slot - bucket;
	}
	assert_int_equal(second, 2);
}

static void test_tables(void **state)
{
	const struct natflow_foe_soc *soc = natflow_foe_soc("mt7986");
	struct natflow_foe foe = flow_v4(soc, "192.168.1.22", 52294, "185.187.81.227", 80);

	assert_int_equal(natflow_foe_bucket(soc, 16384, &foe), 0x25e4);
	assert_int_equal(natflow_foe_bucket(soc, 8192, &foe), 0x05e4);
	assert_int_equal(natflow_foe_bucket(soc, 512, &foe), -EINVAL);
	assert_int_equal(natflow_foe_bucket(soc, 65536, &foe), -EINVAL);
	assert_int_equal(natflow_foe_bucket(soc, 8193, &foe), -EINVAL);
	assert_int_equal(natflow_foe_bucket(soc, 0, &foe), -EINVAL);
	foe.type = NATFLOW_FOE_DSLITE;
	assert_int_equal(natflow_foe_bucket(soc, 8192, &foe), -EOPNOTSUPP);
	assert_null(natflow_foe_soc("mt7620"));
	assert_int_equal(natflow_foe_time(soc, 0x1234), 0x34);
	assert_int_equal(natflow_foe_time(natflow_foe_soc("mt7622"), 0x9234), 0x1234);
}

/* mtk_ppe.c: skip[], and 115. */
static void test_straddling_slots(void **state)
{
	static const u8 bad[] = { 12, 25, 38, 51, 76, 89, 102, 115 };
	u32 slot, found;

	for (slot = 0, found = 0; slot < 16384; slot++) {
		bool usable = natflow_foe_usable(natflow_foe_soc("mt7621"), slot);

		if (!usable)
			assert_int_equal(slot % 128, bad[found++ % sizeof(bad)]);
		assert_true(natflow_foe_usable(natflow_foe_soc("mt7622"), slot));
		assert_true(natflow_foe_usable(natflow_foe_soc("mt7988"), slot));
	}
	assert_int_equal(found, 16384 / 128 * sizeof(bad));
}

static const char *now;			/* the SoC of the row */

static void has_words(const struct natflow_foe *foe, const u32 *want)
{
	const struct natflow_foe_soc *soc = natflow_foe_soc(now);
	u32 *words = malloc(soc->words * sizeof(*words));
	struct natflow_foe again;
	unsigned int i;

	assert_int_equal(natflow_foe_encode(soc, foe, words), 0);
	for (i = 0; i < soc->words; i++)
		assert_int_equal(words[i], want[i]);
	assert_int_equal(natflow_foe_decode(soc, words, &again), 0);
	assert_memory_equal(foe, &again, sizeof(again));
	free(words);
}

static struct natflow_foe golden(const char *soc, u16 clock)
{
	struct natflow_foe foe;

	now = soc;
	foe = flow_v4(natflow_foe_soc(soc), "192.168.1.22", 52294, "185.187.81.227", 80);
	foe.time = natflow_foe_time(natflow_foe_soc(soc), clock);
	foe.port = NATFLOW_FOE_GDM2;
	foe.queued = true;
	foe.queue = 1;
	return foe;
}

static struct natflow_foe snat(const char *soc, u16 clock)
{
	struct natflow_foe foe = golden(soc, clock);

	foe.new.src[0] = ntohl(inet_addr("176.98.95.135"));
	foe.new.sport = 40001;
	return foe;
}

#define MAC 0x02aabbcc, 0xddee0000, 0x02112233
#define KEY 0xc0a80116, 0xb9bb51e3, 0xcc460050
#define SNAT 0xb0625f87, 0xb9bb51e3, 0x9c410050

/* What mtk_ppe.c of Linux 6.12 wrote for these flows, in memory instead of a PPE's registers. */
static void test_words_of_nat(void **state)
{
	struct natflow_foe foe = snat("mt7621", 0x1234);

	has_words(&foe, ROW(0x21401234, KEY, 0x007ff051, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000));
	foe = snat("mt7622", 0x1234);
	has_words(&foe, ROW(0x21401234, KEY, 0x007c0451, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000));
	foe = snat("mt7986", 0x1234);
	has_words(&foe, ROW(0x20500034, KEY, 0x00f08501, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000));
	foe = snat("mt7988", 0x1234);
	has_words(&foe, ROW(0x20500034, KEY, 0x00f08501, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000));
	foe = golden("mt7622", 0x1239);
	foe.new.dst[0] = 0x0a000002;
	foe.new.dport = 8080;
	has_words(&foe, ROW(0x21401239, KEY, 0x007c0451, 0xc0a80116, 0x0a000002, 0xcc461f90,
			    0, 0, 0, 0x08000000, MAC, 0x44550000));
	foe = snat("mt7622", 0x123e);
	foe.new.dst[0] = 0x0a000002;
	foe.new.dport = 8080;
	has_words(&foe, ROW(0x2140123e, KEY, 0x007c0451, 0xb0625f87, 0x0a000002, 0x9c411f90,
			    0, 0, 0, 0x08000000, MAC, 0x44550000));
	foe = golden("mt7986", 0x1243);
	has_words(&foe, ROW(0x20500043, KEY, 0x00f08501, KEY, 0, 0, 0, 0x08000000, MAC,
			    0x44550000));
}

static void test_words_of_headers(void **state)
{
	struct natflow_foe foe = snat("mt7621", 0x1248);

	foe.vlans = 1;
	foe.vlan[0] = 35;
	has_words(&foe, ROW(0x21511248, KEY, 0x007ff051, SNAT, 0, 0, 0, 0x08000023, MAC,
			    0x44550000));
	foe = snat("mt7986", 0x1248);
	foe.vlans = 1;
	foe.vlan[0] = 35;
	has_words(&foe, ROW(0x20544048, KEY, 0x00f08501, SNAT, 0, 0, 0, 0x08000023, MAC,
			    0x44550000));
	foe = snat("mt7621", 0x124d);
	foe.pppoe = true;
	foe.sid = 0x1f2e;
	has_words(&foe, ROW(0x2148124d, KEY, 0x007ff051, SNAT, 0, 0, 0, 0x88640000, MAC,
			    0x44551f2e));
	foe.vlans = 1;
	foe.vlan[0] = 35;
	foe.time = 0x1252;
	has_words(&foe, ROW(0x21591252, KEY, 0x007ff051, SNAT, 0, 0, 0, 0x88640023, MAC,
			    0x44551f2e));
	foe = snat("mt7986", 0x124d);
	foe.pppoe = true;
	foe.sid = 0x1f2e;
	has_words(&foe, ROW(0x2052004d, KEY, 0x00f08501, SNAT, 0, 0, 0, 0x88640000, MAC,
			    0x44551f2e));
	foe.vlans = 1;
	foe.vlan[0] = 35;
	foe.time = 0x52;
	has_words(&foe, ROW(0x20564052, KEY, 0x00f08501, SNAT, 0, 0, 0, 0x88640023, MAC,
			    0x44551f2e));
}

static struct natflow_foe wlan(const char *soc)
{
	struct natflow_foe foe = snat(soc, 0x1257);

	foe.queued = false;
	foe.queue = 0;
	foe.wed = true;
	foe.wdma = 1;
	foe.ring = 2;
	foe.bss = 5;
	foe.wcid = 0x123;
	foe.port = natflow_foe_wdma_port(natflow_foe_soc(soc), 1);
	return foe;
}

/* mtk_ppe.c cuts a station's number off to 8 bits on mt7622; it is refused here. */
static void test_words_of_wlans(void **state)
{
	struct natflow_foe foe = wlan("mt7622");
	u32 words[20];

	assert_int_equal(natflow_foe_encode(natflow_foe_soc(now), &foe, words), -ERANGE);
	foe.wcid = 0x23;
	has_words(&foe, ROW(0x21401257, KEY, 0x007f0460, SNAT, 0, 0, 0, 0x08000000, 0x02aabbcc,
			    0xddee88c5, 0x02112233, 0x44550000));
	foe = wlan("mt7986");
	has_words(&foe, ROW(0x20500057, KEY, 0x00fc9200, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000, 0x48c50000));
	foe = wlan("mt7988");
	foe.amsdu = true;
	has_words(&foe, ROW(0x20500057, KEY, 0x00fc9200, SNAT, 0, 0, 0, 0x08000000, MAC,
			    0x44550000, 0, 0x00050123, 0x01000000));
}

/* Below: without the driver's commit, which sets the time and, where there is one, the MIB bit. */
static struct natflow_foe prepared(const char *soc)
{
	struct natflow_foe foe = snat(soc, 0);

	foe.mib = false;
	return foe;
}

static struct natflow_foe switched(const char *soc)
{
	struct natflow_foe foe = prepared(soc);

	foe.udp = true;
	foe.port = NATFLOW_FOE_GDM1;
	foe.dsa = true;
	foe.dsa_port = 4;
	foe.queue = 7;
	return foe;
}

static void has(const struct natflow_foe *foe, u32 ib1, u32 ib2, u32 tags, u32 second, u32 session)
{
	has_words(foe, ROW(ib1, KEY, ib2, SNAT, 0, 0, 0, tags, 0x02aabbcc, 0xddee0000 | second,
			   0x02112233, 0x44550000 | session));
}

static void test_words_of_switches(void **state)
{
	struct natflow_foe foe = switched("mt7621"), v2;

	has(&foe, 0x61410000, 0x007ff037, 0x00100000, 0, 0);
	foe = switched("mt7622");
	has(&foe, 0x61410000, 0x007c0037, 0x00100000, 0, 0);
	foe.vlans = 1;
	foe.vlan[0] = 35;
	has(&foe, 0x61410000, 0x007c0037, 0x01100023, 0, 0);
	foe.pppoe = true;
	foe.sid = 0x1f2e;
	has(&foe, 0x61490000, 0x007c0037, 0x01100023, 0, 0x1f2e);

	v2 = switched("mt7986");
	has(&v2, 0x60504000, 0x00f00307, 0x00100000, 0, 0);
	v2.vlans = 1;
	v2.vlan[0] = 35;
	has(&v2, 0x60504000, 0x00f00307, 0x01100023, 0, 0);
	v2.pppoe = true;
	v2.sid = 0x1f2e;
	has(&v2, 0x60524000, 0x00f00307, 0x01100023, 0, 0x1f2e);

	v2.dsa = v2.pppoe = false;
	v2.sid = v2.dsa_port = 0;
	v2.vlans = 2;
	v2.vlan[1] = 36;
	has(&v2, 0x60548000, 0x00f00307, 0x08000023, 0x24, 0);
	now = "mt7622";
	v2.group = 0x1f;
	has(&v2, 0x61520000, 0x007c0037, 0x08000023, 0x24, 0);
}

static void has_v6(const char *soc, u32 ib1, u32 ib2)
{
	struct natflow_foe foe = prepared(soc);

	foe.type = NATFLOW_FOE_IPV6_5T;
	foe.queued = false;
	foe.queue = 0;
	ipv6(foe.orig.src, "2001:db8::1:2");
	ipv6(foe.orig.dst, "2001:db8:ffff::3:4");
	foe.orig.sport = 1000;
	foe.orig.dport = 2000;
	foe.new = foe.orig;
	has_words(&foe, ROW(ib1, 0x20010db8, 0, 0, 0x00010002, 0x20010db8, 0xffff0000, 0,
			    0x00030004, 0x03e807d0, 0, 0, 0, 0, ib2, 0x86dd0000, MAC,
			    0x44550000));
}

static void test_words_of_ipv6(void **state)
{
	has_v6("mt7621", 0x2b400000, 0x007ff040);
	has_v6("mt7622", 0x2b400000, 0x007c0040);
	has_v6("mt7986", 0x22d00000, 0x00f00400);
	has_v6("mt7988", 0x22d00000, 0x00f00400);
}

static void test_words_without_ports(void **state)
{
	struct natflow_foe foe = golden("mt7622", 7);

	foe.type = NATFLOW_FOE_IPV4_3T;
	foe.proto = 47;
	foe.orig.sport = foe.orig.dport = 0;
	foe.new = foe.orig;
	has_words(&foe, ROW(0x23400007, 0xc0a80116, 0xb9bb51e3, 0xa5a5a52f, 0x007c0451, 0, 0, 0,
			    0, 0, 0, 0x08000000, MAC, 0x44550000));
	foe.type = NATFLOW_FOE_IPV6_3T;
	has_words(&foe, ROW(0x29400007, 0xc0a80116, 0, 0, 0, 0xb9bb51e3, 0, 0, 0, 0xa5a5a52f,
			    0, 0, 0, 0, 0x007c0451, 0x86dd0000, MAC, 0x44550000));
	foe.type = NATFLOW_FOE_IPV4_3T;
	assert_true(natflow_foe_bucket(natflow_foe_soc(now), 8192, &foe) >= 0);
}

/* Words that tables of boards had. */
static struct natflow_foe seen(const char *soc, u32 ib1, u32 ib2, u32 tags, u32 mac_and_tag)
{
	u32 words[NATFLOW_FOE_WORDS] = { ib1, KEY, ib2, SNAT, 0, 0, 0, tags, 0x02aabbcc,
					 mac_and_tag, 0x02112233, 0x44550000 };
	struct natflow_foe foe;

	assert_int_equal(natflow_foe_decode(natflow_foe_soc(soc), words, &foe), 0);
	return foe;
}

static void test_words_of_boards(void **state)
{
	struct natflow_foe foe = seen("mt7621", 0x214127b9, 0x007ff020, 0x00020000, 0);

	assert_int_equal(foe.state, NATFLOW_FOE_BIND);
	assert_int_equal(foe.time, 0x27b9);
	assert_true(foe.dsa && foe.dsa_port == 1 && !foe.vlans && !foe.udp && foe.ttl);
	assert_true(foe.port == NATFLOW_FOE_GDM1 && !foe.queued && !foe.mib && !foe.wed);
	foe = seen("mt7622", 0x21400000, 0x007c0437, 0x08000000, 0);
	assert_true(foe.port == NATFLOW_FOE_GDM1 && foe.queued && foe.queue == 7 && foe.mib);
	/* Linux 6.1 sets PORT_MG on mt7622: that is not a wlan. */
	foe = seen("mt7622", 0x21400000, 0x007ff040, 0x08000000, 0);
	assert_true(foe.port == NATFLOW_FOE_GDM2 && !foe.wed && foe.mg == 0x3f);
	foe = seen("mt7622", 0x21403a8d, 0x007e0060, 0x08000000, 129);
	assert_true(foe.port == NATFLOW_FOE_V1_WDMA && foe.wed && !foe.wdma && !foe.vlans);
	assert_true(foe.bss == 1 && foe.wcid == 2 && foe.time == 0x3a8d);
	foe = seen("mt7986", 0x50000196, 0, 0, 0);
	assert_int_equal(foe.state, NATFLOW_FOE_UNBIND);
	assert_true(foe.udp && foe.packets == 1 && foe.time == 0x96);
	assert_int_equal(foe.type, NATFLOW_FOE_IPV4_5T);
	foe = seen("mt7621", 0x1a0002b2, 0, 0, 0);
	assert_true(foe.state == NATFLOW_FOE_UNBIND && foe.type == NATFLOW_FOE_IPV6_5T);
	assert_true(foe.packets == 2 && foe.time == 0xb2);
	foe = seen("mt7621", 0x0a0002b2, 0, 0, 0);
	assert_int_equal(foe.state, NATFLOW_FOE_INVALID);
}

static void odd(const char *soc, u32 ib1, u32 ib2, u32 tags, int err)
{
	u32 words[NATFLOW_FOE_WORDS] = { ib1, KEY, ib2, SNAT, 0, 0, 0, tags };
	struct natflow_foe foe;

	assert_int_equal(natflow_foe_decode(natflow_foe_soc(soc), words, &foe), err);
}

static void test_odd_words(void **state)
{
	odd("mt7621", 0x25400000, 0, 0, -EOPNOTSUPP);		/* BRIDGE */
	odd("mt7986", 0x21500000, 0, 0, -EOPNOTSUPP);
	odd("mt7986", 0x27000000, 0, 0, -EOPNOTSUPP);		/* a type that is none */
	odd("mt7621", 0x21410000, 0x20, 0x08000000, -EINVAL);	/* no port of the switch */
	odd("mt7621", 0x21410000, 0x20, 0x00030000, -EINVAL);	/* two */
	odd("mt7621", 0x21420000, 0x20, 0x01010000, -EINVAL);	/* two tags behind its own */
	odd("mt7621", 0x21530000, 0x20, 0x08000000, -EINVAL);	/* three tags */
	odd("mt7622", 0x21520000, 0x20060, 0x08000000, -EINVAL); /* tag or wlan? */
	odd("mt7986", 0x20500000, 0x80200, 0x08000000, -EINVAL); /* a wlan behind GDM1 */
	odd("mt7986", 0x20500000, 0x81a00, 0x08000000, -EINVAL); /* behind an engine it lacks */
	odd("mt7988", 0x20500000, 0x81a00, 0x08000000, 0);
}

static int refused(const char *soc, struct natflow_foe foe)
{
	static const u32 zero[NATFLOW_FOE_WORDS];
	u32 words[NATFLOW_FOE_WORDS];
	int err;

	memset(words, 0xff, sizeof(words));
	err = natflow_foe_encode(natflow_foe_soc(soc), &foe, words);
	if (err)
		assert_memory_equal(words, zero, natflow_foe_soc(soc)->words * sizeof(u32));
	return err;
}

#define REFUSES(soc, err, ...) do { \
	struct natflow_foe foe = snat(soc, 0); \
	__VA_ARGS__; \
	assert_int_equal(refused(soc, foe), err); \
} while (0)

static void test_refusals(void **state)
{
	REFUSES("mt7986", 0, foe.udp = true);
	REFUSES("mt7986", -EINVAL, foe.state = NATFLOW_FOE_INVALID);
	REFUSES("mt7986", -EINVAL, foe.state = 4);
	REFUSES("mt7986", -EOPNOTSUPP, foe.type = NATFLOW_FOE_BRIDGE);
	REFUSES("mt7986", -EOPNOTSUPP, foe.type = NATFLOW_FOE_6RD);
	REFUSES("mt7986", -EOPNOTSUPP, foe.type = 255);
	REFUSES("mt7986", -EOPNOTSUPP, foe.type = NATFLOW_FOE_IPV6_5T);	/* NAT */
	REFUSES("mt7986", -EINVAL, foe.type = NATFLOW_FOE_IPV4_3T);	/* ports */
	REFUSES("mt7986", -EINVAL, foe.dst[0] |= 1);
	REFUSES("mt7986", -EINVAL, foe.src[0] |= 1);
	REFUSES("mt7986", -EINVAL, memset(foe.src, 0, 6));
	REFUSES("mt7986", -EINVAL, foe.multicast = true);
	REFUSES("mt7986", -ENOSPC, foe.vlans = 3);
	REFUSES("mt7986", -ENOSPC, foe.vlans = 2; foe.pppoe = true);
	REFUSES("mt7986", -ENOSPC, foe.vlans = 2; foe.dsa = true);
	REFUSES("mt7986", -ERANGE, foe.dsa = true; foe.dsa_port = 6);
	REFUSES("mt7986", -ERANGE, foe.port = 16);
	REFUSES("mt7621", -ERANGE, foe.port = 8);
	REFUSES("mt7621", -ERANGE, foe.queue = 16);
	REFUSES("mt7986", -ERANGE, foe.queue = 128);
	REFUSES("mt7986", -ERANGE, foe.time = 256);
	REFUSES("mt7622", -ERANGE, foe.time = 32768);
	REFUSES("mt7986", -ERANGE, foe.group = 16);
	REFUSES("mt7622", -ERANGE, foe.group = 64);
	REFUSES("mt7986", -ERANGE, foe.mg = 2);
	REFUSES("mt7986", -ERANGE, foe.state = NATFLOW_FOE_UNBIND; foe.prebind = true);
	REFUSES("mt7986", -ERANGE, foe.state = NATFLOW_FOE_UNBIND; foe.packets = 32768);
	REFUSES("mt7621", -EINVAL, foe.wed = true; foe.port = NATFLOW_FOE_V1_WDMA);
	REFUSES("mt7986", -EINVAL, foe.wed = true);
	REFUSES("mt7986", -EINVAL, foe = wlan(now); foe.wdma = 0);
	REFUSES("mt7986", -EINVAL, foe = wlan(now); foe.wdma = 2; foe.port = NATFLOW_FOE_WDMA2);
	REFUSES("mt7986", -EINVAL, foe = wlan(now); foe.dsa = true);
	REFUSES("mt7986", -EINVAL, foe = wlan(now); foe.mg = 1);
	REFUSES("mt7986", -ERANGE, foe = wlan(now); foe.wcid = 1024);
	REFUSES("mt7986", -ERANGE, foe = wlan(now); foe.bss = 64);
	REFUSES("mt7986", -ERANGE, foe = wlan(now); foe.ring = 4);
	REFUSES("mt7986", -ERANGE, foe = wlan(now); foe.amsdu = true);
	REFUSES("mt7622", -EINVAL, foe = wlan(now); foe.wcid = 1; foe.vlans = 2);
}

static void random_tuple(struct natflow_foe_tuple *t, u8 type)
{
	unsigned int i;

	for (i = 0; i < (is_ipv6(type) ? 4 : 1); i++) {
		t->src[i] = number();
		t->dst[i] = number();
	}
	if (!is_3t(type)) {
		t->sport = number();
		t->dport = number();
	}
}

static void random_headers(struct natflow_foe *foe)
{
	unsigned int i;

	foe->vlans = below(3);
	foe->pppoe = foe->vlans < 2 && below(2);
	foe->dsa = foe->vlans < 2 && !foe->wed && below(2);
	if (foe->wed && foe->vlans > 1)
		foe->vlans = 1;
	for (i = 0; i < foe->vlans; i++)
		foe->vlan[i] = number();
	foe->sid = foe->pppoe ? number() : 0;
	foe->dsa_port = foe->dsa ? below(NATFLOW_FOE_DSA_PORTS) : 0;
	for (i = 0; i < 6; i++) {
		foe->src[i] = number();
		foe->dst[i] = number();
	}
	foe->src[0] = (foe->src[0] & ~1) | 2;
	foe->dst[0] = (foe->dst[0] & ~1) | 2;
}

static void random_egress(const struct natflow_foe_soc *soc, struct natflow_foe *foe)
{
	bool v1 = soc->version == 1;

	foe->queued = below(2);
	foe->queue = below(v1 ? 16 : 128);
	foe->mib = below(2);
	foe->group = below(v1 ? 64 : 16);
	foe->dscp = number();
	foe->keepalive = below(2);
	foe->cache = below(2);
	foe->ttl = below(2);
	foe->port = below(v1 ? 3 : 16);
	foe->mg = below(v1 ? 64 : 2);
	if (!soc->wdmas || !below(4))
		return;
	foe->wed = true;
	foe->mg = 0;
	foe->wdma = below(soc->wdmas);
	foe->port = natflow_foe_wdma_port(soc, foe->wdma);
	foe->ring = below(4);
	foe->bss = below(soc->version == 3 ? 256 : 64);
	foe->wcid = below(v1 ? 256 : soc->version == 2 ? 1024 : 65536);
	foe->amsdu = soc->version == 3 && below(2);
}

static struct natflow_foe random_flow(const struct natflow_foe_soc *soc)
{
	static const u8 types[] = { NATFLOW_FOE_IPV4_5T, NATFLOW_FOE_IPV4_5T, NATFLOW_FOE_IPV4_3T,
				    NATFLOW_FOE_IPV6_3T, NATFLOW_FOE_IPV6_5T };
	struct natflow_foe foe = {
		.state = 1 + below(3), .type = types[below(ARRAY_SIZE(types))],
		.udp = below(2), .permanent = below(2),
	};

	random_tuple(&foe.orig, foe.type);
	if (is_3t(foe.type))
		foe.proto = number();
	if (foe.state == NATFLOW_FOE_UNBIND) {
		foe.time = below(256);
		foe.packets = below(soc->version == 1 ? 65536 : 32768);
		foe.prebind = soc->version == 1 && below(2);
		return foe;
	}
	foe.new = foe.orig;
	if (foe.type == NATFLOW_FOE_IPV4_5T && below(4))
		random_tuple(&foe.new, foe.type);
	foe.time = natflow_foe_time(soc, number());
	random_egress(soc, &foe);
	random_headers(&foe);
	return foe;
}

/* The bytes of the structure that are between its members are zero, as = { } leaves them. */
static void test_random_flows(void **state)
{
	u32 i;

	for (i = 0; i < 1000000; i++) {
		const struct natflow_foe_soc *soc = &socs[i % ARRAY_SIZE(socs)];
		u32 *words = malloc(soc->words * sizeof(*words));
		struct natflow_foe foe = random_flow(soc), again;
		int bucket = natflow_foe_bucket(soc, 1024 << below(6), &foe);

		assert_true(bucket >= 0 && bucket % soc->ways == 0);
		assert_int_equal(natflow_foe_encode(soc, &foe, words), 0);
		assert_int_equal(natflow_foe_decode(soc, words, &again), 0);
		assert_memory_equal(&foe, &again, sizeof(foe));
		free(words);
	}
}

/* Whatever is in a table: what is understood is written again with the same meaning. */
static void test_random_words(void **state)
{
	u32 words[NATFLOW_FOE_WORDS], again[NATFLOW_FOE_WORDS], i, n, understood = 0;
	struct natflow_foe foe, same;

	for (i = 0; i < 200000; i++) {
		const struct natflow_foe_soc *soc = &socs[i % ARRAY_SIZE(socs)];

		for (n = 0; n < soc->words; n++)
			words[n] = number() & number();
		if (natflow_foe_decode(soc, words, &foe) ||
		    natflow_foe_encode(soc, &foe, again))
			continue;
		understood++;
		assert_int_equal(natflow_foe_decode(soc, again, &same), 0);
		assert_memory_equal(&foe, &same, sizeof(foe));
	}
	assert_true(understood > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_of_boards),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_straddling_slots),
		cmocka_unit_test(test_words_of_nat),
		cmocka_unit_test(test_words_of_headers),
		cmocka_unit_test(test_words_of_wlans),
		cmocka_unit_test(test_words_of_switches),
		cmocka_unit_test(test_words_of_ipv6),
		cmocka_unit_test(test_words_without_ports),
		cmocka_unit_test(test_words_of_boards),
		cmocka_unit_test(test_odd_words),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_random_flows),
		cmocka_unit_test(test_random_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
