// SPDX-License-Identifier: GPL-2.0-only
/* HKDF, GCM, gathering and QUIC's first flight: the standards' vectors, and nettle as the other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/tls.h"
#include "seal.h"

static u8 *hex(const char *text, size_t *len)
{
	static u8 out[8][4096];
	static unsigned int turn;
	u8 *to = out[turn++ % 8];

	for (*len = 0; *text; text += 2) {
		unsigned int byte;

		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		to[(*len)++] = byte;
	}
	return to;
}

static void same(const u8 *got, const char *want)
{
	size_t len;
	u8 *bytes = hex(want, &len);

	assert_memory_equal(got, bytes, len);
}

/* RFC 5869 appendix A, cases 1 to 3 */
static void test_hkdf(void **state)
{
	static const struct {
		const char *key, *salt, *info, *secret, *out;
	} t[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		  "f0f1f2f3f4f5f6f7f8f9",
		  "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
		  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		  "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		  "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		  "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		size_t key, salt, info, len = strlen(t[i].out) / 2;
		struct natflow_hmac hmac, by_salt;
		u8 secret[32], out[128], *k = hex(t[i].key, &key), *s = hex(t[i].salt, &salt);

		natflow_hmac_set(&by_salt, s, salt);
		natflow_hkdf_extract(&by_salt, k, key, &hmac, secret);
		same(secret, t[i].secret);
		k = hex(t[i].info, &info);
		natflow_hkdf_expand(&hmac, k, info, out, len);
		same(out, t[i].out);
	}
}

