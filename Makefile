# The verbs of this project: `make help` lists them. Each makes the environments it needs, builds, installs
# and runs. What was built is kept while its sources stay as they are; checks run every time.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:

export PATH := $(PATH):$(HOME)/.cargo/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX

# `make PYTHON=/path/to/python3.12 ...` chooses the interpreter; otherwise the first good one is taken.
BASE := $(if $(filter-out help clean,$(or $(MAKECMDGOALS),help)),$(shell PYTHON='$(PYTHON)' sh tools/find-python.sh))
# Every cargo command must see the same interpreter, or PyO3 is compiled anew between them.
export PYO3_PYTHON := $(CURDIR)/.venv/bin/python

STAMPS := target/make
WHEELS := $(STAMPS)/wheels
STEP := @$(BASE) tools/step.py
PIP := python -m pip install --quiet
BENCH := benches/rivals
# Programs outside of the workspace build in folders of their own.
NATIVE := CARGO_TARGET_DIR=$(CURDIR)/target/native
OUTSIDE := examples/native benches/native fuzz
CARGO_DENY := 0.20.2

RUST := $(shell find Cargo.toml Cargo.lock src python/Cargo.toml python/src -name '*.rs' -o -name 'Cargo.*')
PACKAGE := $(shell find python/poolnd -name '*.py' -o -name '*.pyi' -o -name py.typed)
LINTED := python tests/python examples benches tools
# How long `make fuzz` runs, all targets together.
SECONDS := 1800
# Cases of each property under tools that slow everything down.
FEW_CASES := 12
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: help demo native test bench ratios bench-native dist deny baseline fuzz sanitize memcheck fmt lint clean
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: begin $(STAMPS)/installed ## build and install poolnd, then take the tour
	@.venv/bin/python examples/tour.py

native: begin $(STAMPS)/tools ## run the native example: pyramids of a picture, in target/native/pyramids
	$(STEP) run "native example, its tests" env $(NATIVE) cargo test --quiet --manifest-path examples/native/Cargo.toml
	$(STEP) run "native example" sh -c '$(NATIVE) cargo run --quiet --manifest-path examples/native/Cargo.toml -- \
		"$${PICTURE:-$$(.venv/bin/python tools/sample_picture.py)}" target/native/pyramids'

test: begin lint builds crate native wheel-tests dist ## everything that CI runs
	$(STEP) end "make test"

bench: begin $(STAMPS)/bench ## time other libraries beside poolnd; options in ARGS="--quick"
	@.venv-bench/bin/python $(BENCH)/run.py $(ARGS)

ratios: begin $(STAMPS)/installed ## what threads, small types, window sizes and layouts cost beside one another
	@.venv/bin/python benches/ratios.py

fuzz: begin ## fuzz the core for SECONDS=1800; inputs are kept in fuzz/corpus
	@CARGO_TARGET_DIR=target/fuzz $(BASE) tools/fuzz.py $(SECONDS) $(TARGETS)

# The sanitizer comes with stable Rust, only its flag does not.
sanitize: begin ## the core's tests under AddressSanitizer
	$(STEP) run "cargo test, AddressSanitizer" env RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address ASAN_OPTIONS=allocator_may_return_null=1 \
		PROPTEST_CASES=$(FEW_CASES) cargo test --package poolnd --test core --target $(HOST) \
		--target-dir target/sanitize

# Valgrind knows no AVX-512 and says so to whom asks the processor: the tests do without.
memcheck: begin ## the core's tests under valgrind
	$(STEP) run "cargo test, valgrind" env PROPTEST_CASES=2 \
		CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER="valgrind --quiet --error-exitcode=9" \
		cargo test --package poolnd --test core --target $(HOST) --target-dir target/memcheck

bench-native: begin ## time other Rust libraries beside the crate
	$(STEP) run "native benchmarks" env $(NATIVE)-benches cargo bench --manifest-path benches/native/Cargo.toml
	$(STEP) run "their table" $(BASE) benches/native/report.py target/native-benches/criterion

