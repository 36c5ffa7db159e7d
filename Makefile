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

all: modules $(LIBXT)

modules: check-config
	$(KMAKE) modules

# A missing kernel option is named before anything is compiled.
check-config:
	@./tests/check-config.sh $(KDIR)

$(LIBXT): xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.c include/uapi/linux/netfilter/xt_FLOWOFFLOAD.h
	$(CC) -O2 -Wall -Wextra -Wno-unused-parameter -shared -fPIC -Iinclude/uapi \
		$(shell $(PKG_CONFIG) --cflags xtables) -o $@ $< $(LDFLAGS)

install: all
	$(KMAKE) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=extra modules_install
	install -D -m 644 $(LIBXT) $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so
	install -D -m 644 build/natflow.8 $(DESTDIR)$(MANDIR)/man8/natflow.8

install: build/natflow.8

build/natflow.8: xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.man
	@mkdir -p build
	{ printf '.TH NATFLOW 8\n.SH NAME\nnatflow \\- forwarding fast path, target FLOWOFFLOAD\n.SH FLOWOFFLOAD\n'; \
	  cat $<; } >$@

uninstall:
	rm -f $(DESTDIR)$(XTLIBDIR)/libxt_FLOWOFFLOAD.so $(DESTDIR)$(MANDIR)/man8/natflow.8
	rm -f $(addprefix $(DESTDIR)/lib/modules/$(KRELEASE)/extra/,$(foreach m,natflow xt_FLOWOFFLOAD,$(m).ko $(m).ko.xz $(m).ko.zst $(m).ko.gz))
	$(if $(DESTDIR),,depmod $(KRELEASE))

clean:
	-$(KMAKE) clean
	rm -rf $(LIBXT) build

demo:
	@tests/lab/demo.sh

shell:
	@tests/lab/demo.sh --shell

test:
	@tests/run.sh short

test-all:
	@tests/run.sh long

check test-unit fuzz test-lab test-hostile mutants bench:
	@T=$(T) K=$(K) CASE="$(CASE)" tests/run.sh $@

help:
	@echo 'make                 modules and the iptables extension'
	@echo 'make install         DESTDIR= KDIR= ARCH= CROSS_COMPILE= are honoured; uninstall undoes it'
	@echo 'make demo            a gateway in a VM, measured against the stack and nf_flow_table'
	@echo 'make shell           a prompt in that VM'
	@echo 'make test            everything CI runs; test-all: the long forms'
	@echo 'make check           static checks and cross builds'
	@echo 'make test-unit       lib/ on the host'
	@echo 'make fuzz T=60       parsers, T seconds each'
	@echo 'make test-lab        lab cases; K=6.1|6.12|newest CASE=regex'
	@echo 'make test-hostile    the same on the debug kernel'
	@echo 'make mutants         natflow broken in known ways: a case notices each'
	@echo 'make bench           instructions per packet'

.PHONY: all modules check-config install uninstall clean demo shell test test-all check \
	test-unit fuzz test-lab test-hostile mutants bench help
