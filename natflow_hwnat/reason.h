/* SPDX-License-Identifier: GPL-2.0-only */
/* Why a flow is not in hardware: X(NAME, "key in /proc/natflow_hwnat"). */
#ifndef _NATFLOW_HWNAT_REASON_H
#define _NATFLOW_HWNAT_REASON_H

#define NATFLOW_HWNAT_REASONS(X) \
	X(OK, "ok") \
	X(NOT_ASKED, "not-asked")	/* neither --hw nor hwnat=1 with select=all */ \
	X(SLOW, "slow")			/* below the rate */ \
	X(PROTOCOL, "protocol")		/* neither TCP nor UDP */ \
	X(ZONE, "zone")			/* a conntrack zone: hardware keys have none */ \
	X(WATCHED, "watched")		/* a name is open, or a quota is nearly used up */ \
	X(NO_FT, "no-ft")		/* the driver of a port has no TC_SETUP_FT */ \
	X(HW_TC_OFF, "hw-tc-off")	/* ethtool -K DEV hw-tc-offload off */ \
	X(BUSY, "busy")			/* another module has bound the device */ \
	X(PATH, "path")			/* a device that hardware cannot follow */ \
	X(DSA_PROTOCOL, "dsa-protocol")	/* the driver does not know the switch's tags */ \
	X(ENCAP, "encap")		/* more or other headers than the driver has */ \
	X(NAT66, "nat66") \
	X(SOURCE_MAC, "source-mac")	/* the driver would send another source address */ \
	X(WED_OFF, "wed-off")		/* hwnat_wed_disabled=1 */ \
	X(TUNNEL, "tunnel") \
	X(NEIGHBOUR, "neighbour") \
	X(DUPLICATE, "duplicate")	/* another flow has the same addresses and ports */ \
	X(STICKY, "sticky")		/* unpatched mtk: see Documentation/hardware.md */ \
	X(FULL, "full")			/* hwnat_limit, or no way of the table is free */ \
	X(DRIVER, "driver")		/* the driver refused: an errno */ \
	X(SILENT, "silent")		/* its packets did not arrive: withdrawn */ \
	X(MEMORY, "memory") \
	X(STALE, "stale")		/* the stack learns it anew from its next packet */ \
	X(NO_PPE, "no-ppe")		/* backend=ppe: no GMAC whose driver has P13 and P14 */ \
	X(MTU, "mtu")			/* the route's is smaller than the port's */ \
	X(RATE, "rate")			/* a rule or its user limits it */

#define NATFLOW_HWNAT_REASON_ENUM(name, key) NATFLOW_HWNAT_##name,
enum natflow_hwnat_reason {
	NATFLOW_HWNAT_REASONS(NATFLOW_HWNAT_REASON_ENUM)
	NATFLOW_HWNAT_REASON_COUNT
};

#endif /* _NATFLOW_HWNAT_REASON_H */
