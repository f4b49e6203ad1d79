"""The rival bench: ``make bench``, or ``make bench ARGS="--rows ResNet --libraries copy,torch"``.

A whole run writes docs/benchmarks.md and its chart; one that leaves anything out only prints its
table.
"""

import argparse
import sys
from math import inf
from pathlib import Path

import drawn
import problem
from reference import Reference
from rows import ROWS

BASE = "poolnd"
IMAGES = ["opencv", "skimage", "scipy"]
LIBRARIES = [BASE, "copy", "torch", "onednn", "onnxruntime", "openvino", *IMAGES, "jax", "numpy"]
DRAWN = 100
DOCS = Path(__file__).parents[2] / "docs"


def check() -> int:
    """Pool every row, and some drawn ones, once with poolnd, on small arrays, and compare."""
    from adapters import Unsupported
    from adapters import poolnd as adapter

    passed, failed = 0, 0
    absent: set[str] = set()
    for row in [*ROWS, *drawn.rows(DRAWN, seed=1)]:
        posed = problem.make(row.small())
        try:
            answers = adapter.answer(posed, adapter.build(posed)())
        except Unsupported:
            absent.add(row.function + " backward" * row.backward)
            continue
        if difference := Reference(posed).difference(answers):
            failed += 1
            print(f"{row.label}: {difference}")
        else:
            passed += 1
    for function in sorted(absent):
        print(f"not in poolnd yet: {function}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="", help="only rows whose label contains this text")
    parser.add_argument(
        "--libraries", default="", help=f"beside poolnd, some of {','.join(LIBRARIES[1:])}"
    )
    parser.add_argument("--rounds", type=int, default=9, help="turns of every library in a row")
    parser.add_argument("--draw", type=int, default=0, help="as many rows at random instead")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--check", action="store_true", help="no timing: is every row right?")
    return parser.parse_args()


def bench(chosen: argparse.Namespace) -> int:
    """Measure the rows and print the table; write the documents if nothing was left out."""
    from tqdm import tqdm

    import report
    from measure import Bench
    from poolnd._core import build_info

    libraries = {BASE, *chosen.libraries.split(",")} if chosen.libraries else LIBRARIES
    if unknown := set(libraries) - set(LIBRARIES):
        sys.exit(f"--libraries: no adapter for {', '.join(sorted(unknown))}")
    # The base goes first: the others' answers are compared with the first one's.
    libraries = sorted(libraries, key=LIBRARIES.index)
    rows = drawn.rows(chosen.draw, chosen.seed) if chosen.draw else ROWS
    rows = [row for row in rows if chosen.rows.lower() in row.label.lower()]
    rounds, seconds = (3, 0.02) if chosen.quick else (chosen.rounds, 0.1)

    runner, results = Bench(libraries), []
    try:
        with tqdm(rows, unit="row", dynamic_ncols=True) as progress:
            for row in progress:
                progress.set_description(row.label)
                results.append(runner.measure(row, rounds, seconds, progress.set_postfix_str))
    finally:
        runner.close()
    base, level = next(iter(runner.versions)), build_info()["instruction_set"]
    run = report.Run(results, runner.versions, runner.missing, base, rounds, level)
    if chosen.draw:  # what takes longest beside the others comes last
        results.sort(key=lambda row: min(run.ratios(row).values(), default=inf), reverse=True)
    print(report.table(run))
    print(report.notes(run), report.gaps(run), sep="\n\n")
    if not (chosen.rows or chosen.draw or chosen.libraries or chosen.quick):
        report.write(run, DOCS)
    return int(any(run.base in result.wrong for result in results))


if __name__ == "__main__":
    chosen = options()
    sys.exit(check() if chosen.check else bench(chosen))
