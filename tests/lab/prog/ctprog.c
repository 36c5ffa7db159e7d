// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user of libnetfilter_conntrack, to see what such programs see.
 *
 *   ctprog dump 4|6 PORT	protocol, ports and counters of UDP entries to PORT
 *   ctprog delete 4|6 PORT	delete them
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

struct job {
	bool delete;
	uint16_t port;
	unsigned int found;
	struct nf_conntrack *last;
};

static int entry(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	struct job *job = data;

	if (nfct_get_attr_u8(ct, ATTR_L4PROTO) != IPPROTO_UDP ||
	    ntohs(nfct_get_attr_u16(ct, ATTR_PORT_DST)) != job->port)
		return NFCT_CB_CONTINUE;
	job->found++;
	if (job->delete) {
		job->last = ct;
		return NFCT_CB_STOLEN;
	}
	printf("udp %u %u %llu %llu %llu %llu\n", ntohs(nfct_get_attr_u16(ct, ATTR_PORT_SRC)),
	       job->port, (unsigned long long)nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_PACKETS),
	       (unsigned long long)nfct_get_attr_u64(ct, ATTR_ORIG_COUNTER_BYTES),
	       (unsigned long long)nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_PACKETS),
	       (unsigned long long)nfct_get_attr_u64(ct, ATTR_REPL_COUNTER_BYTES));
	return NFCT_CB_CONTINUE;
}

int main(int argc, char **argv)
{
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);
	struct job job = { .port = argc > 3 ? atoi(argv[3]) : 0 };
	uint32_t family;

	if (!h || argc != 4)
		return 2;
	family = atoi(argv[2]) == 6 ? AF_INET6 : AF_INET;
	job.delete = !strcmp(argv[1], "delete");
	nfct_callback_register(h, NFCT_T_ALL, entry, &job);
	if (nfct_query(h, NFCT_Q_DUMP, &family))
		return perror("dump"), 1;
	if (job.last && nfct_query(h, NFCT_Q_DESTROY, job.last))
		return perror("delete"), 1;
	if (job.last)
		nfct_destroy(job.last);
	nfct_close(h);
	return !job.found;
}
