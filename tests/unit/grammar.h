/* SPDX-License-Identifier: GPL-2.0-only */
/* The grammars of the control devices without what their verbs do: settings by their table, verbs by their parsers. */
#include "../../lib/text/auth.h"
#include "../../lib/text/filter.h"
#include "../../lib/text/known.h"
#include "../../lib/text/limit.h"
#include "../../lib/text/original.h"
#include "../../lib/text/policy.h"
#include "../../lib/text/rule.h"
#include "../../lib/text/settings.h"
#include "../../lib/text/timezone.h"
#include "../../lib/text/zone.h"
#include "../../lib/names/dns_reply.h"

struct natflow_verb_ops {
	int none;
};

#define OPS(id, ...) static const struct natflow_verb_ops ops_##id;
NATFLOW_CTL_TABLE(OPS, NATFLOW_NO_VERB)
NATFLOW_HOSTACL_TABLE(OPS, NATFLOW_NO_VERB)
NATFLOW_AUTH_TABLE(OPS, NATFLOW_NO_VERB)
static const struct natflow_verb ctl_settings[] = { NATFLOW_CTL_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB) };
static const struct natflow_verb acl_settings[] = { NATFLOW_HOSTACL_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB) };
static const struct natflow_verb auth_settings[] = { NATFLOW_AUTH_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB) };

static int parse_skip(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	return natflow_source_parse(value, NATFLOW_ARGS(cmd, struct natflow_source)) ? 0 :
	       natflow_command_fail(cmd, value, verb->expected, -EINVAL);
}

#define TEST_VERB(id, text, parser) \
	static const struct natflow_verb natflow_verb_##id = { .word = text, .parse = parser, .max = 1, .expected = text }
TEST_VERB(ifname_group_add, "ifname_group_add=", natflow_device_parse);
TEST_VERB(ifname_group_clear, "ifname_group_clear", natflow_nothing_parse);
TEST_VERB(log_skip, "log_skip", parse_skip);
TEST_VERB(log_skip_clear, "log_skip_clear", natflow_nothing_parse);
TEST_VERB(update_magic, "update_magic", natflow_nothing_parse);
TEST_VERB(flush, "flush", natflow_filter_parse);
TEST_VERB(list_net_device, "list_net_device", natflow_nothing_parse);
TEST_VERB(go_slowpath_if_no_qos, "go_slowpath_if_no_qos=", natflow_number_parse);
TEST_VERB(begin, "begin", natflow_nothing_parse);
TEST_VERB(commit, "commit", natflow_nothing_parse);
TEST_VERB(clear, "clear", natflow_nothing_parse);
TEST_VERB(add_acl, "add acl=", natflow_rule_parse);
TEST_VERB(del_acl, "del acl=", natflow_rule_host_parse);
TEST_VERB(list, "list name=", natflow_list_parse);
TEST_VERB(zone_clean, "clean", natflow_nothing_parse);
TEST_VERB(lan_zone, "lan_zone", natflow_lan_zone_parse);
TEST_VERB(wan_zone, "wan_zone", natflow_wan_zone_parse);
TEST_VERB(update_match, "update_match", natflow_nothing_parse);
TEST_VERB(print_zone, "print_zone", natflow_nothing_parse);
TEST_VERB(auth_clean, "clean", natflow_nothing_parse);
TEST_VERB(auth, "auth", natflow_auth_parse);
TEST_VERB(policy_clean, "policy_clean", natflow_nothing_parse);
TEST_VERB(policy, "policy", natflow_policy_parse);
TEST_VERB(policy_change, "policy_change", natflow_policy_parse);
TEST_VERB(policy_del, "policy_del", natflow_policy_name_parse);
static const struct natflow_verb natflow_verb_bind = { .word = "bind", .parse = natflow_bind_parse, .expected = "bind" };
TEST_VERB(unbind, "unbind", natflow_bind_parse);
TEST_VERB(auth_weixin, "auth_open_weixin_reply=", natflow_number_parse);
TEST_VERB(name, "name", natflow_known_name_parse);
TEST_VERB(grant, "grant", natflow_grant_parse);
TEST_VERB(restore, "restore", natflow_restore_parse);
TEST_VERB(auth_disabled, "disabled=", natflow_number_parse);
TEST_VERB(auth_update, "update_magic", natflow_nothing_parse);
TEST_VERB(limit, "add", natflow_limit_parse);
TEST_VERB(group, "group", natflow_group_parse);
TEST_VERB(token, "set-token-ctrl", natflow_token_parse);

#define CTL_ROW(id, ...) &ctl_settings[NATFLOW_SETTING_##id],
#define ACL_ROW(id, ...) &acl_settings[NATFLOW_SETTING_##id],
#define AUTH_ROW(id, ...) &auth_settings[NATFLOW_SETTING_##id],
static const struct natflow_verb * const ctl_verbs[] = { NATFLOW_CTL_TABLE(CTL_ROW, NATFLOW_VERB_ROW) NULL };
static const struct natflow_verb * const acl_verbs[] = { NATFLOW_HOSTACL_TABLE(ACL_ROW, NATFLOW_VERB_ROW) NULL };
static const struct natflow_verb * const zone_verbs[] = { NATFLOW_ZONE_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_ROW) NULL };
static const struct natflow_verb * const auth_verbs[] = { NATFLOW_AUTH_TABLE(AUTH_ROW, NATFLOW_VERB_ROW) NULL };

static const struct natflow_verb * const limit_verbs[] = { &natflow_verb_limit, &natflow_verb_group, &natflow_verb_token,
						    NULL };

static const struct natflow_grammar grammars[] = {
	{ ctl_verbs, NULL, natflow_original_words, "select=all" },
	{ acl_verbs, NULL, NULL, "add acl=0,2,example.com" },
	{ zone_verbs, NULL, NULL, "lan_zone 0=br-lan" },
	{ auth_verbs, NULL, NULL, "auth id=0,szone=0,type=web,sipgrp=guests" },
	{ limit_verbs, NULL, NULL, "add user=192.168.1.7,rxbytes=1000000" },
};
