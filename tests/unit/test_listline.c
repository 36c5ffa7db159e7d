// SPDX-License-Identifier: GPL-2.0-only
/* Lines of published block lists: every format, what is no name, and every way to cut the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/text/listline.h"

/* Feed a line. Return: its names with blanks in between, "@" in front if exempt, or "!" and what was expected. */
static const char *read_line(struct natflow_listline *line, char *out)
{
	struct natflow_hostname host;
	int ret = natflow_listline_begin(line);

	*out = '\0';
	while (!ret && (ret = natflow_listline_next(line, &host)) > 0) {
		sprintf(out + strlen(out), "%s%s%s", *out ? " " : "", line->allow ? "@" : "", host.text);
		assert_int_equal(strlen(host.text), host.len);
		ret = 0;
	}
	if (ret)
		sprintf(out, "!%s", line->expected);
	return out;
}

static const char *names_of(const char *text, size_t len)
{
	static struct natflow_listline line;
	static char out[NATFLOW_LISTLINE_MAX * 2];
	size_t i;

	memset(&line, 0, sizeof(line));
	for (i = 0; i < len; i++)
		assert_false(natflow_listline_push(&line, text[i]));
	assert_true(natflow_listline_push(&line, '\n'));
	return read_line(&line, out);
}

#define LABEL63 "a23456789012345678901234567890123456789012345678901234567890123"

