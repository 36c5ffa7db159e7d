/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules that the lines of hostacl_ctl change: a draft of them is a copy. */
#ifndef _NATFLOW_CONTROL_HOSTACL_H
#define _NATFLOW_CONTROL_HOSTACL_H

struct natflow_draft_ops;

/* The draft is a struct natflow_acl. */
extern const struct natflow_draft_ops natflow_acl_draft;

#endif /* _NATFLOW_CONTROL_HOSTACL_H */
