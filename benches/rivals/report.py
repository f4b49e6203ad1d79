"""The table and the chart of a run, for the terminal and for docs/benchmarks.md."""

import datetime as dt
import os
import platform
import subprocess
from collections import Counter
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from measure import Result

COPY = "copy"


@dataclass
class Run:
    """What a run measured, and with what."""

    results: list[Result]
    versions: dict[str, str]
    missing: dict[str, str]
    base: str
    rounds: int
    instruction_set: str
    """What the base used."""

    @property
    def rivals(self) -> list[str]:
        """The libraries that the base is compared with."""
        return [name for name in self.versions if name not in (self.base, COPY)]

    def ratios(self, result: Result) -> dict[str, float]:
        """How many times as long as the base each rival takes."""
        found = {name: result.ratio(name, self.base) for name in self.rivals}
        return {name: ratio for name, ratio in found.items() if ratio is not None}


def table(run: Run) -> str:
    """Every row as a line of Markdown; the fastest rival in bold."""
    heads = ["row", "shape", f"{run.base} ms", "copies", *run.rivals]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * (len(heads) - 2)]
    for result in run.results:
        shape = "x".join(map(str, result.row.shape))
        name = f"{result.row.label} ({result.row.operator.removesuffix('_pool')})"
        lines.append("| " + " | ".join([name, shape, *cells(run, result)]) + " |")
    return "\n".join(lines)


def cells(run: Run, result: Result) -> list[str]:
    """Time, copies, and the ratio of each rival."""
    if run.base not in result.seconds:
        why = result.wrong.get(run.base) or result.lacks.get(run.base, "")
        return [why, *[""] * (len(run.rivals) + 1)]
    ratios = run.ratios(result)
    fastest = min(ratios.values(), default=None)
    copies = result.ratio(run.base, COPY)
    row = [f"{result.milliseconds(run.base):.3g}", "" if copies is None else f"{copies:.2f}"]
    for name in run.rivals:
        text = "wrong" if name in result.wrong else "-"
        if name in ratios:
            text = f"{ratios[name]:.1f}" if ratios[name] < 100 else f"{ratios[name]:.0f}"
            text = f"**{text}**" if ratios[name] == fastest else text
        row.append(text)
    return row


def geomean(values: list[float]) -> float:
    """The geometric mean."""
    return exp(sum(map(log, values)) / len(values))


def notes(run: Run) -> str:
    """What the columns mean together, and who could not take part."""
    lines = []
    best = [min(ratios.values()) for ratios in map(run.ratios, run.results) if ratios]
    if best:
        won = sum(ratio >= 1 for ratio in best)
        lines.append(
            f"{run.base} is {geomean(best):.2f} times as fast as the fastest rival of each row"
            f" (geometric mean), and faster than every rival in {won} of {len(best)} rows."
        )
    for name in run.rivals:
        mine = [ratios[name] for ratios in map(run.ratios, run.results) if name in ratios]
        took = f"takes {geomean(mine):.1f} times as long" if mine else "took part in none"
        lines.append(f"{name}: {took} ({len(mine)} of {len(run.results)} rows).")
    lines += [f"Not installed: {name} ({why})." for name, why in run.missing.items()]
    return "\n".join(f"- {line}" for line in lines)


def gaps(run: Run) -> str:
    """Why a library has no figure in a row: it lacks something, or its answer was wrong."""
    lines = []
    for name in run.versions:
        lacks = Counter(r.lacks[name] for r in run.results if name in r.lacks)
        reasons = [f"{why} ({count})" for why, count in lacks.items()]
        reasons += [
            f"wrong in {r.row.label}: {r.wrong[name]}" for r in run.results if name in r.wrong
        ]
        if reasons:
            lines.append(f"- {name}: {'; '.join(reasons)}.")
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores, system and interpreter."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        first = {name.strip(): value.strip() for name, _, value in reversed(list(lines))}
        # Vendors call processors of several generations by one name.
        family = [f"{name} {first[name]}" for name in ("cpu family", "model") if name in first]
        cpu = first.get("model name", cpu) + (f" ({', '.join(family)})" if family else "")
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} cores, {system}"


def commit(root: Path) -> str:
    """The commit that was measured, and whether code differed from it; nothing outside a clone."""
    asked = [["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "src", "python"]]
    commands = [["git", "-C", str(root), *what] for what in asked]
    try:
        found, changes = (
            subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" Commit {found}{', changed' if changes else ''}."


def write(run: Run, docs: Path) -> None:
    """Put the run into its instruction set's part of docs/benchmarks.md, and draw its chart."""
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    drawing = f"benchmarks-{run.instruction_set}.svg"
    body = "\n\n".join(
        [
            f"## With {run.instruction_set}",
            f"{dt.date.today():%d %B %Y}. {machine()}.",
            f"{versions}. {run.rounds} rounds.{commit(docs.parent)}",
            notes(run),
            f"![How many times as long as {run.base} each library takes]({drawing})",
            table(run),
            "Rows without a figure, and how many of them:",
            gaps(run),
        ]
    )
    page = docs / "benchmarks.md"
    begin, end = (f"<!-- {run.instruction_set}: {edge} -->" for edge in ("begin", "end"))
    text = page.read_text()
    if begin not in text:
        text += f"\n{begin}{end}\n"
    head, _, rest = text.partition(begin)
    page.write_text(f"{head}{begin}\n\n{body}\n\n{end}{rest.partition(end)[2]}")
    chart(run, docs / drawing)


def chart(run: Run, path: Path) -> None:
    """Draw a line per row, logarithmic: the base at 1, a dot for every rival, a bar for a copy."""
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "poolnd"
    rows = [result for result in run.results if run.base in result.seconds]
    figure = Figure(figsize=(9, 1.5 + 0.21 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(1, color="black", linewidth=1.5)
    colors = mpl.colormaps["tab10"]
    for number, name in enumerate(run.rivals):
        dots = [(run.ratios(result).get(name), y) for y, result in enumerate(rows)]
        points = [dot for dot in dots if dot[0] is not None]
        if points:
            axes.scatter(
                *zip(*points, strict=True), s=22, color=colors(number), label=name, zorder=3
            )
    floors = [(result.ratio(COPY, run.base), y) for y, result in enumerate(rows)]
    if marks := [mark for mark in floors if mark[0] is not None]:
        style = {"marker": "|", "s": 70, "color": "black", "label": "copy of the same bytes"}
        axes.scatter(*zip(*marks, strict=True), **style)
    names = [f"{r.row.label} ({r.row.operator.removesuffix('_pool')})" for r in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"time of one call in calls of {run.base}: right of the line is slower")
    axes.grid(axis="x", which="both", linewidth=0.3)
    axes.grid(axis="y", linewidth=0.3)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, 1 + 3 / (len(rows) + 6)), ncols=6, fontsize=7
    )
    figure.savefig(path, metadata={"Date": None})
