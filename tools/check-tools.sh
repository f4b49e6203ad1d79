#!/bin/sh
# Say in one line each which tool of the Rust side is missing, and how to get it.
status=0
missing() {
    echo "missing: $1" >&2
    status=1
}

needed=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*"/\1/p' Cargo.toml)
found=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
if [ -z "$found" ] || ! cargo --version >/dev/null 2>&1; then
    missing "Rust 1.$needed or newer (cargo, rustc). Get it from https://rustup.rs: one command, no root"
elif [ "$found" -lt "$needed" ]; then
    missing "Rust 1.$needed or newer; this is 1.$found. Run: rustup update stable (https://rustup.rs)"
else
    cargo fmt --version >/dev/null 2>&1 || missing "rustfmt. Run: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || missing "clippy. Run: rustup component add clippy"
fi
command -v cc >/dev/null 2>&1 ||
    missing "a linker (cc). Debian, Ubuntu: sudo apt install gcc; macOS: xcode-select --install"
exit $status
