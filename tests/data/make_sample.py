"""Choose a small sample of the recorded cases: python make_sample.py RECORDED

RECORDED is a directory of cases-NAME.jsonl and cases-NAME.npz. The sample goes to
conformance/ beside this file, in the same format. The same cases give the same files.
"""

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]

SAMPLE = Path(__file__).parent / "conformance"
PER_FUNCTION = {"api": 1, "opinfo": 3, "sweep": 4, "grad": 2}
LARGEST = 600
"""Elements of the largest array of a case; few bytes, and still two or three vectors long."""


def arrays(value: Any) -> Iterator[Record]:
    """Every reference to a stored array in a record."""
    if isinstance(value, dict):
        if "at" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from arrays(part)


def size(reference: Record) -> int:
    return int(np.prod(reference["shape"], dtype=np.int64))


def is_small(record: Record) -> bool:
    text = json.dumps(record)
    return (
        all(size(reference) <= LARGEST for reference in arrays(record))
        and '"recipe"' not in text
        and '"pick"' not in text
    )


def kind(record: Record) -> tuple[str, ...]:
    """What a sample of a function should not have twice while another kind is left."""
    first = next(arrays(record), {})
    return (
        "error" if "error" in record else "answer",
        first.get("array", ""),
        first.get("layout", ""),
        str(len(record.get("expect", []))),
    )


def turn(record: Record) -> str:
    """A fixed order without meaning, so that no kind of case comes first."""
    return hashlib.sha256(record["id"].encode()).hexdigest()


def choose(records: list[Record], per_function: int) -> list[Record]:
    by_function = defaultdict(list)
    for record in sorted(filter(is_small, records), key=turn):
        by_function[record["function"]].append(record)
    chosen = []
    for candidates in by_function.values():
        first_of_kind = {kind(record): record for record in reversed(candidates)}
        kinds = list(first_of_kind.values())[::-1]
        rest = [record for record in candidates if record not in kinds]
        chosen += (kinds + rest)[:per_function]
    return sorted(chosen, key=records.index)


def pack(records: list[Record], stored: dict[str, Any]) -> dict[str, Any]:
    """Copy the arrays that the records refer to, equal ones once, and refer to the copies."""
    parts = defaultdict(list)
    places: dict[tuple[str, bytes], int] = {}
    lengths: dict[str, int] = defaultdict(int)
    for reference in (found for record in records for found in arrays(record)):
        name, start = reference["array"], reference["at"]
        values = stored[name][start : start + size(reference)]
        key = name, values.tobytes()
        if key not in places:
            places[key] = lengths[name]
            lengths[name] += len(values)
            parts[name].append(values)
        reference["at"] = places[key]
    return {name: np.concatenate(part) for name, part in sorted(parts.items())}


def main(recorded: Path) -> None:
    for name, per_function in PER_FUNCTION.items():
        with (recorded / f"cases-{name}.jsonl").open(encoding="utf-8") as lines:
            records = choose([json.loads(line) for line in lines], per_function)
        archive = recorded / f"cases-{name}.npz"
        if archive.exists():
            with np.load(archive) as stored:
                packed = pack(records, dict(stored))
            np.savez_compressed(SAMPLE / f"cases-{name}.npz", **packed)
        lines_out = (json.dumps(record, separators=(",", ":")) + "\n" for record in records)
        (SAMPLE / f"cases-{name}.jsonl").write_text("".join(lines_out), encoding="utf-8")
        print(f"{name}: {len(records)} cases")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
