"""Types are read by many threads, each of which may be the first."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import batchd

_AT_ONCE = """
import sys, threading
from msgspec import Struct
from batchd.text import typed

sys.setswitchinterval(1e-6)
fields = "".join(f"    f{number}: list[int] | None = None\\n" for number in range(20))
for _ in range(100):
    names = {"Struct": Struct, "__name__": "__main__"}
    exec(f"class Inner(Struct):\\n{fields}class Outer(Struct):\\n    g: Inner | None = None\\n{fields}", names)
    Outer, together, read = names["Outer"], threading.Barrier(4), []

    def work(number):
        together.wait()
        for _ in range(5):
            if number % 2:
                read.append(typed.decode(b'{"f19": [3], "g": {"f3": [4]}}', Outer))
            else:
                read.append(typed.convert({"f19": [3], "g": {"f3": [4]}}, Outer))

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 20 and all(each.f19 == [3] and each.g.f3 == [4] for each in read)
"""

BUILT_IN = {"dict", "list", "str", "int", "float", "bool", "object", "msgspec", "Raw", "None"}
ROOT = Path(batchd.__file__).parent


def test_a_type_may_be_read_for_the_first_time_by_several_threads() -> None:
    # Without the room between, msgspec ends the process with signal 11 (nearly each time).
    ended = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _AT_ONCE],
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_no_room_lets_threads_be_the_first_to_read_a_type() -> None:
    """Outside the sandbox types are read by `typed`; the sandbox looks through its own as it is imported."""
    found = [place for room in ROOT.rglob("*.py") if room != ROOT / "text/typed.py" for place in _untold(room)]
    assert found == []


def _untold(room: Path) -> Iterator[str]:
    tree = ast.parse(room.read_text("utf-8"))
    of_a_module = set(_read(tree.body, within=False)) if room.is_relative_to(ROOT / "sandbox") else set()
    for line, kind in sorted(set(_read([tree])) - of_a_module):
        if not _names(kind) <= BUILT_IN:
            yield f"{room}:{line} reads {kind} by msgspec itself; use batchd.text.typed"


def _read(nodes: list[ast.stmt] | list[ast.Module], *, within: bool = True) -> Iterator[tuple[int, str]]:
    """Where a type is read by msgspec itself, and which."""
    for node in nodes:
        if not within and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            name = ast.unparse(call.func)
            kinds = [each.value for each in call.keywords if each.arg == "type"]
            if name.endswith("msgspec.convert"):
                kinds += call.args[1:2]
            elif name.endswith(".Decoder"):
                kinds += call.args[:1]
            elif not name.startswith("msgspec."):
                continue
            yield from ((call.lineno, ast.unparse(kind)) for kind in kinds)


def _names(kind: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(kind)) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(ast.parse(kind)) if isinstance(node, ast.Attribute)
    }
