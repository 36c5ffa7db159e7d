// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz the line protocol: any bytes, in any pieces, give lines that parse or name what is wrong. */
#include <stdio.h>
#include "../../lib/text/command.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct natflow_line line = {};
	struct natflow_command cmd;
	size_t i;

	for (i = 0; i < size; i++) {
		int ret = natflow_line_push(&line, data[i]);
		int err;

		if (ret <= 0)
			continue;
		if (strlen(line.text) >= NATFLOW_LINE_MAX)
			abort();
		err = natflow_command_parse(data[0] & 1 ? &natflow_grammar_hostacl : &natflow_grammar_ctl,
					    line.text, &cmd);
		if (err && (!cmd.word || !cmd.expected || cmd.word < line.text ||
			    cmd.word > line.text + NATFLOW_LINE_MAX))
			abort();
		if (!err && (memchr(cmd.name, 0, sizeof(cmd.name)) == NULL ||
			     cmd.filter.src_len > 128 || cmd.filter.dport > 65535))
			abort();
	}
	return 0;
}
