"""Write or check the table of crates that are compiled in: dependencies.py [--check] PAGE."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADING = """# Dependencies

What is compiled into the crate with all its features, and into the extension module, on any system;
what only tests and builds use is not here. `make fmt` writes this page from `Cargo.lock`.
`make deny` checks licences and sources, and known vulnerabilities where the network is.

| crate | version | licence | for |
|---|---|---|---|
"""

Package = dict[str, Any]


def metadata() -> Package:
    """What cargo knows of the workspace and its dependencies."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--all-features"]
    told: Package = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def linked(nodes: dict[str, Package], macros: set[str], root: str) -> set[str]:
    """The packages that end up in what `root` builds: no macros, no tests, no build scripts."""
    found: set[str] = set()
    todo = [root]
    while todo:
        here = todo.pop()
        found.add(here)
        for edge in nodes[here]["deps"]:
            normal = any(kind["kind"] is None for kind in edge["dep_kinds"])
            if normal and edge["pkg"] not in macros | found:
                todo.append(edge["pkg"])
    return found


def page() -> str:
    """The page as it should be."""
    told = metadata()
    packages = {package["id"]: package for package in told["packages"]}
    nodes = {node["id"]: node for node in told["resolve"]["nodes"]}
    macros = {
        package["id"]
        for package in told["packages"]
        if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    ids = {package["name"]: package["id"] for package in told["packages"] if not package["source"]}
    crate = linked(nodes, macros, ids["poolnd"])
    extension = linked(nodes, macros, ids["poolnd-python"])
    lines = []
    for one in sorted(crate | extension, key=lambda one: (packages[one]["name"], one)):
        package = packages[one]
        if package["source"]:
            used = "both" if one in crate else "extension"
            cells = [package["name"], package["version"], package["license"], used]
            lines.append(f"| {' | '.join(cells)} |")
    return HEADING + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or tell whether it is as it should be."""
    path = Path(arguments[-1])
    if arguments[0] != "--check":
        path.write_text(page(), encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == page():
        return 0
    print(f"{path} does not say what Cargo.lock does: run make fmt", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
