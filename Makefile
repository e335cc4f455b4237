# Nightshift. Two commands do everything on a fresh Debian or Ubuntu with Rust: `make demo` and `make test`.
# One cargo profile serves both, so nothing is compiled twice (docs/adr/001). CARGO_TARGET_DIR is respected.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-vm soak nextest-needed install licences uninstall deb reference setup setup-tests fmt fmt-check lint doc deny unit mutants fuzz bench record-driver versus versus-probe clean
# The parts of `test` print one after the other, and share one cargo lock anyway.
.NOTPARALLEL:

CARGO ?= cargo
# Further arguments, for example: make demo ARGS="--data my-text.txt --json"; make unit ARGS="-p market"
ARGS ?=

# What is installed and packed: the profile that everything here is built and tested with (docs/adr/007), or
# `release` for those who give packages to many.
PROFILE ?= dev
PROGRAM = $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/nightshift
PREFIX ?= /usr/local

# How often each tool of `versus-probe` has its turn.
ROUNDS ?= 3
DESTDIR ?=

# Whole markets wait more than they compute, so one test more than there are cores keeps these busy.
TEST_THREADS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))

# The one crate whose documentation has examples that run. Asking for all crates would compile the numeric ones
# a second time: without test targets cargo plans their build scripts differently.
DOC_TESTED := throughput-proof

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## build, then run a whole market on this machine (ARGS="--data FILE --json")
	$(CARGO) build
	@$(MAKE) --no-print-directory licences
	$(CARGO) run --quiet -- demo $(ARGS)

test: setup-tests fmt-check lint doc deny unit ## everything that a change must pass

# Eighteen million states of the channels are searched: optimised, with the ledger's own checks left in.
SEARCH = CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true $$run --cargo-profile release -p market

test-long: setup-tests nextest-needed ## the tests that take minutes, which `test` leaves out
	$(CARGO) build --workspace
	@run="$(CARGO) nextest run --profile long"; failed=0; \
	$(if $(ARGS),$$run $(ARGS) || failed=$$?,$(SEARCH) || failed=$$?; $$run $(REST) || failed=$$?); exit $$failed

soak: setup-tests nextest-needed ## a market under random faults for a quarter of an hour, with its figures
	$(CARGO) build --workspace
	$(CARGO) nextest run --profile soak --no-capture -p nightshift-tests $(ARGS)

# By command alone: it downloads a system once, and shows what this machine may not have.
test-vm: setup-tests ## the sandbox's tests in a virtual Debian with systemd and AppArmor (ARGS=PATH of a nightshift; minutes)
	@./scripts/test-vm $(ARGS)

nextest-needed:
	@$(CARGO) nextest --version >/dev/null 2>&1 || { \
	  echo "this needs cargo-nextest: cargo install --locked cargo-nextest" >&2; exit 1; }

# Root installs what was built before, so that no file in the build folder comes to belong to root. The texts of the
# licences come from cargo, which root may not have: they are built too.
install: ## install what was built (PREFIX=/usr/local DESTDIR= PROFILE=dev)
	@if [ "$$(id -u)" -eq 0 ] && [ ! -x "$(PROGRAM)" ] && \
	    { [ "$${SUDO_USER:-root}" != root ] || ! command -v $(CARGO) >/dev/null; }; then \
	  echo "install: there is no program at $(PROGRAM) yet. As yourself, without sudo, run:" >&2; \
	  echo "install:   $(CARGO) build --profile $(PROFILE) && make licences PROFILE=$(PROFILE)" >&2; \
	  echo "install: If it is built elsewhere: sudo make install CARGO_TARGET_DIR=THERE" >&2; exit 1; fi
	@if [ "$$(id -u)" -ne 0 ] || [ ! -x "$(PROGRAM)" ]; then $(CARGO) build --profile $(PROFILE) && $(MAKE) --no-print-directory licences; fi
	@./scripts/install "$(PROGRAM)" "$(PREFIX)" "$(DESTDIR)"

# Kept beside the program, made anew where the dependencies changed.
licences:
	@to="$(dir $(PROGRAM))third-party-licences.txt"; \
	if [ ! -s "$$to" ] || [ Cargo.lock -nt "$$to" ]; then \
	  ./scripts/third-party-licences >"$$to.new" && mv "$$to.new" "$$to"; fi

uninstall: ## remove what `install` put there (the same PREFIX and DESTDIR); homes and keys stay
	@./scripts/install --remove "$(PREFIX)" "$(DESTDIR)"

deb: setup ## build a Debian package into the build folder (PROFILE=dev)
	$(CARGO) build --profile $(PROFILE)
	@$(MAKE) --no-print-directory licences
	@./scripts/deb "$(PROGRAM)" "$(or $(CARGO_TARGET_DIR),target)/debian"

setup: ## install what building and running need
	@./scripts/setup

setup-tests:
	@./scripts/setup --tests

fmt: ## format the code
	$(CARGO) fmt --all

fmt-check:
	$(CARGO) fmt --all --check

lint: ## clippy on every target, warnings denied
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc: ## build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

