// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doors of natppe.ko:
 *
 *   /proc/natppe/status	one line a counter, "NAME N"; echo tick N >: N seconds pass;
 *				fuzz SEED COUNT: compare random flows;
 *				watch known N, start N, tear N: see ppe_watch.c;
 *				scribble N: slot N is invalid, and no cache knows;
 *				restart: the last GMAC goes down, and up again
 *   /proc/natppe/rule		write a struct ppe_rule, then read "RC PACKETS BYTES IDLE"
 *   /proc/natppe/tableN	PPE N's FOE table, binary
 *   /proc/natppe/regsN		its registers
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include "ppe.h"

static DEFINE_MUTEX(lock);
static struct ppe_answer answer;
static int different;	/* flows of the last comparison */

static const char * const names[PPE_COUNTERS] = {
	"wire", "cpu", "hard", "wed", "dropped", "sent",
};

static int show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < PPE_COUNTERS; i++)
		seq_printf(m, "%s %lld\n", names[i], atomic64_read(&natppe.counter[i]));
	for (i = 0; i < ARRAY_SIZE(natppe.reason); i++)
		if (atomic64_read(&natppe.reason[i]))
			seq_printf(m, "reason.%02x %lld\n", i, atomic64_read(&natppe.reason[i]));
	for (i = 0; i < natppe.ppes; i++) {
		struct ppe_emulate *e = &natppe.ppe[i];

		seq_printf(m, "ppe%u.hits %llu\nppe%u.misses %llu\nppe%u.aged %llu\n",
			   i, e->hits, i, e->misses, i, e->aged);
		seq_printf(m, "ppe%u.lost %llu\nppe%u.stale %u\n",
			   i, e->lost, i, ppe_emulate_stale(e));
		seq_printf(m, "ppe%u.unbound %u\nppe%u.bound %u\nppe%u.fin %u\n",
			   i, ppe_emulate_count(e, PPE_UNBOUND), i,
			   ppe_emulate_count(e, PPE_BOUND), i, ppe_emulate_count(e, PPE_FIN));
	}
	ppe_watch_show(m);
	seq_printf(m, "fuzz.different %d\n", different);
	seq_printf(m, "wed.flows %d\nclock %u\n", natppe.wed_flows, natppe.fe[0x10 / 4]);
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static void tick(unsigned int seconds)
{
	unsigned int i;

	while (seconds--) {
		WRITE_ONCE(natppe.fe[0x10 / 4], natppe.fe[0x10 / 4] + 1);
		for (i = 0; i < natppe.ppes; i++)
			ppe_emulate_tick(&natppe.ppe[i]);
	}
}

static void restart(void)
{
	unsigned int i;

	for (i = 0; i < natppe.ppes; i++) {
		mtk_ppe_stop(natppe.eth.ppe[i]);
		mtk_ppe_start(natppe.eth.ppe[i]);
	}
}

static ssize_t command(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	char text[64] = "", word[8];
	unsigned int n, count;
	int err = 0;

	if (len >= sizeof(text) || copy_from_user(text, from, len))
		return -EINVAL;
	mutex_lock(&lock);
	if (sscanf(text, "tick %u", &n) == 1)
		tick(n);
	else if (!strcmp(text, "restart"))
		restart();
	else if (sscanf(text, "fuzz %u %u", &n, &count) == 2)
		different = ppe_fuzz(n, count, ppe_soc);
	else if (sscanf(text, "watch %7s %u", word, &n) == 2)
		err = ppe_watch(word, n);
	else if (sscanf(text, "scribble %u", &n) == 1 && n < MTK_PPE_ENTRIES)
		*(u32 *)(natppe.ppe[0].table + n * natppe.ppe[0].entry_size) &= ~GENMASK(29, 28);
	else
		err = -EINVAL;
	mutex_unlock(&lock);
	return err ?: len;
}

static ssize_t rule_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct ppe_rule rule;

	if (len != sizeof(rule) || copy_from_user(&rule, from, len))
		return -EINVAL;
	mutex_lock(&lock);
	atomic_inc_return(&natppe.writes);
	ppe_rule_run(&rule, &answer);
	atomic_inc_return(&natppe.writes);
	mutex_unlock(&lock);
	return len;
}

static ssize_t rule_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	char text[96];
	int n;

	mutex_lock(&lock);
	n = scnprintf(text, sizeof(text), "%d %llu %llu %llu\n", answer.rc, answer.packets,
		      answer.bytes, answer.idle);
	mutex_unlock(&lock);
	return simple_read_from_buffer(to, len, pos, text, n);
}

static struct ppe_emulate *ppe_of(struct file *file)
{
	return pde_data(file_inode(file));
}

static ssize_t table_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	struct ppe_emulate *e = ppe_of(file);

	return simple_read_from_buffer(to, len, pos, e->table, e->entries * e->entry_size);
}

static ssize_t regs_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	return simple_read_from_buffer(to, len, pos, ppe_of(file)->regs, PPE_REGS);
}

static const struct proc_ops status_ops = {
	.proc_open = open, .proc_read = seq_read, .proc_write = command,
	.proc_lseek = seq_lseek, .proc_release = single_release,
};

static const struct proc_ops rule_ops = {
	.proc_read = rule_read, .proc_write = rule_write, .proc_lseek = default_llseek,
};

static const struct proc_ops table_ops = {
	.proc_read = table_read, .proc_lseek = default_llseek,
};

static const struct proc_ops regs_ops = {
	.proc_read = regs_read, .proc_lseek = default_llseek,
};

static struct proc_dir_entry *dir;

int ppe_door_open(void)
{
	char name[16];
	unsigned int i;
	bool ok;

	dir = proc_mkdir("natppe", NULL);
	ok = dir && proc_create("status", 0600, dir, &status_ops) &&
	     proc_create("rule", 0600, dir, &rule_ops);
	for (i = 0; ok && i < natppe.ppes; i++) {
		snprintf(name, sizeof(name), "table%u", i);
		ok = proc_create_data(name, 0400, dir, &table_ops, &natppe.ppe[i]);
		snprintf(name, sizeof(name), "regs%u", i);
		ok = ok && proc_create_data(name, 0400, dir, &regs_ops, &natppe.ppe[i]);
	}
	if (ok)
		return 0;
	ppe_door_close();
	return -ENOMEM;
}

void ppe_door_close(void)
{
	proc_remove(dir);
	ppe_watch_stop();
}
