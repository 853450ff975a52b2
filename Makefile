# Everything is behind two commands: `make demo` and `make test`.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PREFIX  ?= /usr/local
MANDIR   = $(PREFIX)/share/man/man1
BASHDIR  = $(PREFIX)/share/bash-completion/completions
ZSHDIR   = $(PREFIX)/share/zsh/site-functions
FISHDIR  = $(PREFIX)/share/fish/vendor_completions.d
LDFLAGS  = -s -w -X main.version=$(VERSION)
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
SBOM = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
DEADCODE = golang.org/x/tools/cmd/deadcode@v0.52.0
TARGETS  = darwin/amd64 darwin/arm64 linux/amd64 linux/arm64
FUZZTIME ?= 10s

.PHONY: all help uninstall build test e2e soak realvbox bare demo demo-shell bin/demo bench fuzz lint deadcode cross dist dist-test sbom vulnerabilities man pictures install clean need-go

all: build

help:
	@echo 'make                  build bin/docker-vpn-helper (1 minute the first time)'
	@echo 'make demo             watch a broken machine being repaired; needs no VirtualBox, no root (1 minute)'
	@echo 'make demo-shell       a shell on the laptop of that demo, to try the commands'
	@echo 'make test             run the tests (10 minutes)'
	@echo 'make install          install the program, man pages and completions into PREFIX (/usr/local)'
	@echo 'make uninstall        remove them again'
	@echo 'make man, pictures    rewrite docs/man from the commands, docs/pictures from runs of them'
	@echo 'make lint             vet, staticcheck, actionlint, dead code; make vulnerabilities: govulncheck'
	@echo 'make e2e, soak, bench as root on Debian: tests with network namespaces'
	@echo 'make cross, dist      build for all platforms, release archives (dist-test: try them)'

# From 1.21 on, Go gets the version that go.mod asks for, or says what is wrong; an
# older one does not even understand the question.
need-go:
	@case "$$($(GO) version 2>/dev/null)" in \
	"") what='Go 1.26 or later is needed' ;; \
	*" go1."[0-9][." "]* | *" go1.1"[0-9][." "]* | *" go1.20"[." "]*) what="Go 1.26 or later is needed, this is $$($(GO) version)" ;; \
	*) exit 0 ;; \
	esac; \
	echo "$$what: 'brew install go' on macOS; on Linux https://go.dev/doc/install (Debian: apt-get install golang-go, from backports if it is older)" >&2; exit 1

# Without cgo, as in a release: it starts in two thirds of the time.
build: need-go
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/docker-vpn-helper ./cmd/docker-vpn-helper
	@mkdir -p bin/completion
	@for s in bash zsh fish; do bin/docker-vpn-helper completion $$s > bin/completion/$$s || exit 1; done

# The tests try the shells that the program writes for. On Debian root gets what
# is missing; elsewhere those that are installed are tried. In CI all must be there.
test: need-go
	@scripts/shells
	DVH_SHELLS="$$(scripts/shells --list)" $(GO) test -timeout 30m $(TESTFLAGS) ./...

e2e: need-go
	scripts/debian-packages
	$(GO) test -tags e2e -count=1 -timeout 50m ./internal/lab/e2e/...
	$(GO) test -tags e2e -count=1 -timeout 30m -parallel 2 ./internal/lab/hosts
	$(GO) test -tags e2e -count=1 -timeout 30m ./internal/ui ./internal/lab/cmd/demo ./internal/lab/screens ./internal/firewall ./internal/allowance ./internal/guard

# What make e2e does a tenth of: repairs that are killed, cut off and powered off
# at random instants, and the slowest hostile hosts; every fault of the matrix, and all fixtures;
# proxy with compose and a Docker that Debian does not have.
soak: need-go
	scripts/debian-packages gcc libc6-dev libseccomp-dev pkg-config
	DVH_SOAK=all $(GO) test -tags e2e -count=1 -timeout 180m -v -run '^TestSoak|^TestHostile|^TestHomeFull|^TestGuard|^TestProxy$$' ./internal/lab/e2e/...
	DVH_SOAK=all $(GO) test -tags e2e -count=1 -timeout 180m -v -run '^TestKernel' ./internal/firewall ./internal/allowance
	dir=$$(mktemp -d /var/tmp/newer-docker.XXXXXX) && trap "rm -rf $$dir" EXIT INT TERM && chmod 755 "$$dir" && scripts/newer-docker "$$dir" && \
	  DVH_DOCKER=$$dir $(GO) test -tags e2e -count=1 -timeout 60m -v -run '^TestProxy$$' ./internal/lab/e2e
	DVH_FAULTS=all $(GO) test -count=1 -timeout 180m -parallel 6 -v ./internal/lab/faults/... ./internal/lab/fixtures/...

# VirtualBox itself, in a chroot that Debian's package is installed into (root on Debian, some
# 100 MB from Debian's mirror, 1.5 GB of disk). REALVBOX_CHROOT=DIR keeps it for the next run.
realvbox: need-go
	scripts/realvbox $(TESTFLAGS)

# The demo and the tests on a bare Debian (root; some 300 MB from Debian's mirror, 2 GB of disk, 20 minutes).
bare: need-go
	scripts/bare demo test

# The demo's status after Ctrl-C is no error; the trap lets the shell wait until it has cleaned up.
DEMO = trap : INT; bin/demo$(1) || [ $$? = 130 ]

demo: bin/demo
	@$(call DEMO)

# A shell on the demo's laptop.
demo-shell: bin/demo
	@$(call DEMO, shell)

