# SPDX-License-Identifier: GPL-2.0-only
# natflow: make && sudo make install && sudo modprobe natflow
# `make help` lists the rest.

KDIR ?= /lib/modules/$(shell uname -r)/build
PKG_CONFIG ?= pkg-config
XTLIBDIR ?= $(shell $(PKG_CONFIG) --variable=xtlibdir xtables 2>/dev/null)
MANDIR ?= /usr/local/share/man
SBINDIR ?= /usr/local/sbin
UNITDIR ?= /usr/local/lib/systemd/system
ifeq ($(origin CC),default)
CC = $(CROSS_COMPILE)gcc
endif
K ?= 6.1

KMAKE = $(MAKE) -C $(KDIR) M=$(CURDIR)
KRELEASE = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
LIBXT = xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.so
LIST = natflowctl/natflow-list
PPE = natflowctl/natflow-ppe
MAN = build/natflow.8
VERSION = $(shell sed -n 's/.*NATFLOW_VERSION "\(.*\)"/\1/p' control/settings.h)
ROOMS = $(shell sed -n 's/^rooms := //p' Kbuild)
DKMS_TREE = $(DESTDIR)/usr/src/natflow-$(VERSION)
DKMS_FILES = Makefile Kbuild LICENSE dkms.conf tests/check-config.sh $(filter-out %.mod.c %/libxt_FLOWOFFLOAD.c, \
	$(wildcard *.[ch]) $(shell find compat include natflow_hwnat xt_FLOWOFFLOAD $(ROOMS) -name '*.[ch]'))
# Debian's headers have no key to sign with: then modules are not signed, rather than each with an error.
SIGN_KEY = $(shell sed -n 's/^CONFIG_MODULE_SIG_KEY="\(.*\)"/\1/p' $(KDIR)/.config)
SIGN = $(if $(filter pkcs11:%,$(SIGN_KEY))$(wildcard $(SIGN_KEY) $(KDIR)/$(SIGN_KEY)),,CONFIG_MODULE_SIG_ALL=)

all: modules $(LIBXT) $(LIST) $(PPE)

modules: check-config
	+$(KMAKE) modules

# A missing kernel option is named before anything is compiled.
check-config:
	@./tests/check-config.sh $(KDIR)

check-xtables:
	@[ "$(XTLIBDIR)" ] || { echo >&2 "natflow: $(PKG_CONFIG) does not find xtables" \
		"(on Debian: apt install pkg-config libxtables-dev)"; exit 1; }

$(LIBXT): xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.c include/uapi/linux/netfilter/xt_FLOWOFFLOAD.h | check-xtables
	$(CC) -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC -Iinclude/uapi \
		$(shell $(PKG_CONFIG) --cflags xtables) -o $@ $< $(LDFLAGS)

$(LIST): natflowctl/natflow-list.c lib/names/domains.c lib/names/domains.h lib/names/hostname.c lib/names/hostname.h \
		lib/text/listline.c lib/text/listline.h lib/host.h
	$(CC) -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -o $@ $(filter %.c,$^) $(LDFLAGS)

$(PPE): natflowctl/natflow-ppe.c natflow_hwnat/foe.c natflow_hwnat/foe.h lib/host.h
	$(CC) -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -o $@ $(filter %.c,$^) $(LDFLAGS)

# Modules by Kbuild, without its depmod: that wants a System.map, which packaged headers do not have.
install: check-xtables all
	@! ls $(DESTDIR)/lib/modules/$(KRELEASE)/updates/dkms/natflow.ko* 2>/dev/null || { echo >&2 \
		"natflow: DKMS has installed it for $(KRELEASE), which goes first: make uninstall, then again"; exit 1; }
	+$(KMAKE) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=extra INSTALL_MOD_STRIP=1 $(SIGN) \
		quiet_cmd_depmod= cmd_depmod=: modules_install
	@# A staging directory lacks the kernel's own modules: depmod runs where it is unpacked.
	[ ! -e $(DESTDIR)/lib/modules/$(KRELEASE)/modules.builtin ] || depmod -b "$(DESTDIR)/" $(KRELEASE)
	$(MAKE) --no-print-directory install-tools

install-tools: check-xtables $(LIBXT) $(LIST) $(PPE) $(MAN)
	install -D -m 644 $(LIBXT) $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so
	install -D -m 755 $(LIST) $(DESTDIR)$(SBINDIR)/natflow-list
	install -D -m 755 $(PPE) $(DESTDIR)$(SBINDIR)/natflow-ppe
	install -D -m 644 $(MAN) $(DESTDIR)$(MANDIR)/man8/natflow.8
	install -D -m 644 packaging/natflow.service $(DESTDIR)$(UNITDIR)/natflow.service

