/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints natflow:{learn,refuse,end}, under /sys/kernel/tracing/events/natflow. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM natflow

#if !defined(_NATFLOW_CORE_BASE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NATFLOW_CORE_BASE_TRACE_H

#include <linux/tracepoint.h>
#include "stats.h"

/* A packet went up the stack. */
TRACE_EVENT(refuse,
	TP_PROTO(int ifindex, const struct sk_buff *skb, enum natflow_reason reason),
	TP_ARGS(ifindex, skb, reason),
	TP_STRUCT__entry(
		__field(int, ifindex)
		__field(unsigned int, len)
		__string(reason, natflow_reason_key(reason))
	),
	TP_fast_assign(
		__entry->ifindex = ifindex;
		__entry->len = skb->len;
		natflow_assign_str(reason, natflow_reason_key(reason));
	),
	TP_printk("ifindex=%d len=%u reason=%s", __entry->ifindex, __entry->len,
		  __get_str(reason))
);

/* A flow was learned in one direction ("ok": published), or why not. */
TRACE_EVENT(learn,
	TP_PROTO(const void *ct, unsigned int dir, enum natflow_reason reason),
	TP_ARGS(ct, dir, reason),
	TP_STRUCT__entry(
		__field(const void *, ct)
		__field(unsigned int, dir)
		__string(reason, reason ? natflow_reason_key(reason) : "ok")
	),
	TP_fast_assign(
		__entry->ct = ct;
		__entry->dir = dir;
		natflow_assign_str(reason, reason ? natflow_reason_key(reason) : "ok");
	),
	TP_printk("ct=%p dir=%u reason=%s", __entry->ct, __entry->dir, __get_str(reason))
);

/* A flow went back to the stack. */
TRACE_EVENT(end,
	TP_PROTO(const void *ct, enum natflow_reason reason),
	TP_ARGS(ct, reason),
	TP_STRUCT__entry(
		__field(const void *, ct)
		__string(reason, natflow_reason_key(reason))
	),
	TP_fast_assign(
		__entry->ct = ct;
		natflow_assign_str(reason, natflow_reason_key(reason));
	),
	TP_printk("ct=%p reason=%s", __entry->ct, __get_str(reason))
);

#endif /* _NATFLOW_CORE_BASE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
