// SPDX-License-Identifier: GPL-2.0-only
/* A dry run: entries are counted, and forward nothing. The stack is not told either. */
#include "hwnat.h"

static const struct natflow_hwnat_limits limits = {
	.driver = "null", .encaps = NATFLOW_HWNAT_ENCAPS,
	.pppoe = true, .qinq = true, .dry_run = true,
};

static enum natflow_hwnat_reason bind(struct natflow_hwnat_port *port)
{
	port->limits = &limits;
	return NATFLOW_HWNAT_OK;
}

static void unbind(struct natflow_hwnat_port *port)
{
}

static enum natflow_hwnat_reason check(const struct natflow_hwnat_port *port,
				       const struct natflow_hwnat_way *way)
{
	return NATFLOW_HWNAT_OK;
}

static int add(struct natflow_hwnat_port *port, unsigned long cookie,
	       const struct natflow_hwnat_way *way)
{
	return 0;
}

static int del(struct natflow_hwnat_port *port, unsigned long cookie)
{
	return 0;
}

static int stats(struct natflow_hwnat_port *port, unsigned long cookie,
		 struct natflow_hwnat_stats *stats)
{
	return 0;
}

const struct natflow_hwnat_backend natflow_hwnat_null = {
	.name = "null",
	.bind = bind, .unbind = unbind, .check = check, .add = add, .del = del, .stats = stats,
};
