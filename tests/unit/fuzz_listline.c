// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz lines of lists: names are names, what is refused says what was expected, and no cut matters. */
#include <stdio.h>
#include "../../lib/text/listline.h"

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_name(const struct natflow_hostname *host)
{
	const char *c, *label = host->text;

	check(host->len && strlen(host->text) == host->len && host->len <= NATFLOW_HOSTNAME_MAX);
	for (c = host->text; ; c++) {
		if (*c && *c != '.') {
			check(islower(*c) || isdigit(*c) || *c == '-' || *c == '_');
			continue;
		}
		check(c > label && c - label <= 63);
		if (!*c)
			break;
		label = c + 1;
	}
	check(strspn(label, "0123456789") < strlen(label));
}

/* A sum of all that is said about @data, which comes in pieces of @piece bytes. */
static u64 read_all(const u8 *data, size_t size, size_t piece)
{
	struct natflow_listline *line = calloc(1, sizeof(*line));
	u64 sum = 0;
	size_t i;

	for (i = 0; i < size; i++) {
		struct natflow_hostname host;
		int ret, names = 0;

		if (i % piece == 0) {	/* where it is in memory does not matter */
			struct natflow_listline *other = memcpy(malloc(sizeof(*line)), line, sizeof(*line));

			free(line);
			line = other;
		}
		if (!natflow_listline_push(line, data[i]))
			continue;
		check(strlen(line->text) == line->len && line->len < NATFLOW_LISTLINE_MAX);
		ret = natflow_listline_begin(line);
		while (!ret && (ret = natflow_listline_next(line, &host)) > 0) {
			check_name(&host);
			check(++names <= NATFLOW_LISTLINE_MAX / 2);
			sum = sum * 31 + host.len + host.text[0] + line->allow;
			ret = 0;
		}
		check(!ret || (ret == -EINVAL && line->expected));
		check(line->at <= line->end && line->end <= line->len);
		sum = sum * 31 + line->number + !!ret;
	}
	free(line);
	return sum;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	check(read_all(data, size, 1) == read_all(data, size, 7) && read_all(data, size, 7) == read_all(data, size, 4096));
	return 0;
}
