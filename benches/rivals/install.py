"""Install each line of a requirements file by itself: one that fails does not keep out the rest."""

import subprocess
import sys
from pathlib import Path


def main(requirements: Path) -> int:
    """Install with this interpreter's pip; fail only if nothing at all could be installed."""
    lines = [line.partition("#")[0].strip() for line in requirements.read_text().splitlines()]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", str(requirements)]
    installed = 0
    for line in filter(None, lines):
        done = subprocess.run([*pip, line], capture_output=True, text=True, check=False)
        installed += done.returncode == 0
        if done.returncode:
            print(f"not installed: {line}: {done.stderr.strip().splitlines()[-1]}")
    return int(installed == 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
