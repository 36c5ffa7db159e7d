// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words of the original natflow that natflow_ctl does not have: of its
 * natflow_ctl and of its other devices. Reading natflow_ctl does not show them.
 */
#include "original.h"

const struct natflow_absent natflow_original_words[] = {
	{ "hwnat=", "no packet hardware is driven; leave it out, flows are fast in software" },
	{ "hwnat_wed_disabled=", "no Wi-Fi hardware is driven; leave it out" },
	{ "vline_add=", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_apply", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_clear", "no transparent lines yet; there is nothing to clear" },
	{ "relay_add=", "no relay of ARP or neighbour discovery yet; use proxy_arp or odhcpd" },
	{ "lan_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "wan_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "update_match", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "print_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "clean", "no word of this device; natflow_zone_ctl has it" },
	{ "auth", "no users and no portal yet; use an ipset and firewall rules" },
	{ "dst_bypasslist_name=", "no users and no portal yet; use an ipset and firewall rules" },
	{ "src_bypasslist_name=", "no users and no portal yet; use an ipset and firewall rules" },
	{ "redirect_ip=", "no portal yet; redirect by a DNAT rule" },
	{ "redirect_ip6=", "no portal yet; redirect by a DNAT rule" },
	{ "no_flow_timeout=", "no users yet; connections time out as conntrack says" },
	{ "https_redirect_en=", "no portal yet; redirect by a DNAT rule" },
	{ "https_redirect_port=", "no portal yet; redirect by a DNAT rule" },
	{ "auth_open_weixin_reply=", "no portal yet; leave it out" },
	{ "kickall", "a word of users; write it to /dev/natflow_userinfo_ctl" },
	{ "kick", "a word of users; write it to /dev/natflow_userinfo_ctl" },
	{ "set-status", "no users yet; use an ipset and firewall rules" },
	{ "set-token-ctrl", "no rate limits yet; use tc" },
	{ "tc_classid_mode=", "no rate limits yet; use tc, marks of fast flows are kept" },
	{ "add user=", "no rate limits yet; use tc" },
	{ "enable", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "enable=", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "disable", "no protocol detection yet; there is nothing to switch off" },
	{ "events_clear", "no protocol detection yet; there is nothing to clear" },
	{ NULL, NULL }
};
