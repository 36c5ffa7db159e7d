/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In front of each of mainline's files: register accesses go to the emulator. Behind
 * them, for our own: what differs between kernels.
 */
#ifndef _PPE_SHIM_H
#define _PPE_SHIM_H

#include <linux/io.h>
#include <linux/version.h>

u32 ppe_read(const void __iomem *addr);
void ppe_write(u32 value, void __iomem *addr);

#undef readl
#undef writel
#define readl(addr) ppe_read(addr)
#define writel(value, addr) ppe_write(value, addr)

#endif /* _PPE_SHIM_H */
