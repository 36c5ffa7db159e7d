// SPDX-License-Identifier: GPL-2.0-only
/* Words of natflow_ctl that a module brings, and takes away when it goes. */
#include <linux/module.h>
#include <linux/rwsem.h>
#include "api.h"
#include "verb.h"

#define SETTINGS_MAX 4

/* Held while a line runs or a device is read, outside of the door's lock. */
static DECLARE_RWSEM(words);
static const struct natflow_feature_setting *settings;
static struct natflow_verb verbs[SETTINGS_MAX];
static struct natflow_verb_ops ops[SETTINGS_MAX];
static const struct natflow_verb *list[SETTINGS_MAX + 1];

static void commit(struct natflow_net *nn, const struct natflow_command *cmd)
{
	settings[cmd->verb - verbs].set(nn, cmd->value);
}

/**
 * natflow_words_hold() - the words stay
 *
 * Context: process, may sleep, no lock held.
 */
void natflow_words_hold(void)
{
	down_read(&words);
}

/**
 * natflow_words_release() - the reverse
 */
void natflow_words_release(void)
{
	up_read(&words);
}

/**
 * natflow_feature_settings_add() - add settings to natflow_ctl
 * @all: stay as they are until natflow_feature_settings_remove() has returned
 * @count: how many
 *
 * Context: process, may sleep.
 * Return: 0, -EBUSY if another module has some, -E2BIG.
 */
int natflow_feature_settings_add(const struct natflow_feature_setting *all, unsigned int count)
{
	unsigned int i;

	if (count > SETTINGS_MAX)
		return -E2BIG;
	down_write(&words);
	if (settings) {
		up_write(&words);
		return -EBUSY;
	}
	settings = all;
	for (i = 0; i < count; i++) {
		ops[i] = (struct natflow_verb_ops){ .get = all[i].get, .commit = commit };
		verbs[i] = (struct natflow_verb){
			.word = all[i].word, .values = all[i].values, .help = all[i].help,
			.parse = natflow_number_parse, .min = all[i].min, .max = all[i].max,
			.expected = all[i].expected, .example = all[i].example, .ops = &ops[i],
		};
		list[i] = &verbs[i];
	}
	list[count] = NULL;
	natflow_ctl_device.grammar.more = list;
	up_write(&words);
	return 0;
}
EXPORT_SYMBOL_GPL(natflow_feature_settings_add);

/**
 * natflow_feature_settings_remove() - the words are unknown again
 *
 * Context: process, may sleep; the module's calls are over when it returns.
 */
void natflow_feature_settings_remove(void)
{
	down_write(&words);
	natflow_ctl_device.grammar.more = NULL;
	settings = NULL;
	up_write(&words);
}
EXPORT_SYMBOL_GPL(natflow_feature_settings_remove);
