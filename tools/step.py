"""Run one step of a Makefile verb: a line with its name and time, and its whole output if it fails.

``step.py run LABEL COMMAND...`` runs a command, ``step.py begin`` forgets earlier steps, and
``step.py end VERB`` closes with the number of steps and their total time.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path("target/make/logs")
TIMES = LOGS / "times"
# The closing lines of the test runners, which belong in the output of a run that went well too.
RESULT = re.compile(
    r"test result: |=+ .*\b(passed|failed|errors?)\b.* =+$|\d+ passed, \d+ failed"
    r"|hostile calls of "
)


def run(label: str, command: list[str]) -> int:
    """Run `command` with its output in a log file; return its exit status."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") + ".log")
    start = time.monotonic()
    with log.open("w") as output:
        status = wait(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), label)
    seconds = time.monotonic() - start
    for line in log.read_text(errors="replace").splitlines():
        if status or RESULT.match(line):
            print(line)
    print(f"  {label:<44} {seconds:7.1f} s" + ("  FAILED: " + shlex.join(command)) * bool(status))
    with TIMES.open("a") as times:
        times.write(f"{seconds}\n")
    return status


def wait(process: subprocess.Popen[bytes], label: str) -> int:
    """Wait for the end of `process`; at a terminal, show the seconds passing."""
    seconds = 0
    while True:
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            seconds += 1
            if sys.stdout.isatty():
                print(f"  {label:<44} {seconds:5} s", end="\r", flush=True)
        except KeyboardInterrupt:
            process.wait()
            raise SystemExit(130) from None


def main(arguments: list[str]) -> int:
    """Carry out one of the three verbs of this script."""
    verb, *rest = arguments
    if verb == "run":
        return run(rest[0], rest[1:])
    if verb == "begin":
        TIMES.unlink(missing_ok=True)
        return 0
    times = [float(line) for line in TIMES.read_text().split()]
    print(f"{rest[0]}: {len(times)} steps passed in {sum(times):.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