/* A key longer than a block is hashed first: RFC 4231 case 6, by way of extract being an HMAC. */
static void test_hmac_long_key(void **state)
{
	static const char text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	struct natflow_hmac hmac, by_key;
	u8 key[131], mac[32];

	memset(key, 0xaa, sizeof(key));
	natflow_hmac_set(&by_key, key, sizeof(key));
	natflow_hkdf_extract(&by_key, (const u8 *)text, strlen(text), &hmac, mac);
	same(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* FIPS-197 appendix C.1: that the library is used the right way round. */
static void test_aes(void **state)
{
	struct natflow_aes aes;
	size_t len;
	u8 out[16];

	natflow_aes_set(&aes, hex("000102030405060708090a0b0c0d0e0f", &len));
	natflow_aes_encrypt(&aes, out, hex("00112233445566778899aabbccddeeff", &len));
	same(out, "69c4e0d86a7b0430d8cdb78070b4c55a");
}

/* SP 800-38D's test cases 1 to 4 (the GCM specification's appendix B) */
static void test_gcm(void **state)
{
	static const struct {
		const char *key, *nonce, *aad, *sealed, *plain;
	} t[] = {
		{ "00000000000000000000000000000000", "000000000000000000000000", "",
		  "58e2fccefa7e3061367f1d57a4e7455a", "" },
		{ "00000000000000000000000000000000", "000000000000000000000000", "",
		  "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
		  "00000000000000000000000000000000" },
		{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
		  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f59854d5c2af327cd64a62cf35abd2ba6fab4",
		  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255" },
		{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
		  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39" },
	};
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		size_t key, nonce, aad, len;
		u8 *k = hex(t[i].key, &key), *n = hex(t[i].nonce, &nonce), *a = hex(t[i].aad, &aad);
		u8 *sealed = hex(t[i].sealed, &len), plain[128] = { 0x55 };
		struct natflow_gcm gcm;

		natflow_aes_set(&gcm.aes, k);
		natflow_gcm_hash(&gcm, a, aad, sealed, len);
		assert_true(natflow_gcm_open(&gcm, n, sealed, len, plain));
		same(plain, t[i].plain);
		plain[0] = 0x55;
		for (bit = 0; bit < 8 * len; bit++) {
			sealed[bit / 8] ^= 1 << bit % 8;
			natflow_gcm_hash(&gcm, a, aad, sealed, len);
			assert_false(natflow_gcm_open(&gcm, n, sealed, len, plain));
			sealed[bit / 8] ^= 1 << bit % 8;
		}
		assert_int_equal(plain[0], 0x55);
	}
}

/* Every length, with associated data of every length, as nettle seals it. */
static void test_gcm_lengths(void **state)
{
	u8 key[16] = "natflow's secret", nonce[12] = "twelve bytes", text[80], sealed[96], plain[80];
	struct gcm_aes128_ctx other;
	struct natflow_gcm gcm;
	size_t len, aad;

	for (len = 0; len < sizeof(text); len++)
		text[len] = len * 37;
	natflow_aes_set(&gcm.aes, key);
	gcm_aes128_set_key(&other, key);
	for (len = 0; len < sizeof(text); len++) {
		for (aad = 0; aad < 40; aad++) {
			gcm_aes128_set_iv(&other, 12, nonce);
			gcm_aes128_update(&other, aad, text);
			gcm_aes128_encrypt(&other, len, sealed, text);
			gcm_aes128_digest(&other, 16, sealed + len);
			natflow_gcm_hash(&gcm, text, aad, sealed, len + 16);
			assert_true(natflow_gcm_open(&gcm, nonce, sealed, len + 16, plain));
			assert_memory_equal(plain, text, len);
		}
	}
}

#define ROOM 16384

struct flow {
	struct natflow_quic quic;
	struct natflow_gather gather;
	struct natflow_quic_work work;
	u8 first[ROOM], last[ROOM], have[ROOM / 8];
};

static struct flow *new_flow(void)
{
	static struct flow f;

	memset(&f, 0, sizeof(f));
	f.gather = (struct natflow_gather){ .first = f.first, .have = f.have, .size = ROOM };
	return &f;
}

/* Padded, as a client pads. */
static enum natflow_parsed receive(struct flow *f, const u8 *data, size_t len)
{
	u8 datagram[8192] = {};

	memcpy(datagram, data, len);
	return natflow_quic_receive(&f->quic, &f->gather, &f->work, datagram, len < 1200 ? 1200 : len);
}

static void test_gather(void **state)
{
	struct flow *f = new_flow();
	struct natflow_gather *g = &f->gather;
	const u8 *text = (const u8 *)"a client's hello";
	unsigned int i, j, k;

	/* Every order of three pieces, one byte of overlap. */
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++) {
			k = 3 - i - j;
			if (i == j || k > 2)
				continue;
			f = new_flow();
			assert_int_equal(natflow_gather_put(g, 5 * i, text + 5 * i, 6), 0);
			assert_int_equal(g->prefix, i ? 0 : 6);
			assert_int_equal(natflow_gather_put(g, 5 * j, text + 5 * j, 6), 0);
			assert_int_equal(natflow_gather_put(g, 5 * k, text + 5 * k, 6), 0);
			assert_int_equal(g->prefix, 16);
			assert_memory_equal(g->first, text, 16);
			assert_null(g->last);
		}
	}
	/* What differs is not taken before there is room for it; then both are there. */
	assert_int_equal(natflow_gather_put(g, 4, (const u8 *)"XYZ", 3), -ENOBUFS);
	assert_int_equal(g->want, ROOM);
	assert_memory_equal(g->first, text, 16);
	memcpy(f->last, g->first, ROOM);
	g->last = f->last;
	assert_int_equal(natflow_gather_put(g, 4, (const u8 *)"XYZ", 3), 0);
	assert_memory_equal(g->first, text, 16);
	assert_memory_equal(g->last, "a clXYZt's hello", 16);
	/* Ends and beyond. */
	assert_int_equal(natflow_gather_put(g, ROOM - 1, text, 1), 0);
	assert_int_equal(natflow_gather_put(g, ROOM - 1, text, 2), -ENOSPC);
	assert_int_equal(g->want, ROOM + 1);
	assert_int_equal(natflow_gather_put(g, ~0U, text, 2), -ENOSPC);
	assert_int_equal(g->want, ~0U);
	assert_int_equal(natflow_gather_put(g, 0, text, 0), 0);
	/* Cut: what comes behind is taken as if it had not been there. */
	for (i = 0; i <= 16; i++) {
		f = new_flow();
		assert_int_equal(natflow_gather_put(g, 0, text, 16), 0);
		assert_int_equal(natflow_gather_put(g, 30, text, 5), 0);
		natflow_gather_cut(g, i);
		assert_int_equal(g->prefix, i);
		assert_false(natflow_gather_has(g, i));
		assert_int_equal(natflow_gather_put(g, i, (const u8 *)"12345678901234567", 17 - i), 0);
		assert_int_equal(g->prefix, 17);
		assert_memory_equal(g->first + i, "12345678901234567", 17 - i);
	}
	natflow_gather_cut(g, ROOM);
	assert_int_equal(g->prefix, 17);
}

/* The client's hello of RFC 9001 appendix A.2, of which RFC 9369 appendix A.2 seals the same. */
static const char rfc_hello[] =
	"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c"
	"00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006"
	"001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa4"
	"7fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e040305"
	"0306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ff"
	"ff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff";
static const u8 rfc_id[] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };

