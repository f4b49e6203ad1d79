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

RUST := $(shell find Cargo.toml Cargo.lock src python/Cargo.toml python/src -name '*.rs' -o -name 'Cargo.*')
PACKAGE := $(shell find python/poolnd -name '*.py' -o -name '*.pyi' -o -name py.typed)
LINTED := python tests/python examples benches tools
# How long `make fuzz` runs, all targets together.
SECONDS := 1800
# Cases of each property under tools that slow everything down.
FEW_CASES := 12
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: help demo test bench fuzz sanitize memcheck fmt lint clean
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: begin $(STAMPS)/installed ## build and install poolnd, then take the tour
	@.venv/bin/python examples/tour.py

test: begin lint crate fuzz-short wheel-tests $(STAMPS)/sdist ## everything that CI runs
	$(STEP) end "make test"

bench: begin $(STAMPS)/bench ## time other libraries beside poolnd; options in ARGS="--quick"
	@.venv-bench/bin/python $(BENCH)/run.py $(ARGS)

fuzz: begin ## fuzz the core for SECONDS=1800; inputs are kept in fuzz/corpus
	@CARGO_TARGET_DIR=target/fuzz $(BASE) tools/fuzz.py $(SECONDS) $(TARGETS)

# The sanitizer comes with stable Rust, only its flag does not.
sanitize: begin ## the core's tests under AddressSanitizer
	$(STEP) run "cargo test, AddressSanitizer" env RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
		PROPTEST_CASES=$(FEW_CASES) cargo test --package poolnd --test core --target $(HOST) \
		--target-dir target/sanitize

# Valgrind knows no AVX-512 and says so to whom asks the processor: the tests do without.
memcheck: begin ## the core's tests under valgrind
	$(STEP) run "cargo test, valgrind" env PROPTEST_CASES=2 \
		CARGO_TARGET_$(shell echo $(HOST) | tr a-z- A-Z_)_RUNNER="valgrind --quiet --error-exitcode=9" \
		cargo test --package poolnd --test core --target $(HOST) --target-dir target/memcheck

fmt: $(STAMPS)/tools ## format the Rust and the Python
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	.venv/bin/ruff check --quiet --fix $(LINTED)
	.venv/bin/ruff format $(LINTED)

lint: begin $(STAMPS)/tools ## rustfmt, clippy, ruff, mypy
	$(STEP) run "cargo fmt --check" cargo fmt --all --check
	$(STEP) run "clippy" cargo clippy --workspace --all-targets -- -D warnings
	$(STEP) run "fuzz targets: cargo fmt --check" cargo fmt --manifest-path fuzz/Cargo.toml --check
	$(STEP) run "fuzz targets: clippy" cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target/fuzz \
		--locked -- -D warnings
	$(STEP) run "ruff format --check" .venv/bin/ruff format --check $(LINTED)
	$(STEP) run "ruff check" .venv/bin/ruff check $(LINTED)
	$(STEP) run "mypy --strict" .venv/bin/mypy

clean: ## remove everything that was built
	rm -rf target build .venv .venv-test .venv-sdist .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		fuzz/corpus fuzz/artifacts

# The parts of `make test`.

.PHONY: begin crate fuzz-short wheel-tests
begin:
	@test -n "$(BASE)" && sh tools/check-tools.sh
	$(STEP) begin

crate:
	$(STEP) run "cargo test" cargo test --package poolnd
	$(STEP) run "the crate depends on no Python" sh tools/forbid.sh 'pyo3|numpy' cargo tree --package poolnd
	$(STEP) run "the crate ships no Python" sh tools/forbid.sh '^python/|\.pyi?$$' \
		cargo package --package poolnd --allow-dirty --list
	$(STEP) run "cargo package" cargo package --package poolnd --allow-dirty

fuzz-short:
	$(STEP) run "fuzz targets, 3 seconds each" env CARGO_TARGET_DIR=target/fuzz $(BASE) tools/fuzz.py 24

wheel-tests: $(STAMPS)/installed $(STAMPS)/clean-install
	$(STEP) run "stubtest" env MYPYPATH=python .venv/bin/stubtest poolnd._core
	$(STEP) run "pytest" .venv-test/bin/python -m pytest --color=no
	$(STEP) run "a network learns digits" .venv/bin/python examples/train_digits.py
	$(STEP) run "benchmark rows, each once" .venv-test/bin/python $(BENCH)/run.py --check

# Environments and builds, each with a stamp.

$(STAMPS)/tools: requirements-dev.txt
	$(STEP) run "environment .venv" sh -c '$(BASE) -m venv --clear .venv && .venv/bin/$(PIP) -r $<'
	@touch $@

$(STAMPS)/wheel: $(RUST) $(PACKAGE) pyproject.toml README.md LICENSE $(STAMPS)/tools
	@rm -rf $(WHEELS)
	$(STEP) run "release wheel" .venv/bin/maturin build --release --out $(WHEELS)
	@touch $@

$(STAMPS)/installed: $(STAMPS)/wheel
	$(STEP) run "wheel into .venv" sh -c '.venv/bin/$(PIP) --force-reinstall --no-deps $(WHEELS)/*.whl'
	@touch $@

# Only what a user has, and what the tests import.
$(STAMPS)/clean-install: $(STAMPS)/wheel
	$(STEP) run "wheel into a clean environment" sh -c '$(BASE) -m venv --clear .venv-test && \
		.venv-test/bin/$(PIP) --constraint requirements-dev.txt $(WHEELS)/*.whl pytest hypothesis ml_dtypes'
	@touch $@

# As pip does it where no wheel fits, with the oldest NumPy that pyproject.toml admits. Unoptimised: what is
# tested is that the archive is complete.
$(STAMPS)/sdist: $(STAMPS)/wheel
	@rm -rf $(STAMPS)/sdists
	$(STEP) run "sdist" .venv/bin/maturin sdist --out $(STAMPS)/sdists
	$(STEP) run "sdist into a clean environment" env MATURIN_PEP517_ARGS="--profile dev" CARGO_PROFILE_DEV_OPT_LEVEL=0 \
		CARGO_TARGET_DIR=$(CURDIR)/target sh -c '$(BASE) -m venv --clear .venv-sdist && \
		.venv-sdist/bin/$(PIP) "numpy==1.26.*; python_version < \"3.13\"" $(STAMPS)/sdists/*.tar.gz'
	$(STEP) run "sdist imports" sh -c 'cd $(STAMPS) && $(CURDIR)/.venv-sdist/bin/python -c \
		"import poolnd; poolnd.show_config(); print(poolnd.nn.MaxPool2d(2)([[[1, 2], [3, 4]]]))"'
	@touch $@

# Each rival on its own: one that cannot be installed here must not keep the others out.
$(STAMPS)/rivals: $(BENCH)/requirements.txt
	$(STEP) run "environment .venv-bench" sh -c '$(BASE) -m venv --clear .venv-bench && \
		.venv-bench/bin/python $(BENCH)/install.py $<'
	@touch $@

$(STAMPS)/bench: $(STAMPS)/rivals $(STAMPS)/wheel
	$(STEP) run "wheel into .venv-bench" sh -c '.venv-bench/bin/$(PIP) --force-reinstall --no-deps $(WHEELS)/*.whl'
	@touch $@