dist: begin $(STAMPS)/oldest ## build wheel and sdist, and check what is in them
	$(STEP) run "twine check" .venv/bin/twine check --strict $(WHEELS)/*.whl $(STAMPS)/sdists/*.tar.gz
	$(STEP) run "what is in wheel and sdist" .venv/bin/python tools/check_dist.py $(WHEELS) $(STAMPS)/sdists

# The advisories are fetched from the network: make deny CHECKS="advisories licenses bans sources"
CHECKS := licenses bans sources
deny: begin $(STAMPS)/cargo-deny-$(CARGO_DENY) ## check licences and sources of dependencies
	$(STEP) run "cargo deny" $(STAMPS)/cargo/bin/cargo-deny --workspace check $(CHECKS)
	$(STEP) run "cargo deny, native example" $(STAMPS)/cargo/bin/cargo-deny \
		--manifest-path examples/native/Cargo.toml --config deny.toml check $(CHECKS)

baseline: begin $(STAMPS)/wheel ## run the wheel on an emulated x86-64 without extensions (needs qemu-x86_64)
	$(STEP) run "wheel on a plain x86-64" sh tools/baseline.sh $(BASE) $(WHEELS)/*.whl

fmt: $(STAMPS)/tools ## format the Rust and the Python
	cargo fmt --all
	for project in $(OUTSIDE); do cargo fmt --manifest-path $$project/Cargo.toml || exit 1; done
	$(BASE) tools/dependencies.py docs/dependencies.md
	.venv/bin/ruff check --quiet --fix $(LINTED)
	.venv/bin/ruff format $(LINTED)

lint: begin $(STAMPS)/tools ## rustfmt, clippy, ruff, mypy, actionlint, zizmor
	$(STEP) run "cargo fmt --check" sh -c 'cargo fmt --all --check && for project in $(OUTSIDE); do \
		cargo fmt --check --manifest-path $$project/Cargo.toml || exit 1; done'
	$(STEP) run "clippy" cargo clippy --workspace --all-targets --all-features -- -D warnings
	$(STEP) run "clippy, native example" env $(NATIVE) cargo clippy --quiet --all-targets \
		--manifest-path examples/native/Cargo.toml -- -D warnings
	$(STEP) run "fuzz targets: clippy" cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz \
		--locked -- -D warnings
	$(STEP) run "ruff format --check" .venv/bin/ruff format --check $(LINTED)
	$(STEP) run "ruff check" .venv/bin/ruff check $(LINTED)
	$(STEP) run "mypy --strict" .venv/bin/mypy
	$(STEP) run "docs/dependencies.md" $(BASE) tools/dependencies.py --check docs/dependencies.md
	$(STEP) run "actionlint" .venv/bin/actionlint .github/workflows/ci.yml .github/workflows/release.yml
	$(STEP) run "zizmor" .venv/bin/zizmor --offline --no-progress --persona pedantic .github

clean: ## remove everything that was built
	rm -rf target build .venv .venv-test .venv-oldest .venv-baseline .venv-bench \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis fuzz/corpus fuzz/artifacts

# The parts of `make test`.

.PHONY: begin builds crate wheel-tests
begin:
	@test -n "$(BASE)" && sh tools/check-tools.sh
	$(STEP) begin

# Half of a build is one thread of the compiler: both together take little longer than the longer one.
builds: $(STAMPS)/sdist
	$(STEP) run "compile tests and wheel" sh tools/at_once.sh \
		"cargo test --quiet --package poolnd --all-features --no-run" "$(BUILD_WHEEL)"

crate:
	$(STEP) run "cargo test" cargo test --package poolnd --all-features
	$(STEP) run "clippy without features" cargo clippy --package poolnd --no-default-features --tests -- -D warnings
	$(STEP) run "cargo doc" env RUSTDOCFLAGS="-D warnings" cargo doc --package poolnd --all-features --no-deps
	$(STEP) run "the crate depends on no Python" sh tools/forbid.sh 'pyo3|numpy' cargo tree --package poolnd
	$(STEP) run "the crate ships neither Python nor examples" sh tools/forbid.sh '^(python|examples)/|/native/|\.pyi?$$' \
		cargo package --package poolnd --allow-dirty --list
	$(STEP) run "cargo publish --dry-run" cargo publish --dry-run --package poolnd --allow-dirty

wheel-tests: $(STAMPS)/installed $(STAMPS)/clean-install
	$(STEP) run "stubtest" env MYPYPATH=python .venv/bin/stubtest poolnd._core
	$(STEP) run "pytest" .venv-test/bin/python -m pytest --color=no --numprocesses=auto
	$(STEP) run "a network learns digits" .venv/bin/python examples/train_digits.py
	$(STEP) run "benchmark rows, each once" .venv-test/bin/python $(BENCH)/run.py --check

# Environments and builds, each with a stamp.

$(STAMPS)/tools: requirements-dev.txt
	$(STEP) run "environment .venv" sh -c '$(BASE) -m venv --clear .venv && .venv/bin/$(PIP) -r $<'
	@touch $@

$(STAMPS)/sdist: $(RUST) $(PACKAGE) pyproject.toml README.md LICENSE $(STAMPS)/tools
	@rm -rf $(STAMPS)/sdists
	$(STEP) run "sdist" .venv/bin/maturin sdist --out $(STAMPS)/sdists
	$(STEP) run "its sources" $(BASE) tools/unpack.py $(STAMPS)/sdists/*.tar.gz $(STAMPS)/source
	@touch $@

# From what is in the sdist: nothing that a build needs is missing there.
BUILD_WHEEL := cd $(STAMPS)/source && CARGO_TARGET_DIR=$(CURDIR)/target $(CURDIR)/.venv/bin/maturin build \
	--quiet --release --compression-level 9 --out $(CURDIR)/$(WHEELS)

$(STAMPS)/wheel: $(STAMPS)/sdist
	@rm -rf $(WHEELS)
	$(STEP) run "release wheel" sh -c '$(BUILD_WHEEL)'
	@touch $@

$(STAMPS)/installed: $(STAMPS)/wheel
	$(STEP) run "wheel into .venv" sh -c '.venv/bin/$(PIP) --force-reinstall --no-deps $(WHEELS)/*.whl'
	@touch $@

# Only what a user has, and what the tests import.
$(STAMPS)/clean-install: $(STAMPS)/wheel
	$(STEP) run "wheel into a clean environment" sh -c '$(BASE) -m venv --clear .venv-test && \
		.venv-test/bin/$(PIP) --constraint requirements-dev.txt $(WHEELS)/*.whl pytest pytest-xdist hypothesis ml_dtypes'
	@touch $@

# The oldest NumPy that pyproject.toml admits; and what pip asks an sdist before it builds it.
$(STAMPS)/oldest: $(STAMPS)/wheel
	$(STEP) run "wheel beside the oldest NumPy" sh -c '$(BASE) -m venv --clear .venv-oldest && \
		.venv-oldest/bin/$(PIP) "numpy==1.26.*; python_version < \"3.13\"" $(WHEELS)/*.whl'
	$(STEP) run "it imports" sh -c 'cd $(STAMPS) && $(CURDIR)/.venv-oldest/bin/python -c \
		"import poolnd; poolnd.show_config(); print(poolnd.nn.MaxPool2d(2)([[[1, 2], [3, 4]]]))"'
	$(STEP) run "pip reads the sdist" .venv-oldest/bin/$(PIP) --dry-run --no-deps --ignore-installed $(STAMPS)/sdists/*.tar.gz
	@touch $@

# Hardly optimised, so that it is built soon: it reads a few files.
$(STAMPS)/cargo-deny-$(CARGO_DENY):
	$(STEP) run "cargo-deny" env CARGO_TARGET_DIR=$(CURDIR)/target/cargo-deny CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo install --quiet --locked --root $(STAMPS)/cargo cargo-deny@$(CARGO_DENY)
	@touch $@

# Each rival on its own: one that cannot be installed here must not keep the others out.
$(STAMPS)/rivals: $(BENCH)/requirements.txt
	$(STEP) run "environment .venv-bench" sh -c '$(BASE) -m venv --clear .venv-bench && \
		.venv-bench/bin/python $(BENCH)/install.py $<'
	@touch $@

$(STAMPS)/bench: $(STAMPS)/rivals $(STAMPS)/wheel
	$(STEP) run "wheel into .venv-bench" sh -c '.venv-bench/bin/$(PIP) --force-reinstall --no-deps $(WHEELS)/*.whl'
	@touch $@