static void test_formats(void **state)
{
	static const char * const t[][2] = {
		/* plain */
		{ "ads.example", "ads.example" }, { " \tADS.Example.\t ", "ads.example" },
		{ "*.ads.example", "ads.example" }, { ".ads.example", "ads.example" }, { "zip", "zip" },
		{ "ads.example # why", "ads.example" }, { "ads.example\t;why", "ads.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" }, { "_a.b_c.example", "_a.b_c.example" },
		{ "-a-.example", "-a-.example" }, { "1.2.3.4.example", "1.2.3.4.example" }, { "4.example", "4.example" },
		{ "\xef\xbb\xbf" "ads.example", "ads.example" }, { LABEL63 ".example", LABEL63 ".example" },
		/* no names */
		{ "", "" }, { "  \t", "" }, { "# a b", "" }, { "  ; a", "" }, { "! a,b", "" }, { "##.banner", "" },
		{ "\xef\xbb\xbf# a", "" }, { "[Adblock Plus 2.0]", "" }, { "[adblock plus]", "" }, { "! \1\2 \xff", "" },
		/* hosts files */
		{ "0.0.0.0 a.example", "a.example" }, { "127.0.0.1\ta.example  b.example", "a.example b.example" },
		{ "::1 a.example", "a.example" }, { ":: a.example#why", "a.example" }, { "0 a.example", "a.example" },
		{ "0.0.0.0 a.example # b.example", "a.example" }, { "0.0.0.0 localhost a.example local", "a.example" },
		{ "127.0.0.1 localhost localhost.localdomain", "" }, { "0.0.0.0 0.0.0.0", "" },
		{ "255.255.255.255 broadcasthost", "" }, { "::1 ip6-localhost ip6-loopback", "" },
		{ "fe80::1%lo0 localhost", "" }, { "ff02::1 ip6-allnodes", "" }, { "ff00::0\tip6-mcastprefix # x", "" },
		/* dnsmasq */
		{ "address=/a.example/", "a.example" }, { "address=/a.example/0.0.0.0", "a.example" },
		{ "address=/a.example/b.example/::", "a.example b.example" }, { "address=/a.example/#", "a.example" },
		{ "local=/.a.example/", "a.example" }, { "server=/*.a.example/", "a.example" },
		{ "server=/a.example/ # why", "a.example" }, { "server=/a.example/#", "@a.example" },
		/* adblock */
		{ "||a.example^", "a.example" }, { "||A.example^|", "a.example" }, { "@@||a.example^", "@a.example" },
		{ "||a.example^$third-party", "a.example" }, { "||*.a.example^$3p,document", "a.example" },
		{ "@@||a.example^|$all", "@a.example" }, { "||a.example^ # why", "a.example" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++)
		assert_string_equal(names_of(t[i][0], strlen(t[i][0])), t[i][1]);
}

static void test_refused(void **state)
{
	static const char * const t[][2] = {
		{ "a,b", "host name" }, { "http://x/", "host name" }, { "[Adblock]", "host name" }, { "[Adblock Plus", "host name" },
		{ "10.0.0.1", "host name" }, { "0.0.0.0", "host name" }, { "::1", "host name" }, { "fe80::1", "host name" },
		{ "a b", "host name" }, { "a.example b.example", "host name" }, { "1.2.3", "host name" }, { "a.example:80", "host name" },
		{ ".", "host name" }, { "*.", "host name" }, { "a..example", "host name" }, { "a.example..", "host name" },
		{ "..a", "host name" }, { "*", "host name" }, { "a*.example", "host name" }, { "-ads-", "host name" },
		{ "a#b", "host name" }, { "a.example##.ad", "host name" }, { "a.example##div > p", "host name" }, { "<html>", "host name" },
		{ LABEL63 "4.example", "host name" }, { "b\xc3\xbc" "cher.example", "punycode" },
		{ "0.0.0.0 10.0.0.1", "host name" }, { "0.0.0.0 a.example http://x/", "host name" }, { "0.0.0.0 # a", "host name" },
		{ "192.168.1.5 nas.lan", "in front of" }, { "1.2.3.4 localhost a.example", "in front of" },
		{ "address=/a.example/1.2.3.4", "no address or" }, { "server=/a.example/1.1.1.1", "no server" },
		{ "local=/a.example/1.1.1.1#53", "no server" }, { "address=/a.example", "around the name" },
		{ "address=//", "behind \"=/\"" }, { "address=/a.example/#53", "no address or" }, { "address=/#/", "host name" },
		{ "server=1.1.1.1", "host name" }, { "ipset=/a.example/set", "host name" },
		{ "||a.example", "behind the name" }, { "||a.example/x^", "host name" }, { "||10.0.0.1^", "host name" },
		{ "||a.example^$script", "nothing behind" }, { "||a.example^$~third-party", "nothing behind" }, { "||a.example^$", "nothing behind" },
		{ "||a.example^x", "nothing behind" }, { "||a.example^$third-party,domain=b", "nothing behind" }, { "||^", "behind the name" },
		{ "@@a.example", "@@||ads" }, { "|https://a.example^", "host name" }, { "/ads[0-9]/", "host name" },
		{ "a\1.example", "control" }, { "a.example\x7f", "control" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		const char *said = names_of(t[i][0], strlen(t[i][0]));

		if (*said != '!' || !strstr(said, t[i][1]))
			fail_msg("'%s': %s, expected %s", t[i][0], said, t[i][1]);
	}
	assert_ptr_equal(strstr(names_of("a\0b", 3), "!text without control"), names_of("a\0b", 3));
}

static void test_long(void **state)
{
	char text[NATFLOW_LISTLINE_MAX + 10];

	memset(text, 'a', sizeof(text));
	assert_non_null(strstr(names_of(text, sizeof(text)), "!at most 4095 bytes"));
	text[0] = '#';
	assert_string_equal(names_of(text, sizeof(text)), "");
	memset(text, ' ', sizeof(text));
	memcpy(text + NATFLOW_LISTLINE_MAX - 4, "abc", 3);
	assert_string_equal(names_of(text, NATFLOW_LISTLINE_MAX - 1), "abc");
	memset(text, 'a', 254);			/* too long by label, then by name */
	assert_int_equal(*names_of(text, 253), '!');
	text[63] = '.';
	text[127] = '.';
	text[191] = '.';
	assert_int_equal(strlen(names_of(text, 253)), 253);
	assert_int_equal(*names_of(text, 254), '!');
}

/* A list, read in two pieces cut at every byte, and with each line end: the same names and numbers. */
static void test_cuts(void **state)
{
	static const char list[] = "\xef\xbb\xbf[Adblock Plus 2.0]\n! c\n||a.example^\n\n@@||b.example^\n a,b \n"
		"0.0.0.0 c.example d.example # x\naddress=/e.example/f.example/\nplain.example\nlast.example";
	static const char want[] = "1: 2: 3:a.example 4: 5:@b.example 6:! 7:c.example d.example 8:e.example f.example "
		"9:plain.example 10:last.example ";
	static const char * const ends[] = { "\n", "\r\n", "\r" };
	char text[2 * sizeof(list)], got[1000], out[1000];
	unsigned int e, cut, i;

	for (e = 0; e < ARRAY_SIZE(ends); e++) {
		char *to = text;

		for (i = 0; i < sizeof(list) - 1; i++)
			to = list[i] == '\n' ? stpcpy(to, ends[e]) : (*to = list[i], to + 1);
		to = stpcpy(to, "\n");
		for (cut = 0; cut <= to - text; cut++) {
			struct natflow_listline line = {}, *l = &line;

			*got = '\0';
			for (i = 0; i < to - text; i++) {
				if (i == cut) {		/* as when the collector waits in memory for more */
					l = memcpy(malloc(sizeof(line)), &line, sizeof(line));
					memset(&line, 0xa5, sizeof(line));
				}
				if (natflow_listline_push(l, text[i]))
					sprintf(got + strlen(got), "%u:%.*s ", l->number, *read_line(l, out) == '!' ? 1 : 100, out);
			}
			assert_string_equal(got, want);
			if (l != &line)
				free(l);
		}
	}
}

static void test_end(void **state)
{
	static const struct {
		const char *text;
		bool is;
	} t[] = { { "end", true }, { " end\t", true }, { "end.", false }, { "ends", false }, { "a end", false }, { "", false } };
	struct natflow_listline line = {};
	unsigned int i;
	const char *c;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		for (c = t[i].text; *c; c++)
			natflow_listline_push(&line, *c);
		assert_true(natflow_listline_push(&line, '\n'));
		assert_int_equal(natflow_listline_is(&line, "end"), t[i].is);
		assert_int_equal(line.number, i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats), cmocka_unit_test(test_refused), cmocka_unit_test(test_long),
		cmocka_unit_test(test_cuts), cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
