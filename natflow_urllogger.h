/* SPDX-License-Identifier: GPL-2.0-only */
/* The names half, as control/ and natflow_main.c use it. Its state is private to names/. */
#ifndef _NATFLOW_URLLOGGER_H
#define _NATFLOW_URLLOGGER_H

#include "names/log.h"
#include "names/settings.h"

struct natflow_acl;
struct natflow_net;

int natflow_urllogger_net_init(struct natflow_net *nn);
void natflow_urllogger_net_stop(struct natflow_net *nn);
void natflow_urllogger_net_exit(struct natflow_net *nn);
int natflow_urllogger_enable(struct natflow_net *nn, bool on);
bool natflow_urllogger_enabled(const struct natflow_net *nn);
void natflow_urllogger_refused(const struct natflow_net *nn, u64 *answers, u64 *trials);
u32 natflow_urllogger_get(const struct natflow_net *nn, enum natflow_names_setting which);
void natflow_urllogger_set(struct natflow_net *nn, enum natflow_names_setting which, u32 value);
const struct natflow_log_skip *natflow_urllogger_skip(const struct natflow_net *nn);
void natflow_urllogger_set_skip(struct natflow_net *nn, struct natflow_log_skip *skip);
const struct natflow_acl *natflow_urllogger_acl(const struct natflow_net *nn);
void natflow_urllogger_set_acl(struct natflow_net *nn, struct natflow_acl *acl);
size_t natflow_urllogger_bytes(const struct natflow_net *nn);
struct natflow_names_log *natflow_urllogger_log(const struct natflow_net *nn);
u32 natflow_urllogger_hints(const struct natflow_net *nn, u64 *gone);

#ifdef NATFLOW_WITHOUT_NAMES
#define NATFLOW_HAS_NAMES	false

static inline void natflow_urllogger_review(struct natflow_net *nn)
{
}
#else
#define NATFLOW_HAS_NAMES	true

void natflow_urllogger_review(struct natflow_net *nn);
#endif

#endif /* _NATFLOW_URLLOGGER_H */
