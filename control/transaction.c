// SPDX-License-Identifier: GPL-2.0-only
/* Lines are prepared, then committed or aborted, all of them. */
#include <linux/slab.h>
#include "transaction.h"

#define DRAFTS_MAX 8	/* draft operations among the verbs of one device */

struct transaction {
	struct natflow_net *nn;
	unsigned int lines;	/* that will be prepared */
	unsigned int drafts;
	struct {
		const struct natflow_draft_ops *ops;
		void *draft;
	} draft[DRAFTS_MAX];
};

struct held_line {
	struct list_head list;
	u32 number;
	char text[];
};

/* Return: the draft with these operations, made if it is the first use; NULL without memory. */
static void *draft_of(struct transaction *t, const struct natflow_draft_ops *ops)
{
	unsigned int i;

	for (i = 0; i < t->drafts; i++)
		if (t->draft[i].ops == ops)
			return t->draft[i].draft;
	if (WARN_ON_ONCE(i == DRAFTS_MAX))
		return NULL;
	t->draft[i].draft = ops->make(t->nn, t->lines);
	if (!t->draft[i].draft)
		return NULL;
	t->draft[i].ops = ops;
	t->drafts++;
	return t->draft[i].draft;
}

static int prepare(struct transaction *t, struct natflow_command *cmd)
{
	const struct natflow_verb_ops *ops = cmd->verb->ops;
	void *draft = NULL;

	if (ops->draft) {
		draft = draft_of(t, ops->draft);
		if (!draft)
			return -ENOMEM;
	}
	return ops->prepare ? ops->prepare(t->nn, draft, cmd) : 0;
}

static int make_ready(struct transaction *t)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < t->drafts && !err; i++)
		if (t->draft[i].ops->ready)
			err = t->draft[i].ops->ready(t->nn, t->draft[i].draft);
	return err;
}

static void commit_drafts(struct transaction *t)
{
	unsigned int i;

	for (i = 0; i < t->drafts; i++)
		t->draft[i].ops->commit(t->nn, t->draft[i].draft);
}

static void abort_drafts(struct transaction *t)
{
	unsigned int i;

	for (i = 0; i < t->drafts; i++)
		t->draft[i].ops->abort(t->draft[i].draft);
}

static void commit(struct natflow_net *nn, const struct natflow_command *cmd)
{
	if (cmd->verb->ops->commit)
		cmd->verb->ops->commit(nn, cmd);
}

/**
 * natflow_command_run() - do one line, which is a transaction of its own
 * @nn: namespace
 * @cmd: the line, with a verb that has operations
 *
 * When it returns 0 the change is in force for the next packet.
 *
 * Context: process, may sleep, the door's lock held.
 * Return: 0 or an errno; then nothing has changed, and @cmd says what was
 * expected, unless there was no memory.
 */
int natflow_command_run(struct natflow_net *nn, struct natflow_command *cmd)
{
	struct transaction t = { .nn = nn, .lines = 1 };
	int err = prepare(&t, cmd) ?: make_ready(&t);

	if (err) {
		abort_drafts(&t);
		return err;
	}
	commit_drafts(&t);
	commit(nn, cmd);
	return 0;
}

/**
 * natflow_held_init() - begin without lines
 * @held: where lines will be held
 */
void natflow_held_init(struct natflow_held *held)
{
	INIT_LIST_HEAD(&held->lines);
	held->count = 0;
}

/**
 * natflow_held_add() - hold a line that was parsed
 * @held: lines
 * @text: the line, NUL-terminated
 * @number: its number
 *
 * Context: process, may sleep.
 * Return: 0, -E2BIG if NATFLOW_HELD_MAX lines are held, or -ENOMEM.
 */
int natflow_held_add(struct natflow_held *held, const char *text, u32 number)
{
	size_t len = strlen(text) + 1;
	struct held_line *line;

	if (held->count == NATFLOW_HELD_MAX)
		return -E2BIG;
	line = kmalloc(struct_size(line, text, len), GFP_KERNEL_ACCOUNT);
	if (!line)
		return -ENOMEM;
	line->number = number;
	memcpy(line->text, text, len);
	list_add_tail(&line->list, &held->lines);
	held->count++;
	return 0;
}

/**
 * natflow_held_drop() - forget all lines
 * @held: lines
 */
void natflow_held_drop(struct natflow_held *held)
{
	struct held_line *line, *next;

	list_for_each_entry_safe(line, next, &held->lines, list)
		kfree(line);
	natflow_held_init(held);
}

/* Parsing cannot fail, because each line was parsed before it was held. */
static void parse(const struct natflow_grammar *grammar, const struct held_line *line,
		  struct natflow_command *cmd)
{
	WARN_ON_ONCE(natflow_command_parse(grammar, line->text, cmd));
	cmd->line = line->number;
}

/**
 * natflow_held_run() - do all lines that are held, or none
 * @held: lines
 * @grammar: by which they were parsed
 * @nn: namespace
 * @cmd: memory for one line; on error the line that is to blame
 *
 * When it returns 0 the change is in force for the next packet.
 *
 * Context: process, may sleep, the door's lock held.
 * Return: 0 or an errno; then nothing has changed, and @cmd says what was
 * expected, unless there was no memory.
 */
int natflow_held_run(struct natflow_held *held, const struct natflow_grammar *grammar,
		     struct natflow_net *nn, struct natflow_command *cmd)
{
	struct transaction t = { .nn = nn, .lines = held->count };
	struct held_line *line;
	int err = 0;

	list_for_each_entry(line, &held->lines, list) {
		parse(grammar, line, cmd);
		err = prepare(&t, cmd);
		if (err)
			break;
	}
	err = err ?: make_ready(&t);
	if (err) {
		abort_drafts(&t);
		return err;
	}
	commit_drafts(&t);
	list_for_each_entry(line, &held->lines, list) {
		parse(grammar, line, cmd);
		commit(nn, cmd);
	}
	return 0;
}
