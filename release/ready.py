"""Says what stands in the way of a release: `python -m release.ready VERSION`."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from release.address import reserved

ROOT = Path(__file__).parents[1]


def obstacles(root: Path, version: str) -> list[str]:
    """Name all that has to be put right before a version can be released, in sentences."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    found = []
    if not re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?", version):
        found.append(f"{version!r} is no version: say which, as `make release VERSION=1.2.3`")
    elif project["version"] != version:
        found.append(f"pyproject.toml: version = {project['version']!r}, and {version} is to be released")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md: no heading `## [{version}] - YYYY-MM-DD` tells what is new")
    if changed := _git(root, "status", "--porcelain"):
        found.append(f"the tree is not clean: {changed.splitlines()[0].strip()}")
    if _git(root, "tag", "--list", f"v{version}"):
        found.append(f"v{version} is there already: a version is released once")
    found += [f"{each} is a reserved name, which leads nowhere: make address" for each in sorted(reserved(root))]
    return found


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout  # noqa: S603, S607  git, with words of ours


def main(version: str) -> int:
    """Tell obstacles."""
    found = obstacles(ROOT, version)
    print(*(f"release: {line}" for line in found), sep="\n", file=sys.stderr)  # noqa: T201  a command
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
