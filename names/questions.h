/* SPDX-License-Identifier: GPL-2.0-only */
/* DNS questions that went on to a server and are not answered yet. */
#ifndef _NATFLOW_NAMES_QUESTIONS_H
#define _NATFLOW_NAMES_QUESTIONS_H

#include <linux/types.h>

struct natflow_dns;
struct natflow_questions;
struct natflow_sharer;
struct nf_conn;

struct natflow_questions *natflow_questions_alloc(void);
size_t natflow_questions_bytes(void);
void natflow_questions_free(struct natflow_questions *questions);
bool natflow_questions_open(struct natflow_questions *questions, const struct nf_conn *ct,
			    int ifindex, const struct natflow_dns *dns,
			    const struct natflow_sharer *who);
bool natflow_questions_close(struct natflow_questions *questions, const struct nf_conn *ct,
			     int ifindex, const struct natflow_dns *dns);
void natflow_questions_age(struct natflow_questions *questions);

#endif /* _NATFLOW_NAMES_QUESTIONS_H */
