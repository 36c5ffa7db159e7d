// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz the line protocol: any bytes, in any pieces, give lines that parse or name what is wrong. */
#include <stdio.h>
#include "grammar.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct natflow_line line = {};
	struct natflow_command cmd;
	struct natflow_filter *filter = NATFLOW_ARGS(&cmd, struct natflow_filter);
	struct natflow_list_args *list = NATFLOW_ARGS(&cmd, struct natflow_list_args);
	struct natflow_zone_args *zone = NATFLOW_ARGS(&cmd, struct natflow_zone_args);
	struct natflow_limit_args *limit = NATFLOW_ARGS(&cmd, struct natflow_limit_args);
	struct natflow_group_args *group = NATFLOW_ARGS(&cmd, struct natflow_group_args);
	char shown[NATFLOW_LINE_MAX];
	size_t i;

	for (i = 0; i < size; i++) {
		int ret = natflow_line_push(&line, data[i]);
		int err;

		if (ret <= 0)
			continue;
		if (strlen(line.text) >= NATFLOW_LINE_MAX)
			abort();
		err = natflow_command_parse(&grammars[data[0] % ARRAY_SIZE(grammars)], line.text, &cmd);
		if (err && (!cmd.word || !cmd.expected || cmd.word < cmd.text || cmd.word >= cmd.text + sizeof(cmd.text)))
			abort();
		if (!err && cmd.verb == &natflow_verb_flush && (filter->src_len > 128 || filter->dport > 65535))
			abort();
		if (!err && cmd.verb == &natflow_verb_list && !memchr(list->name, 0, sizeof(list->name)))
			abort();
		if (!err && (cmd.verb == &natflow_verb_lan_zone || cmd.verb == &natflow_verb_wan_zone) &&
		    (zone->line.id > NATFLOW_ZONE_ID_MAX || !memchr(zone->line.name, 0, sizeof(zone->line.name))))
			abort();
		if (!err && cmd.verb == &natflow_verb_limit &&
		    ((!limit->rates.rx && !limit->rates.tx && !*limit->group && !limit->dscp && !limit->prio) ||
		     natflow_limit_print(limit, shown, sizeof(shown)) >= NATFLOW_LINE_MAX))
			abort();
		if (!err && cmd.verb == &natflow_verb_group &&
		    (!memchr(group->name, 0, sizeof(group->name)) || natflow_group_print(group, shown, sizeof(shown)) >= NATFLOW_LINE_MAX))
			abort();
	}
	return 0;
}
