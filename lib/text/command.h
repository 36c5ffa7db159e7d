/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The line protocol of the control devices: bytes to lines, a line to a
 * command. Applying a command is not done here.
 */
#ifndef _NATFLOW_LIB_TEXT_COMMAND_H
#define _NATFLOW_LIB_TEXT_COMMAND_H

#include "../names/hostname.h"
#include "line.h"
#include "site.h"
#include "words.h"

enum natflow_verb {
	NATFLOW_CMD_NONE,	/* an empty line or a comment */
	NATFLOW_CMD_DISABLED,
	NATFLOW_CMD_SELECT,
	NATFLOW_CMD_DELAY_PKTS,
	NATFLOW_CMD_FLOW_LIMIT,
	NATFLOW_CMD_GROUP_TYPE,
	NATFLOW_CMD_GROUP_ADD,
	NATFLOW_CMD_GROUP_CLEAR,
	NATFLOW_CMD_DEBUG,
	NATFLOW_CMD_UPDATE_MAGIC,
	NATFLOW_CMD_FLUSH,
	NATFLOW_CMD_LIST_NET_DEVICE,
	NATFLOW_CMD_GO_SLOWPATH,
	NATFLOW_CMD_REVALIDATE,
	NATFLOW_CMD_INSPECT_PACKETS,
	NATFLOW_CMD_INSPECT_FAIL,
	NATFLOW_CMD_LOG_LEVEL,
	NATFLOW_CMD_LOG_QUERY,
	NATFLOW_CMD_LOG_ANSWERS,
	NATFLOW_CMD_LOG_SKIP,
	NATFLOW_CMD_LOG_SKIP_CLEAR,
	NATFLOW_CMD_ACL_ADD,
	NATFLOW_CMD_ACL_DEL,
	NATFLOW_CMD_ACL_CLEAR,
	NATFLOW_CMD_ACL_DEFAULT,
	NATFLOW_CMD_ACL_REDIRECT,
	NATFLOW_CMD_DNS_ANSWER,
	NATFLOW_CMD_DNS_HTTPS,
	NATFLOW_CMD_DNS_SINKHOLE,	/* @filter's src */
	NATFLOW_CMD_LIST,
	NATFLOW_CMD_LIST_LOAD,	/* names follow, as lines up to "end" or as @value bytes */
	NATFLOW_CMD_LIST_REMOVE,
	NATFLOW_CMD_BEGIN,	/* hold back what follows ... */
	NATFLOW_CMD_COMMIT,	/* ... and do all of it, or nothing */
};

/* Which flows; compared with the original direction as it comes in. */
struct natflow_filter {
	u8 proto;		/* 0 = any */
	u8 src_family, dst_family;	/* NFPROTO_*, 0 = any */
	u8 src_len, dst_len;	/* prefix bits */
	u8 src[16], dst[16];	/* network order */
	u32 sport, dport;	/* host order, 0 = any */
	char dev[NATFLOW_NAME_MAX];	/* ingress or egress of either direction, "" = any */
};

struct natflow_command {
	enum natflow_verb verb;
	u32 value;		/* of number settings; the place of a word among its choices */
	u32 mark, mask;		/* of select=mark: */
	char name[NATFLOW_NAME_MAX];
	struct natflow_filter filter;
	u8 id, action;		/* of a rule */
	bool skip;		/* leave out lines of a list that have no name */
	union {
		struct natflow_hostname host;	/* of a rule */
		char url[NATFLOW_LINE_MAX];	/* or what was said of a list or a source */
	};
	union {
		struct natflow_site_policy site;	/* of a list */
		struct natflow_source source;
	};
	u32 line;		/* its number, for whoever holds it */
	const char *what;	/* the word it begins with */
	/* On error: */
	const char *word;	/* where in the line it went wrong */
	const char *expected;	/* what should have been there; if @absent, what is here instead */
	const char *example;	/* a line that is understood */
	bool absent;
};

/* The commands of one device. */
struct natflow_grammar;

extern const char * const natflow_level_words[4];	/* by enum natflow_url_level */
extern const struct natflow_grammar natflow_grammar_ctl, natflow_grammar_hostacl;

int natflow_command_parse(const struct natflow_grammar *grammar, char *line,
			  struct natflow_command *cmd);
int natflow_command_refuse(struct natflow_command *cmd, const char *expected, const char *example,
			   int err);

#endif /* _NATFLOW_LIB_TEXT_COMMAND_H */
