# SPDX-License-Identifier: GPL-2.0-only
# natflow: make && sudo make install && sudo modprobe natflow
# `make help` lists the rest.

KDIR ?= /lib/modules/$(shell uname -r)/build
PKG_CONFIG ?= pkg-config
XTLIBDIR ?= $(shell $(PKG_CONFIG) --variable=xtlibdir xtables)
MANDIR ?= /usr/local/share/man
CC ?= gcc
K ?= 6.1

KMAKE = $(MAKE) -C $(KDIR) M=$(CURDIR)
KRELEASE = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
LIBXT = xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.so
LIST = natflowctl/natflow-list
SBINDIR ?= /usr/local/sbin

all: modules $(LIBXT) $(LIST)

modules: check-config
	$(KMAKE) modules

# A missing kernel option is named before anything is compiled.
check-config:
	@./tests/check-config.sh $(KDIR)

$(LIBXT): xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.c include/uapi/linux/netfilter/xt_FLOWOFFLOAD.h
	$(CC) -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC -Iinclude/uapi \
		$(shell $(PKG_CONFIG) --cflags xtables) -o $@ $< $(LDFLAGS)

$(LIST): natflowctl/natflow-list.c lib/domains.c lib/domains.h lib/hostname.c lib/hostname.h lib/host.h
	$(CC) -O2 -std=gnu11 -Wall -Wextra -Wno-unused-parameter -o $@ $(filter %.c,$^) $(LDFLAGS)

install: all
	$(KMAKE) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=extra modules_install
	install -D -m 644 $(LIBXT) $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so
	install -D -m 755 $(LIST) $(DESTDIR)$(SBINDIR)/natflow-list
	install -D -m 644 build/natflow.8 $(DESTDIR)$(MANDIR)/man8/natflow.8

install: build/natflow.8

build/natflow.8: xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.man
	@mkdir -p build
	{ printf '.TH NATFLOW 8\n.SH NAME\nnatflow \\- forwarding fast path, target FLOWOFFLOAD\n.SH FLOWOFFLOAD\n'; \
	  cat $<; } >$@

uninstall:
	rm -f $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so $(DESTDIR)$(MANDIR)/man8/natflow.8 $(DESTDIR)$(SBINDIR)/natflow-list
	rm -f $(addprefix $(DESTDIR)/lib/modules/$(KRELEASE)/extra/,$(foreach m,natflow xt_FLOWOFFLOAD,$(m).ko $(m).ko.xz $(m).ko.zst $(m).ko.gz))
	$(if $(DESTDIR),,depmod $(KRELEASE))

clean:
	-$(KMAKE) clean
	rm -rf $(LIBXT) $(LIST) build

demo:
	@tests/lab/demo.sh

shell:
	@tests/lab/demo.sh --shell

test:
	@tests/run.sh short

test-all:
	@tests/run.sh long

check test-unit test-browser test-visit test-names fuzz test-lab test-hostile test-selftest endurance mutants bench:
	@T=$(T) K=$(K) CASE="$(CASE)" RUNS=$(RUNS) SEED=$(SEED) tests/run.sh $@

help:
	@echo 'make                 modules and the iptables extension'
	@echo 'make install         DESTDIR= KDIR= ARCH= CROSS_COMPILE= are honoured; uninstall undoes it'
	@echo 'make demo            a gateway in a VM, measured against the stack and nf_flow_table'
	@echo 'make shell           a prompt in that VM'
	@echo 'make test            everything CI runs; test-all: the long forms'
	@echo 'make check           static checks and cross builds'
	@echo 'make test-unit       lib/ on the host'
	@echo 'make test-browser    its parsers on what Chromium says, fresh'
	@echo 'make test-visit      a browser behind a gateway, over TCP and QUIC; needs /dev/net/tun'
	@echo 'make test-names      its parsers against tshark, on captures from Debian'\''s sources'
	@echo 'make fuzz T=60       parsers, T seconds each'
	@echo 'make test-lab        lab cases; K=6.1|6.12|newest|6.1-arm64|6.1-s390x CASE=regex'
	@echo 'make test-hostile    the same on kernels that look for faults'
	@echo 'make endurance       storms, a household and a million flows, for minutes each'
	@echo 'make test-selftest   the kernel'\''s nft_flowtable.sh on natflow; K= RUNS=20 SEED=number'
	@echo 'make mutants         natflow broken in known ways: a case notices each'
	@echo 'make bench           instructions per packet'

.PHONY: all modules check-config install uninstall clean demo shell test test-all check \
	test-unit test-browser test-visit test-names fuzz test-lab test-hostile test-selftest endurance mutants bench help
