"""Patterns followed step by step mean the same paths as one regular expression for the whole."""

import re

from batchd.text.globs import Globs, objection
from hypothesis import given
from hypothesis import strategies as st

names = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name not in {".", ".."})
paths = st.lists(names, min_size=1, max_size=5)
pieces = st.sampled_from(["*", "?", "a", "b", "[ab]", "."])
components = st.just("**") | st.lists(pieces, min_size=1, max_size=3).map("".join)
patterns = st.lists(components, min_size=1, max_size=5).map("/".join).filter(lambda pattern: not objection(pattern))

PIECES = {"*": "[^/]*", "?": "[^/]"}
HIDDEN = r"(?!\.)"


def meant(pattern: str, path: list[str]) -> bool:
    globs = Globs([pattern])
    steps = globs.begin()
    for folder in path[:-1]:
        steps = globs.enter(steps, folder)
    return bool(globs.meant(steps, path[-1]))


def whole(pattern: str) -> re.Pattern[str]:
    parts = [part for part in pattern.split("/") if part != "."]
    told = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            told.append(f"(?:{HIDDEN}[^/]+/)*" + (f"{HIDDEN}[^/]+" if last else ""))
        else:
            text = "".join(PIECES.get(piece, piece if piece[0] == "[" else re.escape(piece)) for piece in tokens(part))
            told.append(("" if part.startswith(".") else HIDDEN) + text + ("" if last else "/"))
    return re.compile("".join(told))


def tokens(part: str) -> list[str]:
    return re.findall(r"\[ab\]|.", part)


@given(patterns, paths)
def test_a_walk_finds_what_the_whole_pattern_means(pattern: str, path: list[str]) -> None:
    assert meant(pattern, path) == bool(whole(pattern).fullmatch("/".join(path)))


@given(st.lists(patterns, min_size=1, max_size=4), paths)
def test_patterns_do_not_disturb_each_other(wanted: list[str], path: list[str]) -> None:
    globs = Globs(wanted)
    steps = globs.begin()
    for folder in path[:-1]:
        steps = globs.enter(steps, folder)
    assert globs.meant(steps, path[-1]) == {n for n, pattern in enumerate(wanted) if meant(pattern, path)}


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_has_an_objection(text: str) -> None:
    if not objection(text):
        Globs([text]).begin()
