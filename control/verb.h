/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verbs and devices. A verb is an object in the file that does what it says; a
 * device is a table of verbs. control/ctl.c runs lines for every device, by one
 * model: all lines of a transaction are prepared, then all are committed, or
 * all are aborted. A line outside a transaction is a transaction of its own.
 */
#ifndef _NATFLOW_CONTROL_VERB_H
#define _NATFLOW_CONTROL_VERB_H

#include <linux/miscdevice.h>
#include "../lib/text/settings.h"

struct natflow_net;
struct seq_file;

/*
 * A draft is a copy of an object, for example of the rules. Lines change the draft;
 * on commit it replaces the object. Within a transaction, verbs with the same
 * draft operations share one draft. Context of all calls: process, may sleep. The
 * door's lock is held and keeps other writers out.
 */
struct natflow_draft_ops {
	/* Make a draft that @lines lines may add to, or return NULL without memory. */
	void *(*make)(struct natflow_net *nn, unsigned int lines);
	/* All lines are prepared: allocate what the commit needs. Optional; 0 or an errno. */
	int (*ready)(struct natflow_net *nn, void *draft);
	/* Take over @draft. It cannot fail. */
	void (*commit)(struct natflow_net *nn, void *draft);
	/* Free @draft. */
	void (*abort)(void *draft);
};

struct natflow_body;

/* Operations of a verb. Context of all calls: as for drafts. */
struct natflow_verb_ops {
	/* The draft that prepare() changes; NULL: none. */
	const struct natflow_draft_ops *draft;
	/*
	 * Do everything that can fail; change the draft only. Optional. Return: 0,
	 * -ENOMEM, or an errno after natflow_command_refuse().
	 */
	int (*prepare)(struct natflow_net *nn, void *draft, struct natflow_command *cmd);
	/* Do the line, after all drafts were committed. Optional. It cannot fail. */
	void (*commit)(struct natflow_net *nn, const struct natflow_command *cmd);
	/* Of a setting: its value, a number or an index in the verb's words. */
	u32 (*get)(struct natflow_net *nn);
	/* Print the lines that set it, if get() is not enough. Optional. */
	void (*show)(struct natflow_net *nn, struct seq_file *m);
	bool show_last;		/* behind the settings */
	/*
	 * For a line whose parser set ->body: return the receiver of the text that
	 * follows, or an error pointer as prepare() does. A transaction refuses such
	 * a line.
	 */
	struct natflow_body *(*body)(struct natflow_net *nn, struct natflow_command *cmd);
	const char *no_transaction;	/* what that refusal says was expected */
};

/* Operations of the receiver of text behind a line. */
struct natflow_body_ops {
	/*
	 * Consume text. Return: the bytes consumed, or an errno after logging why.
	 * The caller frees the body after an error, or if *@done was set.
	 */
	ssize_t (*feed)(struct natflow_body *body, struct natflow_net *nn, const char *text,
			size_t len, bool *done);
	/* Return: the last line has no newline yet. */
	bool (*in_line)(const struct natflow_body *body);
	/* Log that the file was closed before the end. */
	void (*cut)(struct natflow_body *body, struct natflow_net *nn);
	void (*free)(struct natflow_body *body);
	const char *end;	/* its last line; ignored if it comes after a refusal */
};

struct natflow_body {
	const struct natflow_body_ops *ops;
};

struct natflow_device {
	struct miscdevice misc;
	struct natflow_grammar grammar;
	const char *head, *foot;	/* comments around the usage */
	unsigned int column;		/* of the help in the usage */
	/* What a read shows instead of usage and settings; see natflow_ctl_enter(). */
	const struct seq_operations *list;
};

extern struct natflow_device natflow_ctl_device, natflow_hostacl_device, natflow_zone_device,
			     natflow_userinfo_device, natflow_qos_device;
extern struct natflow_device natflow_user_device;

/* The objects of the tables' verbs. */
#define NATFLOW_VERB_NAME(id)	natflow_verb_##id,
extern const struct natflow_verb
	NATFLOW_CTL_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	NATFLOW_HOSTACL_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	NATFLOW_ZONE_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	NATFLOW_USERINFO_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	NATFLOW_QOS_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	NATFLOW_AUTH_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_NAME)
	natflow_verb_commit;

void natflow_words_hold(void);
void natflow_words_release(void);
void natflow_device_show(const struct natflow_device *device, struct natflow_net *nn,
			 struct seq_file *m);

#endif /* _NATFLOW_CONTROL_VERB_H */
