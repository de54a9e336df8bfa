# The two commands of the README, and what they are made of.
#
#   make call         a real call with real sound between two processes on this machine
#   make test         everything that must hold: format, lints, docs, tests, licences and bans of dependencies
#   make bench        criterion benches; what a call costs and how late it is (docs/realtime.md)
#   make loom         the wait-free protocols under every interleaving; part of `make test`
#   make syscalls     which system calls the real-time side makes, by strace; `make test` does so shortly
#   make asan, make rtsan, make tsan
#                     the media crates' tests under a sanitizer, on a nightly toolchain
#   make fuzz         mutants of messages, of payloads, of packets to be played, FUZZ_SECONDS for each target
#   make advisories   known vulnerabilities in dependencies (needs the network)
#   make clean        what the above left here

BUILD_PACKAGES := build-essential cmake pkg-config libasound2-dev
TEST_PACKAGES  := tshark iproute2 python3-venv pulseaudio pulseaudio-utils libasound2-plugins strace \
                  pipewire pipewire-bin pipewire-pulse wireplumber libspa-0.2-modules jackd2 \
                  ffmpeg sox multimon-ng libopus-dev espeak-ng libspandsp2
DENY_VERSION   := 0.20.2
TOOLS          := $(CURDIR)/target/tools
VENV           := $(CURDIR)/.venv
# Sanitizers are nightly's, and want the target said aloud so that build scripts go without.
NIGHTLY        ?= nightly
HOST            = $(shell rustc -vV | sed -n 's/^host: //p')
REALTIME       := -p offhook-engine -p offhook-rtp -p offhook-jitter -p offhook-codecs
SANITIZED       = cargo +$(NIGHTLY) test --locked --target $(HOST) --lib --tests

export PATH := $(TOOLS)/bin:$(PATH)
export CARGO_TERM_COLOR ?= never

.PHONY: call test fmt clippy doc unit loom deny bench syscalls asan rtsan tsan fuzz advisories build-packages test-packages venv deny-tool clean

call: build-packages
	cargo build --release --locked --bin offhook
	@echo
	target/release/offhook demo --out out

test: build-packages test-packages venv fmt clippy doc unit loom deny

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

# A target directory of its own: the flag would have everything else built anew.
loom: build-packages
	RUSTFLAGS="--cfg loom" cargo test --locked --target-dir target/loom -p offhook-engine --lib loom

deny: deny-tool
	cargo deny --locked check bans licenses sources

advisories: deny-tool
	cargo deny --locked check advisories

# Each of six targets, as many at a time as there are processors; `cargo +nightly fuzz run` in signaling/wire goes further.
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} cargo test --release --locked -p offhook-wire -p offhook-codecs -p offhook-jitter --test fuzz

bench: build-packages
	cargo bench --workspace --locked

syscalls: build-packages
	@scripts/install-packages strace
	cargo build --release --locked -p benches --bin legs
	scripts/syscalls

asan: build-packages
	RUSTFLAGS="-Zsanitizer=address" $(SANITIZED) --target-dir target/asan $(REALTIME) -p offhook-net

# A call that may block, or an allocation, between the entry and the exit of a processor ends the test.
rtsan: build-packages
	RTSAN_OPTIONS=suppressions=$(CURDIR)/scripts/rtsan-suppressions \
	RUSTFLAGS="-Zsanitizer=realtime --cfg rtsan" $(SANITIZED) --target-dir target/rtsan -p offhook-engine -p offhook-net

# The standard library comes uninstrumented: what it orders by means other than atomics is not seen.
tsan: build-packages
	TSAN_OPTIONS=suppressions=$(CURDIR)/scripts/tsan-suppressions \
	RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
	  $(SANITIZED) --target-dir target/tsan $(REALTIME) -p offhook-net

clean:
	rm -rf out $(VENV)
	cargo clean
