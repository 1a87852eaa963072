"""The map of the house, drawn from the first sentence of each room: `python -m tests.support.rooms`."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).parents[2] / "daemon" / "batchd"
MAP = HOUSE.parents[1] / "docs" / "internals.md"
_ROOM = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
_FOLDER = re.compile(r"^### `([\w/]+)/`$", re.MULTILINE)


def built() -> dict[str, list[str]]:
    """Name the rooms that there are, by folder."""
    found: dict[str, list[str]] = {}
    for path in sorted(HOUSE.rglob("*.py")):
        if path.name != "__init__.py":
            found.setdefault(str(path.parent.relative_to(HOUSE.parent)), []).append(path.stem)
    return found


def drawn() -> dict[str, list[str]]:
    """Name the rooms that the map has, by folder."""
    _, *parts = _FOLDER.split(MAP.read_text("utf-8"))
    return {folder: _ROOM.findall(text) for folder, text in zip(parts[::2], parts[1::2], strict=True)}


def _map() -> Iterator[str]:
    for folder, rooms in built().items():
        yield f"\n### `{folder}/`\n\n| room | is |\n|---|---|\n"
        for room in rooms:
            yield f"| `{room}` | {_about(HOUSE.parent / folder / f'{room}.py')} |\n"


def _about(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    sentence = re.split(r"(?<=\.)\s", " ".join(text.split("\n\n")[0].split()), maxsplit=1)[0]
    return sentence.rstrip(".")


if __name__ == "__main__":
    sys.stdout.write("".join(_map()).lstrip())
