// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words of the original natflow that natflow_ctl does not have: of its
 * natflow_ctl and of its other devices. Reading natflow_ctl does not show them.
 */
#include "original.h"

const struct natflow_absent natflow_original_words[] = {
	{ "hwnat=", "no natflow_hwnat.ko yet; modprobe it before, or leave this out" },
	{ "hwnat_wed_disabled=", "no natflow_hwnat.ko yet; modprobe it before, or leave this out" },
	{ "vline_add=", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_apply", "no transparent lines yet; put both devices into a bridge" },
	{ "vline_clear", "no transparent lines yet; there is nothing to clear" },
	{ "relay_add=", "no relay of ARP or neighbour discovery yet; use proxy_arp or odhcpd" },
	{ "lan_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "wan_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "update_match", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "print_zone", "no word of this device; write it to /dev/natflow_zone_ctl" },
	{ "clean", "no word of this device; natflow_zone_ctl and natflow_user_ctl have it" },
	{ "auth", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "dst_bypasslist_name=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "src_bypasslist_name=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "redirect_ip=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "redirect_ip6=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "no_flow_timeout=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "https_redirect_en=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "https_redirect_port=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "auth_open_weixin_reply=", "no word of this device; write it to /dev/natflow_user_ctl" },
	{ "kickall", "no word of this device; write it to /dev/natflow_userinfo_ctl" },
	{ "kick", "no word of this device; write it to /dev/natflow_userinfo_ctl" },
	{ "set-status", "no word of this device; write it to /dev/natflow_userinfo_ctl" },
	{ "set-token-ctrl", "no word of this device; write it to /dev/natflow_userinfo_ctl" },
	{ "tc_classid_mode=", "no word of this device; write it to /dev/natflow_qos_ctl" },
	{ "add user=", "no word of this device; write it to /dev/natflow_qos_ctl" },
	{ "enable", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "enable=", "no protocol detection yet; urllogger_store/enable reads names" },
	{ "disable", "no protocol detection yet; there is nothing to switch off" },
	{ "events_clear", "no protocol detection yet; there is nothing to clear" },
	{ NULL, NULL }
};
