"""Unpack the files of an sdist: unpack.py ARCHIVE FOLDER.

Those that are as they were keep their time, so that what was compiled from them is kept too.
"""

import sys
import tarfile
from pathlib import Path


def files(archive: Path) -> dict[Path, bytes]:
    """What is in an archive, without the folder that all of it is in."""
    with tarfile.open(archive) as sdist:
        members = [(member, sdist.extractfile(member)) for member in sdist]
        return {
            Path(member.name.partition("/")[2]): content.read()
            for member, content in members
            if content
        }


def main(archive: Path, folder: Path) -> None:
    """Make the files of a folder those of the archive."""
    wanted = {folder / name: content for name, content in files(archive).items()}
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    for path, content in wanted.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