bin/demo: need-go
	@echo 'Compiling the demo (a minute the first time) ...'
	@CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./internal/lab/cmd/demo

# Writes docs/benchmarks.md. Nothing else should run meanwhile.
bench: need-go
	scripts/debian-packages nginx-light
	$(GO) test -tags e2e -count=1 -timeout 30m -run '^TestBench' -v ./internal/lab/bench -args -update
	$(GO) test -tags e2e -count=1 -timeout 30m -run '^TestLimits$$' -v ./internal/lab/scale -args -update
	$(GO) test -count=1 -run '^$$' -bench . ./internal/netfilter ./internal/firewall ./internal/allowance

# Every fuzz target of every package for FUZZTIME each.
fuzz: need-go
	scripts/fuzz $(FUZZTIME)

lint: need-go
	@unformatted=$$(gofmt -l cmd internal); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	$(GO) vet -tags e2e,realvbox ./internal/lab/... ./internal/ui ./internal/firewall ./internal/guard
	$(GO) run $(STATICCHECK) -tags e2e,realvbox ./...
	$(GO) run $(ACTIONLINT)
	$(MAKE) deadcode

# No function is there for nothing. The program is judged from main alone, for every
# target: a function that only tests call belongs in a test file. What is left, the lab
# and the helpers of tests, is judged from everything that runs: the tests and the
# lab's own commands.
deadcode: need-go
	@for t in $(TARGETS) tests; do case $$t in \
	  tests) echo 'deadcode of the tests and the lab'; dead=$$($(GO) run $(DEADCODE) -test -tags e2e,realvbox ./...) || exit 1 ;; \
	  *) echo "deadcode of $$t"; \
	    dead=$$($(GO) run -exec "env CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/}" $(DEADCODE) ./cmd/docker-vpn-helper) || exit 1 ;; \
	  esac; if [ -n "$$dead" ]; then echo "$$dead" >&2; exit 1; fi; done

cross: need-go
	@for t in $(TARGETS); do echo "building for $$t"; \
	  CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -trimpath -o /dev/null ./cmd/docker-vpn-helper || exit 1; done

# Release archives of a tag, and the formula; ALLOW_UNTAGGED=1 makes archives of any tree, and no formula.
dist: need-go
	scripts/dist '$(VERSION)' $(TARGETS)
	@[ -n '$(ALLOW_UNTAGGED)' ] || scripts/formula '$(VERSION)'

# What a release is made of, as CycloneDX, from the sources of the tag.
sbom: need-go
	$(GO) run $(SBOM) app -json -licenses -noserial -output dist/docker-vpn-helper.cdx.json -main cmd/docker-vpn-helper

# Known vulnerabilities in what the program calls, those of this Go's standard library too.
vulnerabilities: need-go
	scripts/vulnerabilities

# Clones this commit, tags the clones, and tries what make dist promises, and the formula (Debian: root gets ruby).
dist-test: need-go
	scripts/dist-test $(TARGETS)

# The man pages are made from the commands; a test says when they are stale.
man: need-go
	$(GO) test ./internal/cli -run '^TestManPagesAreFresh$$' -args -update

# The pictures of README.md are made from real runs (root on Debian); make e2e says when they are stale.
pictures: need-go
	scripts/debian-packages
	$(GO) test -tags e2e -count=1 ./internal/lab/screens -run '^TestPicturesAreFresh$$' -args -update
	$(GO) test -tags e2e -count=1 ./internal/lab/e2e -run '^TestReachContest$$' -args -update

# Installing builds nothing, because sudo may not find Go: run make before.
install:
	@test -x bin/docker-vpn-helper || { echo "run 'make' first (without sudo), then '$(MAKE) install' again" >&2; exit 1; }
	@d='$(DESTDIR)$(PREFIX)/bin'; while [ ! -e "$$d" ]; do d=$$(dirname "$$d"); done; [ -w "$$d" ] || \
	  { echo "$$d cannot be written: use 'sudo $(MAKE) install', or '$(MAKE) install PREFIX=$$HOME/.local'" >&2; exit 1; }
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(MANDIR)' '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(ZSHDIR)' '$(DESTDIR)$(FISHDIR)'
	install -m 0755 bin/docker-vpn-helper '$(DESTDIR)$(PREFIX)/bin/docker-vpn-helper'
	install -m 0644 docs/man/*.1 '$(DESTDIR)$(MANDIR)/'
	install -m 0644 bin/completion/bash '$(DESTDIR)$(BASHDIR)/docker-vpn-helper'
	install -m 0644 bin/completion/zsh '$(DESTDIR)$(ZSHDIR)/_docker-vpn-helper'
	install -m 0644 bin/completion/fish '$(DESTDIR)$(FISHDIR)/docker-vpn-helper.fish'
	@case '$(DESTDIR)$(PREFIX)' in /usr | /usr/local) ;; \
	*) echo "zsh finds its completions there with this line in ~/.zshrc, before compinit: fpath+=('$(ZSHDIR)')" ;; esac

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/docker-vpn-helper' '$(DESTDIR)$(MANDIR)'/docker-vpn-helper.1 '$(DESTDIR)$(MANDIR)'/docker-vpn-helper-*.1
	rm -f '$(DESTDIR)$(BASHDIR)/docker-vpn-helper' '$(DESTDIR)$(ZSHDIR)/_docker-vpn-helper' '$(DESTDIR)$(FISHDIR)/docker-vpn-helper.fish'

clean:
	rm -rf bin dist