static void test_vectors(void **state)
{
	static const struct {
		const char *key, *nonce, *mask, *begin;
	} t[] = {
		{ "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		  "9f50449e04a0e810283a1e9933adedd2",
		  "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11" },
		{ "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		  "45b95e15235d6f45a6b19cbcb0294ba9",
		  "d76b3343cf088394c8f03e5157080000449e" },
	};
	u8 plain[1162] = {}, packet[1300];
	unsigned int i;
	size_t len;
	u8 *crypto = hex(rfc_hello, &len);

	memcpy(plain, crypto, len);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct flow *f = new_flow();
		struct natflow_tls tls;
		struct seal_packet p = {
			.version = &seal_versions[i], .keys = seal_keys(&seal_versions[i], rfc_id, 8),
			.id = rfc_id, .id_len = 8, .number_len = 4, .number = 2,
		};

		assert_int_equal(seal(&p, plain, sizeof(plain), packet), 1200);
		same(packet, t[i].begin);
		assert_int_equal(receive(f, packet, 1200), NATFLOW_PARSED);
		same(f->quic.conn[0].key, t[i].key);
		same(f->quic.conn[0].nonce, t[i].nonce);
		same(f->quic.conn[0].mask_key, t[i].mask);
		assert_int_equal(f->gather.prefix, 241);
		assert_int_equal(natflow_tls_hello(f->first, 241, false, &tls), NATFLOW_PARSED);
		assert_string_equal(tls.host.text, "example.com");
		assert_string_equal(tls.alpn, "alpn");
		assert_int_equal(tls.version, 0x0304);
		assert_int_equal(tls.end, 241);
	}
}

static struct seal_packet sealer(unsigned int version)
{
	return (struct seal_packet){
		.version = &seal_versions[version], .keys = seal_keys(&seal_versions[version], rfc_id, 8),
		.id = rfc_id, .id_len = 8, .number_len = 1,
	};
}

/* One CRYPTO frame of @len bytes at @at, its numbers 4 bytes long, in a packet of its own. */
static size_t one_frame(const struct seal_packet *p, u32 at, const u8 *data, u32 len, u8 *out)
{
	u8 plain[1500] = { 6, 0x80 | at >> 24, at >> 16, at >> 8, at, 0x80, 0, len >> 8, len };

	memcpy(plain + 9, data, len);
	return seal(p, plain, 9 + len + 20, out);
}

/* Each byte of a hello in a packet of its own, last first; packet numbers of every length. */
static void test_many_datagrams(void **state)
{
	struct seal_packet p = sealer(0);
	struct flow *f = new_flow();
	u8 packet[2000], id[20];
	size_t len;
	u8 *hello = hex(rfc_hello + 8, &len);
	u32 i;

	/* Shorter and shorter, as far as that tells them apart. */
	for (i = len; i--;) {
		p.number = 0x010203ff + 7 * (len - i);
		p.number_len = i + 1 == len ? 4 : i % 4 + 1;
		assert_int_equal(f->gather.prefix, 0);
		assert_int_equal(receive(f, packet, one_frame(&p, i, hello + i, 1, packet)),
				 NATFLOW_PARSED);
		/* From the second packet on the server's name for itself is on the wire. */
		memset(id, i, sizeof(id));
		p.id = id;
		p.id_len = i % 21;
	}
	assert_int_equal(f->gather.prefix, len);
	assert_memory_equal(f->first, hello, len);
}

/* Coalesced: an Initial, a 0-RTT packet, another Initial, a short header. */
static void test_coalesced(void **state)
{
	struct flow *f = new_flow();
	struct seal_packet p = sealer(0);
	u8 data[4096], early[] = { 0xd0, 0, 0, 0, 1, 1, 7, 0, 3, 'x', 'y', 'z' };
	size_t len, at;
	u8 *hello = hex(rfc_hello + 8, &len);

	at = one_frame(&p, 100, hello + 100, len - 100, data);
	memcpy(data + at, early, sizeof(early));
	at += sizeof(early);
	p.number = 1;
	at += one_frame(&p, 0, hello, 100, data + at);
	memcpy(data + at, "\x40short", 6);
	assert_int_equal(receive(f, data, at + 6), NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);
	assert_memory_equal(f->first, hello, len);
}