deny: ## licences, bans, sources and advisories, where cargo-deny is installed
	@if ! $(CARGO) deny --version >/dev/null 2>&1; then \
	  echo "deny: skipped, cargo-deny is not installed (cargo install --locked cargo-deny takes about ten minutes)"; \
	elif $(CARGO) deny --workspace fetch db >/dev/null 2>&1; then \
	  $(CARGO) deny --workspace check; \
	else \
	  echo "deny: the advisory database is out of reach; checking licences, bans and sources only"; \
	  $(CARGO) deny --workspace check licenses bans sources; \
	fi

# The tests of `market` are built by themselves: what their model checker brings would turn on features of crates that
# Burn uses, and compile it a second time.
REST := --workspace --exclude market

unit: ## the tests alone (ARGS="-p market" for one crate)
	$(CARGO) build --workspace
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  run="$(CARGO) nextest run --test-threads $(TEST_THREADS)"; failed=0; \
	  $(if $(ARGS),$$run $(ARGS) || failed=$$?,$$run -p market || failed=$$?; $$run $(REST) || failed=$$?); \
	  $(CARGO) test --doc --quiet -p $(DOC_TESTED) || failed=$$?; exit $$failed; \
	else \
	  skip="-- --skip ::long_ --skip ::soak_"; failed=0; \
	  $(if $(ARGS),$(CARGO) test $(ARGS) $$skip,$(CARGO) test -p market $$skip || failed=$$?; $(CARGO) test $(REST) $$skip) || failed=$$?; \
	  exit $$failed; \
	fi

# One test build and one run of the fast tests for each change, in a copy of the tree. What is changed stands in
# .cargo/mutants.toml, which tests answer in .config/nextest.toml. A run ends with the changes that no test noticed.
mutants: nextest-needed ## change ledger and matching in one place at a time; tests must notice (ARGS="--shard 0/16", takes half an hour)
	@$(CARGO) mutants --version >/dev/null 2>&1 || { \
	  echo "this needs cargo-mutants: cargo install --locked cargo-mutants" >&2; exit 1; }
	CARGO_PROFILE_DEV_DEBUG=false NEXTEST_PROFILE=mutants PROPTEST_CASES=4 RUST_BACKTRACE=0 \
	  $(CARGO) mutants --package market --package matching --test-tool nextest $(ARGS)

# Which decoder of which crate gets bytes that the fuzzer makes up, and for how long.
FUZZ_CRATE ?= market
DECODER ?=
SECONDS ?= 60
# What it finds on the way is kept in the build folder and goes on from there; the committed corpus stays as it is.
FUZZ_FOUND = $(abspath $(or $(CARGO_TARGET_DIR),target))/fuzz-found/$(DECODER)

# Works on a stable compiler: without a sanitizer only coverage is compiled in. The versions are those of Cargo.lock.
fuzz: ## look for bytes that break a decoder (DECODER=block SECONDS=3600 FUZZ_CRATE=market; tests/fuzz)
	@$(CARGO) fuzz --version >/dev/null 2>&1 && command -v c++ >/dev/null || { \
	  echo "this needs cargo-fuzz and a C++ compiler: cargo install --locked cargo-fuzz; apt install g++" >&2; exit 1; }
	@if [ ! -d "tests/fuzz/corpus/$(DECODER)" ] || [ -z "$(DECODER)" ]; then \
	  echo "DECODER can be one of:" $$(ls tests/fuzz/corpus) >&2; exit 1; fi
	@cp Cargo.lock tests/fuzz/Cargo.lock
	@mkdir -p $(FUZZ_FOUND)
	DECODER=$(DECODER) $(CARGO) fuzz run --fuzz-dir tests/fuzz --sanitizer none \
	  $(if $(filter-out market,$(FUZZ_CRATE)),--features $(FUZZ_CRATE)) $(FUZZ_CRATE) $(FUZZ_FOUND) tests/fuzz/corpus/$(DECODER) -- \
	  -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 $(ARGS)

reference: ## print the generated pages of the handbook anew
	$(CARGO) build
	NIGHTSHIFT_BLESS=1 $(CARGO) test --quiet -p nightshift-tests --test it -- generated_pages

bench: ## the measurements of docs/measurements, on this machine
	$(CARGO) run --quiet -- bench $(ARGS)

# On the machine with the card, best as root: what comes out is what the driver's profile has to list.
DRIVER ?=
CARD ?=

record-driver: ## record what a driver opens and calls in the sandbox (DRIVER=nvidia CARD=0 ARGS="-- PROGRAM worker wgpu")
	@scripts/record-driver $(DRIVER) $(CARD) $(ARGS)

# Downloads and builds the other engines, which nothing else here uses, into a build folder of its own.
versus: ## run the limit order book beside public engines, on the same orders (matching/peers)
	$(CARGO) run --release --manifest-path matching/peers/Cargo.toml -- $(ARGS)

versus-probe: ## run the probe beside Burn, clpeak and plain copies, taking turns (gpu-probe/versus.sh; ROUNDS=3)
	ROUNDS=$(ROUNDS) gpu-probe/versus.sh

clean: ## remove what was built
	$(CARGO) clean
