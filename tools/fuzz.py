"""Build the fuzz targets and run each for a while: ``fuzz.py SECONDS [TARGET...]``.

SECONDS is the time of all targets together; with 0 they are only built. libFuzzer needs nothing
but flags of stable rustc here, those that ``cargo fuzz run --sanitizer none`` passes; so this runs
where cargo-fuzz is not installed. Inputs that found new paths stay in fuzz/corpus, those that
failed in fuzz/artifacts.
"""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).resolve().parent.parent / "fuzz"
BUILD = Path(os.environ.get("CARGO_TARGET_DIR", FUZZ / "target")).resolve()
FLAGS = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
]
LONGEST_INPUT = 256
SEEDS = 32
SLOWEST_INPUT_SECONDS = 10
MOST_MEMORY_MB = 2048


def targets() -> list[str]:
    """Name every target."""
    return sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))


def build() -> Path:
    """Build all targets; return the folder that they are in."""
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True)  # noqa: S607
    host = re.search(r"host: (\S+)", version.stdout)
    assert host, version.stdout
    # With --target, build scripts and procedural macros are spared the flags.
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--target", host[1]]
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(BUILD),
        "CARGO_ENCODED_RUSTFLAGS": "\x1f".join(FLAGS),
    }
    subprocess.run(command, cwd=FUZZ, env=environment, check=True)
    return BUILD / host[1] / "release"


def seed(corpus: Path) -> None:
    """Start from random bytes: libFuzzer would take long to get from none to enough."""
    corpus.mkdir(parents=True, exist_ok=True)
    generator = random.Random(7)  # noqa: S311 - not for secrets
    for number in range(SEEDS):
        (corpus / f"seed{number}").write_bytes(generator.randbytes(LONGEST_INPUT))


def run(program: Path, seconds: int) -> bool:
    """Run a target; print how many inputs it tried, and whether one failed."""
    name = program.name
    seed(FUZZ / "corpus" / name)
    artifacts = FUZZ / "artifacts" / name
    artifacts.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        "-len_control=0",
        f"-timeout={SLOWEST_INPUT_SECONDS}",
        f"-rss_limit_mb={MOST_MEMORY_MB}",
        "-print_final_stats=1",
        "-verbosity=1",
        f"-artifact_prefix={artifacts}/",
    ]
    command = [str(program), *options, str(FUZZ / "corpus" / name)]
    # A failed case is shrunk by libFuzzer, not by proptest, and its panic is a crash.
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    failed = result.returncode != 0
    found = re.findall(r"cov: (\d+)", result.stdout)
    count = re.search(r"number_of_executed_units: +(\d+)", result.stdout)
    executions = int(count[1]) if count else 0
    coverage = found[-1] if found else "?"
    print(f"{name:12}{executions:>12,} executions{seconds:>7} s   edges {coverage:>6}   "
          f"{'FAILED' if failed else 'no failure'}", flush=True)  # fmt: skip
    if failed:
        print("\n".join(result.stdout.splitlines()[-60:]))
    return not failed


def main() -> int:
    """Run what the command line asks for."""
    seconds, names = int(sys.argv[1]), sys.argv[2:] or targets()
    folder = build()
    if seconds == 0:
        return 0
    each = max(1, seconds // len(names))
    # All of them, also after one that failed.
    results = [run(folder / name, each) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