# DKMS builds the modules again for every kernel that is installed later.
install-dkms: check-xtables
	@[ "$(DESTDIR)" ] || command -v dkms >/dev/null || { echo >&2 "natflow: dkms is not there"; exit 1; }
	$(if $(DESTDIR),,packaging/remove-modules.sh)
	@echo "copying what the modules need to $(DKMS_TREE)"
	@for f in $(DKMS_FILES); do install -D -m $$([ -x $$f ] && echo 755 || echo 644) $$f $(DKMS_TREE)/$$f || exit; done
	$(if $(DESTDIR),,dkms install natflow/$(VERSION) -k $(KRELEASE))
	$(MAKE) --no-print-directory install-tools

$(MAN): xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.man
	@mkdir -p $(dir $@)
	{ printf '.TH NATFLOW 8\n.SH NAME\nnatflow \\- forwarding fast path, target FLOWOFFLOAD\n.SH FLOWOFFLOAD\n'; \
	  cat $<; } >$@

# Without the extension iptables cannot list or save a table that has the target: FORCE=1 does not care.
uninstall: check-xtables
	$(if $(DESTDIR)$(filter 1,$(FORCE)),,@packaging/check-rules.sh)
	$(if $(DESTDIR),,@-systemctl -q disable natflow 2>/dev/null)
	packaging/remove-modules.sh $(DESTDIR)
	rm -f $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so $(DESTDIR)$(SBINDIR)/natflow-list $(DESTDIR)$(SBINDIR)/natflow-ppe
	rm -f $(DESTDIR)$(MANDIR)/man8/natflow.8 $(DESTDIR)$(UNITDIR)/natflow.service

clean:
	-+$(KMAKE) clean
	rm -rf $(LIBXT) $(LIST) $(PPE) build

demo:
	@tests/lab/demo.sh

shell:
	@tests/lab/demo.sh --shell

test:
	@tests/run.py test

test-all:
	@tests/run.py test-all

check test-unit test-patches test-browser test-visit test-install test-names fuzz test-lab test-hostile test-selftest test-driver test-exact endurance mutants bench shaping:
	@T=$(T) K=$(K) CASE="$(CASE)" RUNS=$(RUNS) SEED=$(SEED) tests/run.py $@

# After a bench whose figures are meant: they are what later ones are held against.
bench-baseline:
	@tests/lab/budgets.py --renew

help:
	@echo 'make                 modules and the iptables extension'
	@echo 'make install         DESTDIR= KDIR= ARCH= CROSS_COMPILE= are honoured; uninstall undoes it'
	@echo 'make demo            a gateway in a VM, measured against the stack and nf_flow_table'
	@echo 'make shell           a prompt in that VM'
	@echo 'make test            everything CI runs; test-all: the long forms'
	@echo 'make check           static checks and cross builds'
	@echo 'make test-unit       lib/ on the host'
	@echo 'make test-patches    natflow_hwnat/patches on the kernels'\'' sources, arm64 and mips'
	@echo 'make test-browser    its parsers on what Chromium says, fresh'
	@echo 'make test-visit      a browser behind a gateway, over TCP and QUIC; needs /dev/net/tun'
	@echo 'make test-install    the README'\''s commands, typed in a terminal'
	@echo 'make test-names      its parsers against tshark, on captures from Debian'\''s sources'
	@echo 'make fuzz T=60       parsers, T seconds each'
	@echo 'make test-lab        lab cases; K=6.1|6.12|newest|6.1-rt|6.1-armhf|... CASE=regex'
	@echo 'make test-hostile    the same on kernels that look for faults'
	@echo 'make endurance       storms, a household and a million flows, for minutes each'
	@echo 'make test-exact      ten million packets: users'\'' sums beside a tap'\''s; K= CASE=regex'
	@echo 'make test-driver      everything at random for half an hour; SEED=number repeats it'
	@echo 'make test-selftest   the kernel'\''s nft_flowtable.sh on natflow; K= RUNS=20 SEED=number'
	@echo 'make mutants         natflow broken in known ways: a case notices each'
	@echo 'make bench           instructions per packet, held against tests/bench/baseline.json'
	@echo 'make bench-baseline  the last bench becomes that baseline'
	@echo 'make shaping         delays and shares of a full link, beside cake, and their plot'

.PHONY: all modules check-config install uninstall clean demo shell test test-all check \
	test-unit test-patches test-browser test-visit test-install test-names fuzz test-lab test-hostile test-selftest test-driver test-exact endurance mutants bench bench-baseline shaping help
