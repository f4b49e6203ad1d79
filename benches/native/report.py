"""Put the times that criterion wrote into docs/benchmarks.md: report.py CRITERION_FOLDER."""

import datetime as dt
import json
import os
import platform
import re
import sys
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
MARKERS = "<!-- native benchmarks: begin -->", "<!-- native benchmarks: end -->"
RIVALS = {"burn": "burn-flex", "candle": "candle-core"}
HEADING = """## Rust libraries

`make bench-native` writes what follows. Each library pools the same array in one process, with its
own default of threads and the result included; answers are compared before anything is timed.
Libraries take turns in rounds: a time is the median of criterion's estimates, a ratio the median
of the ratios of each round. candle's pooling has no padding: where padding is needed, it pays for
zeros put around the planes.
"""


def problems(source: str) -> list[str]:
    """The names of the problems, in the order of src/lib.rs."""
    found = re.findall(r"problem\(Operator::(\w+), \[([\d, ]+)\], (\d+), (\d+), (\d+)\)", source)
    short = {"Max": "max", "Average": "avg"}
    return [
        f"{short[operator]} k{k}s{s}p{p} {shape.replace(', ', 'x')}"
        for operator, shape, k, s, p in found
    ]


def seconds(folder: Path, library: str) -> dict[int, float]:
    """By round, the median time of one call as criterion estimates it."""
    files = (folder / library).glob("*/new/estimates.json")
    estimates = {int(path.parts[-3]): json.loads(path.read_text()) for path in files}
    return {turn: one["median"]["point_estimate"] / 1e9 for turn, one in sorted(estimates.items())}


def row(name: str, folder: Path) -> str:
    """A line of the table: poolnd's time, and how many times as long the others take."""
    mine = seconds(folder, "poolnd")
    cells = [name, f"{median(mine.values()) * 1e3:.3g}"]
    for library in RIVALS:
        other = seconds(folder, library)
        cells.append(f"{median(other[turn] / mine[turn] for turn in mine):.1f}")
    return f"| {' | '.join(cells)} |"


def versions(lock: str) -> str:
    """The versions of the rivals, as benches/native/Cargo.lock has them."""
    pairs = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock))
    return ", ".join(f"{crate} {pairs[crate]}" for crate in ["poolnd", *RIVALS.values()])


def machine() -> str:
    """Processor, cores and system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    return f"{processor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def folder_name(name: str) -> str:
    """The folder that criterion gives a group."""
    return re.sub(r'[?"/\\*<>:|^]', "_", name)


def main(criterion: Path) -> None:
    """Write the section between its markers; at the end of the page if it has none yet."""
    source = (HERE / "src" / "lib.rs").read_text(encoding="utf-8")
    rows = [row(name, criterion / folder_name(name)) for name in problems(source)]
    table = ["| | poolnd ms | burn | candle |", "|---|---:|---:|---:|", *rows]
    today = f"{dt.date.today():%d %B %Y}. {machine()}."
    lock = (HERE / "Cargo.lock").read_text(encoding="utf-8")
    body = "\n\n".join([HEADING.rstrip(), f"{today} {versions(lock)}.", "\n".join(table)])
    begin, end = MARKERS
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    tail = rest.partition(end)[2] or "\n"
    PAGE.write_text(f"{head.rstrip()}\n\n{begin}\n\n{body}\n\n{end}{tail}", encoding="utf-8")
    print("\n".join(table))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
