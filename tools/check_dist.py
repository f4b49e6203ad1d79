"""Check what is in the wheel and the sdist, and print their sizes: check_dist.py WHEELS SDISTS."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

MOST_WHEEL = 6_000_000
MOST_SDIST = 1 << 20
IN_WHEEL = re.compile(
    r"poolnd/[\w/]+\.pyi?$|poolnd/py\.typed$|poolnd/_core\.(abi3\.so|pyd)$"
    r"|poolnd-[^/]+\.dist-info/(METADATA|WHEEL|RECORD|licenses/LICENSE|sboms/.+)$"
)
IN_SDIST = re.compile(
    r"(PKG-INFO|LICENSE|README\.md|CHANGELOG\.md|Cargo\.(toml|lock)|pyproject\.toml"
    r"|(src|tests/rust|benches)/.+\.rs|python/.+\.(rs|toml|pyi?|typed))$"
)


def only(folder: Path, pattern: str) -> Path:
    """The one file of a kind that a folder should have."""
    found = list(folder.glob(pattern))
    assert len(found) == 1, f"{folder} should have one {pattern}, but has {found}"
    return found[0]


def check_names(names: list[str], allowed: re.Pattern[str], needed: list[str]) -> None:
    """Nothing but what is allowed, and all that is needed."""
    strange = [name for name in names if not allowed.match(name)]
    assert not strange, f"not meant to be shipped: {strange}"
    missing = [end for end in needed if not any(name.endswith(end) for name in names)]
    assert not missing, f"missing: {missing}"


def check_size(path: Path, most: int) -> None:
    """No larger than what is expected: something that does not belong there shows in the size."""
    size = path.stat().st_size
    print(f"{path.name}: {size / 1e6:.2f} MB")
    assert size <= most, f"{path.name} has {size} bytes, more than {most}"


def check_wheel(wheel: Path) -> None:
    """One wheel for CPython 3.11 and newer, whose tag says what its extension needs."""
    _, _, python, abi, tags = wheel.stem.split("-")
    assert (python, abi) == ("cp311", "abi3"), f"{wheel.name} is not an abi3 wheel of CPython 3.11"
    with zipfile.ZipFile(wheel) as archive:
        needed = ["poolnd/py.typed", "poolnd/_core.pyi", "licenses/LICENSE", "poolnd/__init__.py"]
        check_names(archive.namelist(), IN_WHEEL, needed)
    check_size(wheel, MOST_WHEEL)
    run("abi3audit", "--strict", "--summary", str(wheel))
    if "linux" in tags:
        assert "manylinux" in tags or "musllinux" in tags, f"{wheel.name} is for one machine only"
        shown = " ".join(run("auditwheel", "show", str(wheel)).split())
        honest = set(re.findall(r'"((?:many|musl)linux_\d+_\d+_\w+)"', shown))
        assert honest & set(tags.split(".")), f"{wheel.name} is consistent with {honest} only"


def check_sdist(sdist: Path) -> None:
    """All that a build needs, and nothing else."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    check_names(names, IN_SDIST, ["Cargo.lock", "src/lib.rs", "python/src/lib.rs", "LICENSE"])
    check_size(sdist, MOST_SDIST)


def run(tool: str, *arguments: str) -> str:
    """What a tool beside this Python prints; it must succeed."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    print(done.stdout + done.stderr, end="")
    assert done.returncode == 0, f"{tool} failed"
    return done.stdout


if __name__ == "__main__":
    check_wheel(only(Path(sys.argv[1]), "*.whl"))
    check_sdist(only(Path(sys.argv[2]), "*.tar.gz"))
