// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of block lists. Each line shows its own format, so a list may mix them:
 *
 *	ads.example  *.ads.example  .ads.example	plain
 *	0.0.0.0 ads.example more.example		hosts file
 *	address=/ads.example/  local=/a.example/	dnsmasq
 *	||ads.example^  @@||fine.example^		adblock
 */
#include "listline.h"

#define NAME "a host name, for example ads.example.com"

static void begin_line(struct natflow_listline *line)
{
	line->open = true;
	line->number++;
	line->len = 0;
	line->cut = false;
	line->control = false;
}

/**
 * natflow_listline_push() - add one byte
 * @line: collector
 * @c: the byte; LF, CR LF and CR end a line
 *
 * Return: true when the line is whole. The next byte begins another line.
 */
bool natflow_listline_push(struct natflow_listline *line, char c)
{
	const bool text = (unsigned char)c >= ' ' && c != 0x7f;

	if (likely(text && line->open && line->len < NATFLOW_LISTLINE_MAX - 1)) {
		line->text[line->len++] = c;
		return false;
	}
	if (!line->open) {
		bool lf_of_cr = line->cr && c == '\n';

		line->cr = false;
		if (lf_of_cr)
			return false;
		begin_line(line);
	}
	if (c == '\n' || c == '\r') {
		line->text[line->len] = '\0';
		line->cr = c == '\r';
		line->open = false;
		return true;
	}
	line->control |= !text && c != '\t';
	if (line->len == NATFLOW_LISTLINE_MAX - 1)
		line->cut = true;
	else	/* the line may be shown in a terminal */
		line->text[line->len++] = text || c == '\t' ? c : '?';
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Leave out blanks on both sides of what is left. */
static void trim(struct natflow_listline *line)
{
	while (line->at < line->end && is_blank(line->text[line->at]))
		line->at++;
	while (line->at < line->end && is_blank(line->text[line->end - 1]))
		line->end--;
}

/**
 * natflow_listline_is() - is this word all that a line has
 * @line: whole
 * @word: word
 */
bool natflow_listline_is(const struct natflow_listline *line, const char *word)
{
	const char *text = line->text;
	size_t len = strlen(word);

	while (is_blank(*text))
		text++;
	if (strncmp(text, word, len))
		return false;
	for (text += len; is_blank(*text);)
		text++;
	return !*text;
}

/* Does what is left begin with @word? Then step over it. */
static bool take(struct natflow_listline *line, const char *word)
{
	size_t len = strlen(word);

	if (line->end - line->at < len || strncmp(line->text + line->at, word, len))
		return false;
	line->at += len;
	return true;
}

static int fail(struct natflow_listline *line, const char *expected)
{
	line->expected = expected;
	return -EINVAL;
}

static bool is_word(const char *text, size_t len, const char * const *words, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (strlen(words[i]) == len && !strncasecmp(words[i], text, len))
			return true;
	return false;
}

/* The addresses that lists use to say: this name leads nowhere. */
static bool is_nowhere(const char *text, size_t len)
{
	static const char * const words[] = { "0.0.0.0", "127.0.0.1", "::", "::1", "0" };

	return is_word(text, len, words, ARRAY_SIZE(words));
}

/* Is it written like an address of either family? No name has a colon. */
static bool is_address(const char *text, size_t len)
{
	size_t i;

	if (memchr(text, ':', len) || is_nowhere(text, len))
		return true;
	for (i = 0; i < len; i++)
		if (text[i] != '.' && !isdigit((unsigned char)text[i]))
			return false;
	return len;
}

/* Names that hosts files give to the host itself. */
static bool is_local(const char *text, size_t len)
{
	static const char * const words[] = {
		"localhost", "localhost.localdomain", "local", "localdomain", "broadcasthost",
		"localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
		"ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix",
		"ip6-allnodes", "ip6-allrouters", "ip6-allhosts", "0.0.0.0",
	};

	return is_word(text, len, words, ARRAY_SIZE(words));
}

/* A comment begins with "#" or ";" behind a blank; in a hosts file with any "#". */
static void drop_comment(struct natflow_listline *line, bool hosts)
{
	unsigned int i;

	for (i = line->at + 1; i < line->end; i++) {
		char c = line->text[i];

		if ((c == '#' && hosts) || ((c == '#' || c == ';') && is_blank(line->text[i - 1])))
			line->end = i;
	}
	trim(line);
}

/* The next word, up to a separator. Return: its length. */
static size_t word_length(const struct natflow_listline *line)
{
	size_t i = line->separator ? line->at : line->end;

	while (i < line->end && (line->separator == ' ' ? !is_blank(line->text[i]) :
							  line->text[i] != line->separator))
		i++;
	return i - line->at;
}

/* ADDRESS NAME...: a block if the address leads nowhere. Others may only name the host itself. */
static int begin_hosts(struct natflow_listline *line, size_t len)
{
	static const char problem[] = "0.0.0.0, 127.0.0.1, :: or ::1 in front of a blocked name";
	bool nowhere = is_nowhere(line->text + line->at, len);
	unsigned int start;

	drop_comment(line, true);
	line->at += len;
	trim(line);
	start = line->at;
	while (!nowhere && line->at < line->end) {
		len = word_length(line);
		if (!is_local(line->text + line->at, len))
			return fail(line, problem);
		line->at += len;
		trim(line);
	}
	line->at = nowhere ? start : line->end;
	return 0;
}

/* Options that say where a name is asked from, not what of the site is meant. */
static bool plain_options(const char *text, size_t len)
{
	static const char * const words[] = {
		"third-party", "3p", "document", "doc", "all", "popup", "network", "important",
	};
	size_t n;

	for (; len; text += n, len -= n) {
		const char *comma = memchr(text, ',', len);

		n = comma ? (size_t)(comma - text) : len;
		if (!is_word(text, n, words, ARRAY_SIZE(words)))
			return false;
		n += !!comma;
	}
	return true;
}

/* NAME^, with options. What is for a part of a site or of its visitors cannot be told by a name. */
static int begin_adblock(struct natflow_listline *line)
{
	const char *text = line->text + line->at, *mark = memchr(text, '^', line->end - line->at);
	size_t rest;

	if (!mark || mark == text)
		return fail(line, "\"^\" behind the name, for example ||ads.example.com^");
	rest = line->text + line->end - ++mark;
	if (rest && *mark == '|') {
		mark++;
		rest--;
	}
	if (rest && (rest == 1 || *mark != '$' || !plain_options(mark + 1, rest - 1)))
		return fail(line, "nothing behind \"^\" but $third-party, $document, $all, $popup");
	line->end = line->at + strcspn(text, "^");
	return 0;
}

/* NAME/NAME/TARGET of address=/, of local=/ and of server=/, which are the same. */
static int begin_dnsmasq(struct natflow_listline *line, bool address)
{
	unsigned int slash = line->end;
	const char *target;
	size_t len;

	while (slash > line->at && line->text[slash - 1] != '/')
		slash--;
	if (slash == line->at)
		return fail(line, "\"/\" around the name, for example address=/ads.example.com/");
	target = line->text + slash;
	len = line->end - slash;
	line->end = slash - 1;
	line->separator = '/';
	/* "#": for addresses, that of nowhere; for servers, the usual ones, as if not blocked. */
	line->allow = !address && len == 1 && *target == '#';
	if (line->at == line->end)
		return fail(line, "a name behind \"=/\", for example address=/ads.example.com/");
	if (!len || (len == 1 && *target == '#') || (address && is_nowhere(target, len)))
		return 0;
	return fail(line, address ? "no address or 0.0.0.0 behind the last \"/\"" :
				    "no server behind the last \"/\": this name is not blocked");
}

static bool is_adblock_head(const char *text, size_t len)
{
	static const char head[] = "[Adblock Plus";
	const size_t n = sizeof(head) - 1;

	return len > n && !strncasecmp(text, head, n) && text[len - 1] == ']' &&
	       (text[n] == ' ' || len == n + 1);
}

/* Step over a byte order mark and blanks. Return: true if nothing but a comment is left. */
static bool is_comment(struct natflow_listline *line)
{
	line->at = 0;
	line->end = line->len;
	take(line, "\xef\xbb\xbf");
	trim(line);
	return line->at == line->end || strchr("#!;", line->text[line->at]) ||
	       is_adblock_head(line->text + line->at, line->end - line->at);
}

/**
 * natflow_listline_begin() - find out what a line is
 * @line: whole
 *
 * Return: 0, then natflow_listline_next() gives its names and @line->allow says
 * what they are for; -EINVAL if it is neither a comment nor a line with names,
 * then @line->expected says what was.
 */
int natflow_listline_begin(struct natflow_listline *line)
{
	size_t len;

	line->allow = false;
	line->separator = ' ';
	if (is_comment(line)) {
		line->at = line->end;
		return 0;
	}
	if (line->cut)
		return fail(line, "at most 4095 bytes in a line that is no comment");
	if (line->control)
		return fail(line, "text without control characters");
	drop_comment(line, false);
	len = word_length(line);
	if (len < line->end - line->at && is_address(line->text + line->at, len))
		return begin_hosts(line, len);
	line->separator = '\0';
	if (take(line, "address=/"))
		return begin_dnsmasq(line, true);
	if (take(line, "local=/") || take(line, "server=/"))
		return begin_dnsmasq(line, false);
	line->allow = take(line, "@@");
	if (take(line, "||"))
		return begin_adblock(line);
	return line->allow ? fail(line, "a name, for example @@||ads.example.com^") : 0;
}

static int fail_name(struct natflow_listline *line, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return fail(line, "punycode, for example xn--bcher-kva.example");
	return fail(line, NAME);
}

/**
 * natflow_listline_next() - take the next name
 * @line: after natflow_listline_begin(), which returned 0
 * @host: where to
 *
 * Return: 1, 0 if there are no more, -EINVAL for what is no name; then
 * @line->expected says what was expected, and the line is not to be used.
 */
int natflow_listline_next(struct natflow_listline *line, struct natflow_hostname *host)
{
	while (line->at < line->end) {
		const char *text = line->text + line->at;
		size_t len = word_length(line);

		line->at += len;
		if (line->separator != '/')
			trim(line);
		else if (line->at < line->end)
			line->at++;
		if (line->separator == ' ' && is_local(text, len))
			continue;
		return natflow_hostname_pattern(host, text, len) ? 1 : fail_name(line, text, len);
	}
	return 0;
}