/* What an Initial may hold, and what not. */
static void test_frames(void **state)
{
	static const struct {
		const char *plain;
		enum natflow_parsed want;
		u32 prefix;
	} t[] = {
		{ "00000000000000000000000000000000000000000000", NATFLOW_PARSED, 0 },
		{ "0101060002abcd0000000000000000000000000000", NATFLOW_PARSED, 2 },
		{ "020a40ff0001060001aa0000000000000000000000", NATFLOW_PARSED, 1 },
		{ "020a40ff01030501060001aa00000000000000000000", NATFLOW_PARSED, 1 },
		{ "030a0000000102c000000000000003060003aabbcc0000", NATFLOW_PARSED, 3 },
		{ "060003aabbcc1c0000000000000000000000000000", NATFLOW_PARSED, 3 },
		{ "060003aabbcc1c00000006030401020304000000", NATFLOW_PARSED, 3 },
		{ "0600c0000000000000ff0000000000000000000000", NATFLOW_PARSE_MALFORMED, 0 },
		{ "06c0000001000000000100000000000000000000", NATFLOW_PARSE_MALFORMED, 0 },
		{ "0680004000010000000000000000000000000000", NATFLOW_PARSE_ROOM, 0 },
		{ "0800000000000000000000000000000000000000", NATFLOW_PARSE_UNTRUSTED, 0 },
		{ "02ffffffffffffffffffffffffffffffffffffff", NATFLOW_PARSE_MALFORMED, 0 },
		{ "020000bfffffff00000000000000000000000000", NATFLOW_PARSE_MALFORMED, 0 },
	};
	struct seal_packet p = sealer(1);
	u8 packet[200];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct flow *f = new_flow();
		size_t len;
		u8 *plain = hex(t[i].plain, &len);

		print_message("# %s\n", t[i].plain);
		assert_int_equal(receive(f, packet, seal(&p, plain, len, packet)), t[i].want);
		if (t[i].want == NATFLOW_PARSED && t[i].prefix)
			assert_int_equal(f->gather.prefix, t[i].prefix);
	}
}

/* Any bit of a datagram wrong: it is not opened, or it is another's; a name is never set. */
static void test_forged(void **state)
{
	struct seal_packet p = sealer(0);
	u8 packet[1500];
	size_t hello_len, len, bit;
	u8 *hello = hex(rfc_hello + 8, &hello_len);

	len = one_frame(&p, 0, hello, hello_len, packet);
	for (bit = 0; bit < 8 * len; bit++) {
		struct flow *f = new_flow();

		packet[bit / 8] ^= 1 << bit % 8;
		assert_int_not_equal(receive(f, packet, len), NATFLOW_PARSED);
		assert_int_equal(f->gather.prefix, 0);
		assert_int_equal(f->quic.conn[0].version, 0);
		packet[bit / 8] ^= 1 << bit % 8;
	}
	for (bit = 0; bit < len; bit++)
		assert_int_not_equal(receive(new_flow(), packet, bit), NATFLOW_PARSED);
}

/* After a Retry keys are from the server's choice, with a token; a version agreed on keeps the first. */
static void test_begins_again(void **state)
{
	static const u8 chosen[] = "the server's choice";
	struct seal_packet p = sealer(0);
	struct flow *f = new_flow();
	u8 packet[1500];
	size_t len;
	u8 *hello = hex(rfc_hello + 8, &len);

	assert_int_equal(receive(f, packet, one_frame(&p, 0, hello, 100, packet)), NATFLOW_PARSED);
	p.id = chosen;
	p.id_len = sizeof(chosen);
	p.token = hello;
	p.token_len = 60;
	p.keys = seal_keys(p.version, chosen, sizeof(chosen));
	p.number = 1;
	assert_int_equal(receive(f, packet, one_frame(&p, 0, hello, 100, packet)), NATFLOW_PARSED);
	p.number = 2;
	assert_int_equal(receive(f, packet, one_frame(&p, 100, hello + 100, len - 100, packet)),
			 NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);

	f = new_flow();
	p = sealer(0);
	assert_int_equal(receive(f, packet, one_frame(&p, 0, hello, 100, packet)), NATFLOW_PARSED);
	p.version = &seal_versions[1];
	p.keys = seal_keys(p.version, rfc_id, 8);
	p.id = chosen;
	p.id_len = sizeof(chosen);
	assert_int_equal(receive(f, packet, one_frame(&p, 100, hello + 100, len - 100, packet)),
			 NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);
	assert_null(f->gather.last);
}

