// SPDX-License-Identifier: GPL-2.0-only
/* Replies to DNS questions for blocked names. */
#include "dns_reply.h"

#define TTL 10			/* seconds; short, because rules change */
#define CLASS_IN 1
#define EDE_BLOCKED 15		/* RFC 8914 section 4.16 */

const char * const natflow_dns_answer_words[5] = { "none", "nxdomain", "nodata", "refused",
						   "sinkhole" };

static u8 *put16(u8 *at, u16 value)
{
	*at++ = value >> 8;
	*at++ = value;
	return at;
}

static u8 *put_address(u8 *at, u16 type, const u8 *addr, u16 len)
{
	at = put16(at, 0xc000 | NATFLOW_DNS_QUESTION);
	at = put16(at, type);
	at = put16(at, CLASS_IN);
	at = put16(at, 0);
	at = put16(at, TTL);
	at = put16(at, len);
	memcpy(at, addr, len);
	return at + len;
}

/* OPT with an extended error: root, type 41, 1232 bytes (RFC 6891, RFC 8914). */
static u8 *put_opt(u8 *at)
{
	static const u8 opt[] = {
		0, 0, 41, 1232 >> 8, 1232 & 0xff, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, EDE_BLOCKED,
	};

	memcpy(at, opt, sizeof(opt));
	return at + sizeof(opt);
}

static u16 rcode_of(enum natflow_dns_answer answer)
{
	return answer == NATFLOW_DNS_NXDOMAIN ? 3 : answer == NATFLOW_DNS_REFUSED ? 5 : 0;
}

/**
 * natflow_dns_reply() - write the reply to a question for a blocked name
 * @to: buffer; may be @msg
 * @room: its size; records that do not fit are left out, the question never
 * @msg: a question, or an answer to it
 * @dns: the same, parsed
 * @policy: addresses for a sinkhole
 * @answer: kind of reply
 *
 * Return: bytes; 0 if the question does not fit, or its name has a compression pointer.
 */
unsigned int natflow_dns_reply(u8 *to, unsigned int room, const u8 *msg,
			       const struct natflow_dns *dns,
			       const struct natflow_dns_policy *policy,
			       enum natflow_dns_answer answer)
{
	const bool a = dns->type == NATFLOW_DNS_A, in = dns->class == CLASS_IN;
	u16 answers = 0, additionals = 0, len = a ? 4 : 16;
	u8 *at = to + dns->question_end;

	if (dns->question_end > room || dns->question_end > NATFLOW_DNS_REPLY_MAX)
		return 0;
	memmove(to, msg, dns->question_end);
	if (answer == NATFLOW_DNS_SINKHOLE && in && (a || dns->type == NATFLOW_DNS_AAAA) &&
	    room - (at - to) >= 12U + len) {
		at = put_address(at, dns->type, a ? policy->sink4 : policy->sink6, len);
		answers++;
	}
	if (dns->edns && room - (at - to) >= 17) {
		at = put_opt(at);
		additionals++;
	}
	/* QR, the opcode, RD and CD as they were, RA; not authoritative, truncated or validated. */
	to[2] = 0x80 | (to[2] & 0x79);
	to[3] = 0x80 | (to[3] & 0x10) | rcode_of(answer);
	put16(to + 4, 1);
	put16(to + 6, answers);
	put16(to + 8, 0);
	put16(to + 10, additionals);
	return at - to;
}
