// SPDX-License-Identifier: GPL-2.0-only
/* Reading a control device: its usage, then its settings as lines that set them. */
#include <linux/seq_file.h>
#include "verb.h"

static void show_usage(const struct natflow_device *device, const struct natflow_verb *verb,
		       struct seq_file *m)
{
	int room = device->column;

	if (!verb->values)
		return;
	seq_printf(m, "#    %s%s", verb->word, verb->values);
	room -= strlen(verb->word) + strlen(verb->values);
	if (verb->help)
		seq_printf(m, "%*s%s", room > 0 ? room : 2, "", verb->help);
	seq_putc(m, '\n');
}

static void show_value(const struct natflow_verb *verb, struct natflow_net *nn, struct seq_file *m)
{
	u32 value;

	if (verb->ops->show)
		verb->ops->show(nn, m);
	if (!verb->ops->get)
		return;
	value = verb->ops->get(nn);
	if (verb->words)
		seq_printf(m, "%s%s\n", verb->word, verb->words[value]);
	else
		seq_printf(m, "%s%u\n", verb->word, value);
}

/**
 * natflow_device_show() - print the usage, then every setting as a line that sets it
 * @device: device
 * @nn: namespace
 * @m: where to
 *
 * Context: process, may sleep, the door's lock held.
 */
void natflow_device_show(const struct natflow_device *device, struct natflow_net *nn,
			 struct seq_file *m)
{
	const struct natflow_verb * const *verb;
	int last;

	seq_puts(m, device->head);
	for (verb = device->grammar.verbs; *verb; verb++)
		show_usage(device, *verb, m);
	for (verb = device->grammar.more; verb && *verb; verb++)
		show_usage(device, *verb, m);
	seq_puts(m, device->foot);
	for (verb = device->grammar.more; verb && *verb; verb++)
		show_value(*verb, nn, m);
	for (last = 0; last < 2; last++)
		for (verb = device->grammar.verbs; *verb; verb++)
			if ((*verb)->ops && (*verb)->ops->show_last == last)
				show_value(*verb, nn, m);
}
