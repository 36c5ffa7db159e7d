/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The settings and verbs of the control devices, in the order of their usage.
 * A setting is one row here. Its parser, its usage, the line that reading the
 * device shows, and the sentence for a wrong value come from the row.
 *
 *	SETTING(word, parser, min, max, default, words, values, expected, example, help)
 *
 * natflow_choice_parse() chooses from the array @words; @min and @max are then
 * indices in it. The device's file in control/ defines ops_WORD, the operations:
 * one line CONFIG(word) if the value is a member of struct natflow_config.
 *
 * VERB(name) stands for the object natflow_verb_NAME, with its word, parser, usage
 * and operations, in the file of control/ that does what the verb says.
 */
#ifndef _NATFLOW_LIB_TEXT_SETTINGS_H
#define _NATFLOW_LIB_TEXT_SETTINGS_H

#include "../names/dns_trust.h"
#include "grammar.h"

/* The rows of /dev/natflow_ctl that are about names; none in a build without them. */
#ifndef NATFLOW_WITHOUT_NAMES
#define NATFLOW_NAMES_TABLE(SETTING, VERB)						\
	SETTING(inspect_packets, number, 1, 65535, 64, NULL, "N", "1 to 65535", "64",	\
		"a client's packets before its flow must have a name")			\
	SETTING(inspect_fail, choice, 0, 1, 0, natflow_fail_words, "open|closed",	\
		"open or closed", "open",						\
		"closed: drop flows with an unreliable name")				\
	SETTING(log_level, choice, 0, 3, 3, natflow_level_words,			\
		"counters|domain|host|url", "counters, domain, host or url", "host",	\
		"how much of a name the log keeps")					\
	SETTING(log_query, number, 0, 1, 0, NULL, "0|1", "0 or 1", "0",			\
		"1: the log keeps the query of a URL")					\
	SETTING(log_answers, number, 0, 1, 1, NULL, "0|1", "0 or 1", "1",		\
		"1: the log keeps DNS answers")						\
	VERB(log_skip)									\
	VERB(log_skip_clear)
#else
#define NATFLOW_NAMES_TABLE(SETTING, VERB)
#endif

#define NATFLOW_CTL_TABLE(SETTING, VERB)						\
	SETTING(disabled, number, 0, 1, 0, NULL, "0|1",					\
		"0 or 1", "1", "1 sends everything to the stack at once")		\
	SETTING(select, select, 0, 3, 0, natflow_select_words,				\
		"auto|rules|all|mark:V[/M]",						\
		"auto, rules, all, or mark:VALUE[/MASK] with VALUE inside MASK", "all",	\
		"which flows are accelerated")						\
	SETTING(delay_pkts, number, 0, 1000000, 0, NULL, "N",				\
		"0 to 1000000", "10", "the first N packets of a flow take the stack")	\
	SETTING(flow_limit, number, 16, 4194304, 65536, NULL, "N",			\
		"16 to 4194304", "65536", "flows in the table; those that fit stay")	\
	SETTING(ifname_group_type, number, 0, 2, 0, NULL, "0|1|2",			\
		"0, 1 or 2", "0", "0 all, 1 only inside the group, 2 only outside")	\
	VERB(ifname_group_add)								\
	SETTING(debug, number, 0, 63, 3, NULL, "0..63", "0 to 63", "3",			\
		"2 keeps warnings, 4 facts in natflow_log; errors always")		\
	SETTING(revalidate, number, 0, 1, 0, NULL, "0|1", "0 or 1", "1",		\
		"1: every flow passes a changed firewall once more")			\
	SETTING(pppoe, number, 0, 1, 1, NULL, "0|1", "0 or 1", "0",				\
		"0: every PPPoE packet passes PPP, which may have filters")		\
	SETTING(users, number, 0, 1, 0, NULL, "0|1", "0 or 1", "1",			\
		"1: count what each address in the LAN sends and receives")		\
	SETTING(user_limit, number, 16, 1048576, 65536, NULL, "N", "16 to 1048576",	\
		"65536", "addresses; those without flows give way to new ones")		\
	NATFLOW_NAMES_TABLE(SETTING, VERB)						\
	VERB(update_magic)								\
	VERB(flush)									\
	VERB(list_net_device)								\
	VERB(go_slowpath_if_no_qos)							\
	VERB(ifname_group_clear)							\
	VERB(begin)									\
	VERB(commit)

