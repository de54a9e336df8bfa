# The two commands of the README, and what they are made of.
#
#   make call         a real call with real sound between two processes on this machine
#   make test         everything that must hold: format, lints, docs, tests, licences and bans of dependencies
#   make bench        criterion benches
#   make fuzz         mutants of recorded and constructed messages, FUZZ_SECONDS for each layer
#   make advisories   known vulnerabilities in dependencies (needs the network)
#   make clean        what the above left here

BUILD_PACKAGES := build-essential pkg-config libasound2-dev
TEST_PACKAGES  := tshark python3-venv pulseaudio pulseaudio-utils libasound2-plugins \
                  pipewire pipewire-bin pipewire-pulse wireplumber libspa-0.2-modules jackd2
DENY_VERSION   := 0.20.2
TOOLS          := $(CURDIR)/target/tools
VENV           := $(CURDIR)/.venv

export PATH := $(TOOLS)/bin:$(PATH)
export CARGO_TERM_COLOR ?= never

.PHONY: call test fmt clippy doc unit deny bench fuzz advisories build-packages test-packages venv deny-tool clean

call: build-packages
	cargo build --release --locked --bin offhook
	@echo
	target/release/offhook demo --out out

test: build-packages test-packages venv fmt clippy doc unit deny

build-packages:
	@scripts/install-packages $(BUILD_PACKAGES)

test-packages:
	@scripts/install-packages $(TEST_PACKAGES)

# pycrate is the independent encoder and decoder of the scripted peer in tests/peers.
venv: test-packages
	@[ -x $(VENV)/bin/python ] || python3 -m venv $(VENV)
	@$(VENV)/bin/python -c 'import pycrate_asn1dir' 2>/dev/null || $(VENV)/bin/pip install -q --disable-pip-version-check pycrate==0.8.1

deny-tool:
	@cargo deny --version 2>/dev/null | grep -q . || \
	  cargo install cargo-deny --locked --version $(DENY_VERSION) --root $(TOOLS) --target-dir target/tools-build

fmt:
	cargo fmt --all --check

clippy: build-packages
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: build-packages
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

unit: build-packages test-packages venv
	OFFHOOK_PYTHON=$(VENV)/bin/python cargo test --workspace --locked

deny: deny-tool
	cargo deny --locked check bans licenses sources

advisories: deny-tool
	cargo deny --locked check advisories

# Each of six targets, as many at a time as there are processors; `cargo +nightly fuzz run` in signaling/wire goes further.
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} cargo test --release --locked -p offhook-wire --test fuzz

bench: build-packages
	cargo bench --workspace --locked

clean:
	rm -rf out $(VENV)
	cargo clean
