/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * natppe.ko: mainline's PPE driver without a board.
 *
 *   wire1 --- [PPE] --- gmac1        a frame that is sent on wire1 arrives at gmac1's PPE:
 *   wire2 --- [PPE] --- gmac2        forwarded, it leaves by a wire; else gmac1 receives it
 *   wlan0                            a device that the PPE reaches through WED
 *   lan1                             a port of a switch behind gmac2
 *
 *   ppe.c           SoCs, devices, registers
 *   ppe_rule.c      flower rules as nf_flow_table writes them
 *   ppe_fuzz.c      random flows: mainline's words beside natflow's, and what they make
 *   ppe_frame.c     frames of a rule
 *   ppe_switch.c    the switch's port
 *   ppe_words.c     natflow's words for a rule
 *   ppe_direct.c    they are written through patches P13 and P14
 *   ppe_watch.c     looks at one entry all the time
 *   ppe_door.c      /proc/natppe/
 *   ppe_emulate.c   the PPE
 */
#ifndef _NATPPE_H
#define _NATPPE_H

#include "mtk_eth_soc.h"
#include "ppe_emulate.h"

/* Queues, counters, more SoCs. */
#define PPE_NEW (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0))
#define PPE_GMACS 2
#define FE_BYTES 0x4000

/* What came of frames of a wire, and of the CPU's. */
enum ppe_counter {
	PPE_WIRE,		/* frames that a wire sent */
	PPE_CPU,		/* of them, those that the CPU got */
	PPE_HARD,		/* those that another wire got, from hardware */
	PPE_WED,		/* those that the wlan got, from hardware */
	PPE_DROPPED,		/* no memory, or a device was down */
	PPE_SENT,		/* frames that the CPU sent */
	PPE_COUNTERS
};

struct natppe {
	struct mtk_eth eth;
	struct mtk_soc_data soc;
	struct platform_device *pdev;
	u32 *fe;		/* registers, from the FE's base */
	u32 base[3];		/* of each PPE */
	unsigned int ppes;
	struct ppe_emulate ppe[3];
	bool started[3];
	struct net_device *wire[PPE_GMACS], *wlan, *lan;
	atomic64_t counter[PPE_COUNTERS], reason[32];
	atomic_t writes;	/* begun and ended, by /proc/natppe/rule */
	int wed_flows;
	u16 wcid;		/* of every station of the wlan */
	u8 bss;
	u32 wed_words[PPE_WORDS];	/* of the last frame for the wlan */
};

extern struct natppe natppe;
extern char *ppe_soc;

/* A flow for REPLACE: how it comes, what it becomes, how it leaves. Packed as the cases pack it. */
struct ppe_rule {
	u64 cookie;
	u8 command;		/* enum flow_cls_command */
	u8 v6, proto, mangle;	/* mangle: bit 0 source, bit 1 destination */
	u8 src[16], dst[16], new_src[16], new_dst[16];
	u16 sport, dport, new_sport, new_dport;
	u8 smac[6], dmac[6];	/* of frames that leave; of frames that come, if bridged */
	u8 in, out;		/* GMAC: 1, 2; 3: the wlan; 4: the switch's port */
	u8 bridged, encaps;
	struct {
		u16 proto, id;
	} encap[4];		/* outermost first */
} __packed;

struct ppe_answer {
	int rc;
	u64 packets, bytes, idle;
};

void ppe_rule_run(const struct ppe_rule *rule, struct ppe_answer *answer);
int ppe_rule_bind(void);
void ppe_rule_unbind(void);

/* ppe_rule.command, beside FLOW_CLS_*: natflow's own words, by P13 and P14. */
enum { PPE_SET = 16, PPE_CLEAR, PPE_READ };

#ifdef PPE_PATCHED
void ppe_direct(const struct ppe_rule *rule, struct ppe_answer *answer);
#else
static inline void ppe_direct(const struct ppe_rule *rule, struct ppe_answer *answer)
{
	answer->rc = -EOPNOTSUPP;
}
#endif

int ppe_switch_make(void);
void ppe_switch_remove(void);

struct natflow_ppe_info;
int ppe_words(const struct ppe_rule *r, const struct natflow_ppe_info *in,
	      const struct natflow_ppe_info *out, int dsa_port, u32 *words);

#define PPE_FRAME 160
unsigned int ppe_frame(const struct ppe_rule *r, bool leaves, int dsa_port, u8 *frame);

int ppe_fuzz(u32 seed, unsigned int count, const char *name);

struct seq_file;
int ppe_watch(const char *word, u32 index);
void ppe_watch_show(struct seq_file *m);
void ppe_watch_stop(void);

int ppe_door_open(void);
void ppe_door_close(void);

#endif /* _NATPPE_H */