#define NATFLOW_HOSTACL_TABLE(SETTING, VERB)						\
	VERB(clear)									\
	VERB(add_acl)									\
	VERB(del_acl)									\
	SETTING(acl_action_default, choice, 0, 3, 0, natflow_action_words,		\
		"accept|drop|reset|redirect", "accept, drop, reset or redirect",	\
		"accept", "action for names without a rule")				\
	SETTING(redirect_url, url, 0, 0, 0, NULL, "URL", "a URL",			\
		"http://192.168.1.1/blocked.html",					\
		"target of redirected HTTP requests")					\
	SETTING(dns_answer, choice, 0, 4, 0, natflow_dns_answer_words,			\
		"none|nxdomain|nodata|refused|sinkhole",				\
		"none, nxdomain, nodata, refused or sinkhole", "nxdomain",		\
		"to questions for names that\n#                                "	\
		"are dropped or reset; none: they pass")					\
	SETTING(dns_sinkhole, address, 0, 0, 0, NULL, "ADDR", "an address",		\
		"192.0.2.1", "of each family, for dns_answer=sinkhole")			\
	SETTING(dns_https, choice, 0, 1, 0, natflow_https_words, "pass|nodata",		\
		"pass or nodata", "nodata", "nodata: no HTTPS records, so no ECH")	\
	SETTING(dns_resolvers, resolvers, 0, 0, 0, NULL, "none|any|ADDR[,ADDR...]",	\
		"none, any, or at most 6 addresses", "9.9.9.9,2620:fe::fe",		\
		"besides the gateway's own, whose\n"					\
		"#                                answers are believed about addresses")	\
	SETTING(dns_private, number, 0, 1, 0, NULL, "0|1", "0 or 1", "1",		\
		"1: private addresses are believed, too")				\
	VERB(list)									\
	VERB(begin)									\
	VERB(commit)

#define NATFLOW_ZONE_TABLE(SETTING, VERB)						\
	VERB(zone_clean)								\
	VERB(lan_zone)									\
	VERB(wan_zone)									\
	VERB(update_match)								\
	VERB(print_zone)								\
	VERB(begin)									\
	VERB(commit)

#define NATFLOW_QOS_TABLE(SETTING, VERB)							\
	VERB(qos_clear)									\
	VERB(link)									\
	SETTING(tc_classid_mode, number, 0, 1, 0, NULL, "0|1", "0 or 1", "1",		\
		"1: rules only mark packets for tc fw, 2n-1 down and 2n up")		\
	VERB(group)									\
	VERB(limit)									\
	VERB(begin)									\
	VERB(commit)

#define NATFLOW_USERINFO_TABLE(SETTING, VERB)						\
	VERB(kick)									\
	VERB(kickall)									\
	VERB(set_status)								\
	VERB(token)									\
	VERB(name)

#define NATFLOW_AUTH_TABLE(SETTING, VERB)						\
	VERB(auth_clean)								\
	SETTING(redirect_ip, auth_portal4, 0, 0, 0x0a0a0a0a, NULL, "A.B.C.D",		\
		"an IPv4 address", "10.10.10.10", "the portal")				\
	SETTING(redirect_ip6, auth_portal6, 0, 0, 0, NULL, "ADDR",			\
		"an IPv6 address", "fd00::1", "and for IPv6; ::, they are sent to the other") \
	SETTING(no_flow_timeout, number, 1, 31536000, 1800, NULL, "SECONDS",		\
		"1 to 31536000", "86400", "without traffic, until set-status is forgotten") \
	SETTING(dst_bypasslist_name, auth_set, 0, 0, 0, NULL, "[IPSET]",		\
		"the name of an ipset or nothing", "free_servers",			\
		"servers that everybody may use")					\
	SETTING(src_bypasslist_name, auth_set, 0, 0, 0, NULL, "[IPSET]",		\
		"the name of an ipset or nothing", "free_clients",			\
		"clients that no rule is for")						\
	SETTING(https_redirect_en, auth_https, 0, 1, 0, NULL, "0",			\
		"0", "0", "HTTPS is refused, not redirected")				\
	SETTING(https_redirect_port, number, 0, 65535, 443, NULL, "N",			\
		"0 to 65535", "443", "kept, no effect")					\
	VERB(auth_weixin)								\
	SETTING(timezone, timezone, 0, 0, 0, NULL, "[TZ]",				\
		"a TZ string of POSIX with the changes of the clock, or nothing",	\
		"CET-1CEST,M3.5.0,M10.5.0/3", "of schedules; nothing: the kernel's")	\
	VERB(auth)									\
	VERB(name)									\
	VERB(policy_clean)								\
	VERB(policy)									\
	VERB(policy_change)								\
	VERB(policy_del)								\
	VERB(bind)									\
	VERB(unbind)									\
	VERB(grant)									\
	VERB(restore)									\
	VERB(auth_disabled)								\
	VERB(auth_update)								\
	VERB(begin)									\
	VERB(commit)

