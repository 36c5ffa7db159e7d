/* SPDX-License-Identifier: GPL-2.0-only */
/* Settings of natflow_ctl, for other files. */
#ifndef _NATFLOW_CONTROL_SETTINGS_H
#define _NATFLOW_CONTROL_SETTINGS_H

struct natflow_net;

#define NATFLOW_VERSION "0.1"

bool natflow_settings_hooked(struct natflow_net *nn);
const char *natflow_settings_select(const struct natflow_net *nn, char *text, unsigned int size);

#endif /* _NATFLOW_CONTROL_SETTINGS_H */