/* What is not genuine, or has no room, does not hide what is. */
static void test_decoys(void **state)
{
	static const u8 other[] = "a decoy's", later[] = "the server's", chosen[] = "a Retry's choice";
	struct seal_packet p = sealer(0), q = sealer(0);
	struct flow *f = new_flow();
	u8 data[8192], plain[300] = {};
	size_t len, n, i;
	u8 *hello = hex(rfc_hello + 8, &len);

	/* Broken first, in one datagram. */
	n = one_frame(&p, 0, hello, len, data);
	data[n - 1] ^= 1;
	n += one_frame(&p, 0, hello, len, data + n);
	assert_int_equal(receive(f, data, n), NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);
	/* A connection of its own first: its keys are not the last. */
	f = new_flow();
	q.keys = seal_keys(q.version, other, sizeof(other));
	q.id = other;
	q.id_len = sizeof(other);
	assert_int_equal(receive(f, data, one_frame(&q, 0, hello, 10, data)), NATFLOW_PARSED);
	assert_int_equal(receive(f, data, one_frame(&p, 0, hello, 100, data)), NATFLOW_PARSED);
	p.id = later;
	p.id_len = sizeof(later);
	assert_int_equal(receive(f, data, one_frame(&p, 100, hello + 100, len - 100, data)), NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);
	/* After a Retry the server calls itself otherwise. */
	f = new_flow();
	p = sealer(0);
	assert_int_equal(receive(f, data, one_frame(&p, 0, hello, 50, data)), NATFLOW_PARSED);
	p.keys = seal_keys(p.version, chosen, 4);
	p.id = chosen;
	p.id_len = 4;
	assert_int_equal(receive(f, data, one_frame(&p, 0, hello, 50, data)), NATFLOW_PARSE_UNTRUSTED);
	p.token = hello;
	p.token_len = 5;
	assert_int_equal(receive(f, data, one_frame(&p, 0, hello, 50, data)), NATFLOW_PARSED);
	p.id = later;
	p.id_len = sizeof(later);
	assert_int_equal(receive(f, data, one_frame(&p, 50, hello + 50, len - 50, data)), NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, len);
	/* Far beyond the room, empty and not, in front of a frame whose type is long. */
	f = new_flow();
	p = sealer(0);
	memcpy(plain, "\6\x80\0\x50\0\0\6\x80\0\x50\0\1x\x40\6\0\2hi", 20);
	assert_int_equal(receive(f, data, seal(&p, plain, sizeof(plain), data)), NATFLOW_PARSE_ROOM);
	assert_int_equal(f->gather.prefix, 2);
	/* No more than a few are tried, and none in a datagram that servers drop. */
	for (i = n = 0; i < 5; i++)
		n += one_frame(&p, i * 10, hello + i * 10, 10, data + n);
	f = new_flow();
	assert_int_equal(receive(f, data, n), NATFLOW_PARSED);
	assert_int_equal(f->gather.prefix, 40);
	f = new_flow();
	assert_int_equal(natflow_quic_receive(&f->quic, &f->gather, &f->work, data, 1199), NATFLOW_PARSE_OTHER);
}

/* The connection of the first Initial of a datagram; @fresh: is it a new one? */
static int conn_of(struct flow *f, const struct seal_packet *p, bool *fresh)
{
	u8 data[1500] = {}, plain[1100] = { 1 };

	seal(p, plain, sizeof(plain), data);
	natflow_quic_begin(&f->work, data, 1200);
	if (natflow_quic_next(&f->quic, &f->work) != NATFLOW_PARSED)
		return -1;
	*fresh = f->work.fresh;
	return f->work.conn;
}