/* For expansions that want only one kind of row. */
#define NATFLOW_NO_VERB(id)
#define NATFLOW_NO_SETTING(id, ...)

/* Defaults, for the code that initialises a namespace: NATFLOW_DEFAULT_word. */
#define NATFLOW_DEFAULT_ROW(id, parser, min, max, value, ...)	NATFLOW_DEFAULT_##id = (value),
enum natflow_default {
	NATFLOW_CTL_TABLE(NATFLOW_DEFAULT_ROW, NATFLOW_NO_VERB)
};

enum natflow_auth_default {
	NATFLOW_AUTH_TABLE(NATFLOW_DEFAULT_ROW, NATFLOW_NO_VERB)
};

/* An array of the verbs of settings is indexed by NATFLOW_SETTING_word. */
#define NATFLOW_SETTING_ID(id, ...)	NATFLOW_SETTING_##id,
enum natflow_ctl_setting {
	NATFLOW_CTL_TABLE(NATFLOW_SETTING_ID, NATFLOW_NO_VERB)
};

enum natflow_hostacl_setting {
	NATFLOW_HOSTACL_TABLE(NATFLOW_SETTING_ID, NATFLOW_NO_VERB)
};

enum natflow_qos_setting {
	NATFLOW_QOS_TABLE(NATFLOW_SETTING_ID, NATFLOW_NO_VERB)
};

enum natflow_auth_setting {
	NATFLOW_AUTH_TABLE(NATFLOW_SETTING_ID, NATFLOW_NO_VERB)
};

/* An element of such an array. The operations of the verb are ops_WORD. */
#define NATFLOW_SETTING_VERB(id, parser, lo, hi, dflt, list, vals, want, sample, text)	\
	[NATFLOW_SETTING_##id] = {							\
		.word = #id "=", .values = vals, .help = text,				\
		.parse = natflow_##parser##_parse, .min = lo, .max = hi, .words = list,	\
		.expected = want, .example = #id "=" sample, .ops = &ops_##id,		\
	},

/* A pointer to such an element, in an array @settings; and to the object of a verb. */
#define NATFLOW_SETTING_ROW(id, ...)	&settings[NATFLOW_SETTING_##id],
#define NATFLOW_VERB_ROW(id)		&natflow_verb_##id,

/* Of select=: ->value is an index in natflow_select_words, or their count for a mark. */
struct natflow_select_args {
	u32 value;
	u32 mark, mask;
};

/* Of dns_sinkhole=. */
struct natflow_address_args {
	u8 family;		/* NFPROTO_* */
	u8 addr[16];		/* network order */
};

extern const char * const natflow_select_words[3];	/* by enum natflow_select */
extern const char * const natflow_fail_words[2];	/* by NATFLOW_NAMES_CLOSED */
extern const char * const natflow_level_words[4];	/* by enum natflow_url_level */
extern const char * const natflow_https_words[2];	/* by natflow_dns_policy.no_https */

int natflow_select_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);
int natflow_url_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_address_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd);
int natflow_resolvers_parse(char *value, const struct natflow_verb *verb,
			    struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_SETTINGS_H */
