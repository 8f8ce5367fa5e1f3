# `make demo` and `make test` need nothing but Go and git on Debian 12: each
# installs and builds what is missing first. `make help` lists the targets.

GO      ?= go
BUILD    = CGO_ENABLED=0 GOGC=$${GOGC:-$$(scripts/compiler-gogc.sh)} $(GO) build -buildvcs=auto -trimpath -ldflags "-s -w"
SERVERS := bin/rollcall-engine bin/rollcall-devvault

# Version of the linter: it understands Go 1.26 and needs no newer one.
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
WORKFLOWCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0

# The two server builds use all cores and much memory: one after the other.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup build rollcall demo test bench bench-logs bench-scale soak check clean docs man release release-test compose-test

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## setup   install missing Debian packages (slapd, Samba), check Go
setup:
	@scripts/setup.sh

## build   bin/rollcall, bin/rollcall-engine, bin/rollcall-devvault
build: rollcall $(SERVERS)

rollcall:
	@mkdir -p bin
	$(BUILD) -o bin/rollcall ./cmd/rollcall

# The nested modules are built again only when their own files change.
bin/rollcall-engine: $(filter-out %_test.go,$(wildcard engine/*.go)) engine/go.mod engine/go.sum $(shell find engine/without -type f)
	@scripts/build-server.sh engine

bin/rollcall-devvault: $(filter-out %_test.go,$(wildcard devvault/*.go)) devvault/go.mod devvault/go.sum $(shell find devvault/without -type f)
	@scripts/build-server.sh devvault

## demo    the whole job on real servers on this machine (ARGS="--keep --show-single-reset")
demo: setup build
	bin/rollcall demo $(ARGS)

## test    every test, on the real servers (as root: the domain controllers need it)
test: setup build
	$(GO) test -timeout 30m -parallel 4 ./...
	cd engine && CGO_ENABLED=0 $(GO) test -trimpath -vet=off ./...

## bench   the speed of a campaign beside Vault's LDAP engine and a bare loop
bench: setup build
	$(GO) run ./internal/bench $(ARGS)

## bench-logs  how fast logs of 1 GB are read, beside scripts in Python and awk (ARGS="-mb 200")
bench-logs: setup
	$(GO) run ./internal/bench/logs $(ARGS)

## bench-scale  what a credential costs by how many there are: its campaign, and its ledger (SIZES=…)
SIZES ?= 1000,100000
bench-scale: setup build
	$(GO) run ./internal/bench/scale -n $(SIZES) $(ARGS)
	$(GO) run ./internal/bench -grow $(SIZES) $(GROW_ARGS)

## soak    random kills for as long as asked (FOR=1h)
FOR ?= 1h
soak: setup build
	$(GO) test -count=1 -timeout 0 -v -run TestRandomKillsLoseNothingAndEveryCredentialDies ./internal/e2e -soak $(FOR)

## docs    docs/commands.md, from what --help says
docs: rollcall
	bin/rollcall docs --reference docs/commands.md

## man     the man pages, into a folder (MAN=bin/man)
MAN ?= bin/man
man: rollcall
	bin/rollcall docs --man $(MAN)

## release archives, .deb, .rpm, SBOMs and signed checksums of this commit in dist/ (KEY=FILE)
release: setup
	@scripts/release.sh $(if $(KEY),--key $(KEY)) $(if $(UNSIGNED),--unsigned) $(ARGS)

## release-test  two builds are the same; the .deb is installed on a booted Debian and runs a campaign (root)
release-test: build
	@scripts/setup.sh release
	$(GO) test -count=1 -timeout 90m -tags release -v ./internal/release

## compose-test  docker-compose.yml with images made here: campaigns, kills, cuts, an upgrade (root)
compose-test:
	@scripts/setup.sh compose
	@scripts/compose-test.sh

## check   formatting, vet, linters, directions between packages, tidy modules
check:
	@scripts/check.sh "$(STATICCHECK)" "$(WORKFLOWCHECK)"

## clean   remove what was built
clean:
	rm -rf bin dist