/* Connections of one socket keep their places; a new one takes that of one that is done, or of the oldest. */
static void test_connections(void **state)
{
	static const u8 ids[6][9] = { "client 1", "client 2", "client 3", "client 4", "client 5", "client 6" };
	static const u8 server[] = "the server's";
	struct flow *f = new_flow();
	struct seal_packet p[6];
	bool fresh;
	int i;

	for (i = 0; i < 6; i++) {
		p[i] = sealer(0);
		p[i].id = ids[i];
		p[i].keys = seal_keys(p[i].version, ids[i], 8);
	}
	for (i = 0; i < 4; i++) {
		assert_int_equal(conn_of(f, &p[i], &fresh), i);
		assert_true(fresh);
	}
	/* By its own ID, by the server's while the hello is not read, and with a number far ahead. */
	for (i = 4; i--;) {
		p[i].number_len = 4;
		p[i].number = 1U << 31;
		assert_int_equal(conn_of(f, &p[i], &fresh), i);
		assert_false(fresh);
		p[i].number_len = 1;
		p[i].number = 1;
		assert_int_equal(conn_of(f, &p[i], &fresh), i);
		p[i].id = server;
		p[i].id_len = sizeof(server);
		assert_int_equal(conn_of(f, &p[i], &fresh), i);
	}
	f->quic.conn[1].done = true;
	assert_int_equal(conn_of(f, &p[1], &fresh), -1);
	assert_int_equal(conn_of(f, &p[4], &fresh), 1);
	assert_true(fresh);
	assert_int_equal(conn_of(f, &p[5], &fresh), 3);
	assert_int_equal(conn_of(f, &p[3], &fresh), -1);
}

/* Beside four connections: eight trials of keys, hashes in vain of twice the datagram, then no more. */
static void test_costs(void **state)
{
	static const u8 ids[5][9] = { "client 1", "client 2", "client 3", "client 4", "client 5" };
	struct seal_packet p = sealer(0);
	struct flow *f = new_flow();
	u8 data[4096] = {};
	size_t n = 0, len = 0;
	bool fresh;
	int i;

	for (i = 0; i < 5; i++) {
		p.id = ids[i];
		p.keys = seal_keys(p.version, ids[i], 8);
		if (i < 4)
			assert_int_equal(conn_of(f, &p, &fresh), i);
	}
	for (i = 0; i < 3; i++) {
		len = one_frame(&p, 0, ids[0], 8, data + n);
		data[n + len - 1] ^= i < 2;
		n += len;
	}
	natflow_quic_begin(&f->work, data, 1200);
	assert_int_equal(natflow_quic_next(&f->quic, &f->work), NATFLOW_PARSE_UNTRUSTED);
	assert_int_equal(f->work.key_tries, 5);
	assert_int_equal(natflow_quic_next(&f->quic, &f->work), NATFLOW_PARSE_MALFORMED);
	assert_int_equal(natflow_quic_next(&f->quic, &f->work), NATFLOW_PARSE_MALFORMED);
	natflow_quic_begin(&f->work, data + n - len, 1200);
	f->work.vain = len / 2;
	assert_int_equal(natflow_quic_next(&f->quic, &f->work), NATFLOW_PARSE_MALFORMED);
	natflow_quic_begin(&f->work, data + n - len, 1200);
	assert_int_equal(f->work.vain, 2400);
	assert_int_equal(natflow_quic_next(&f->quic, &f->work), NATFLOW_PARSED);
	assert_int_equal(f->work.vain, 2400);
}

static void test_others(void **state)
{
	static const u8 t[][16] = {
		"GET / HTTP/1.1\r", { 0x40, 1, 2, 3 }, { 0xc0, 0, 0, 0, 0 }, { 0xc0, 0xff, 0, 0, 28 }, { 0xf0, 0, 0, 0, 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(receive(new_flow(), t[i], sizeof(t[i])), NATFLOW_PARSE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hkdf), cmocka_unit_test(test_hmac_long_key),
		cmocka_unit_test(test_aes), cmocka_unit_test(test_gcm),
		cmocka_unit_test(test_gcm_lengths), cmocka_unit_test(test_gather),
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_many_datagrams),
		cmocka_unit_test(test_coalesced), cmocka_unit_test(test_frames),
		cmocka_unit_test(test_forged), cmocka_unit_test(test_begins_again),
		cmocka_unit_test(test_decoys), cmocka_unit_test(test_connections),
		cmocka_unit_test(test_costs), cmocka_unit_test(test_others),
	};

	natflow_quic_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
