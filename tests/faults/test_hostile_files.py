"""Job files that mean harm, or were saved by something that did not know better: an error with line and field, soon.

The small ones are kept in `tests/data/nasty/`; large ones are made here as they are read.
"""

import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import pytest
from batchd.decisions.jobfile.reader import SUFFIXES, Rules, Said, read
from batchd.model import Entry, Problem
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import assert_linear, effort
from tests.support.house import House

NASTY = Path(__file__).parents[1] / "data" / "nasty"
HI = '"messages":[{"role":"user","content":"What do bees eat?"}]'
LONGEST_MESSAGE = 500
LONGEST_FIELD = 14_000
"""Characters: 200 levels of names, each of which is cut."""

EXPECTED: dict[str, int | list[tuple[int, str]]] = {
    "beta_injection.jsonl": [(1, "betas[0]")],
    "blank.jsonl": [(0, "")],
    "blank.md": [(1, "")],
    "bom.json": 1,
    "bom.jsonl": 1,
    "bom.md": 1,
    "bom_twice.jsonl": [(1, "")],
    "bom_within.jsonl": [(2, "")],
    "carriage_returns.jsonl": [(1, "")],
    "case_ids.jsonl": 11,
    "commas.json": [(2, "")],
    "comments.json": [(1, "")],
    "cut_off.json": [(2, "")],
    "cut_off.jsonl": [(2, "")],
    "deep.json": [(1, "")],
    "deep.jsonl": [(2, "")],
    "deep_objects.jsonl": [(1, "")],
    "deep_unclosed.json": [(1, "")],
    "digits.jsonl": [
        (1, "params.max_tokens"),
        (2, "params.max_tokens"),
        (3, "params.max_tokens"),
        (4, "params.max_tokens"),
    ],
    "duplicate_ids.jsonl": [(3, "custom_id"), (4, "custom_id")],
    "duplicate_keys.json": [(2, "requests"), (4, "job")],
    "duplicate_keys.jsonl": [(1, "custom_id"), (2, "params.messages"), (3, "params.messages[0].role")],
    "empty.json": [(1, "")],
    "empty.jsonl": [(0, "")],
    "empty.md": [(1, "")],
    "front_attach.md": [(1, f"attach[{number}]") for number in range(6)],
    "front_binary.md": [(2, "")],
    "front_bomb.md": [(2, "")],
    "front_colon.md": [(2, "")],
    "front_control.md": [(1, "")],
    "front_date.md": [(1, "model")],
    "front_deep.md": [(2, "")],
    "front_deep_blocks.md": [(52, "")],
    "front_digits.md": [(1, "")],
    "front_directive.md": [(2, "")],
    "front_documents.md": [(4, "")],
    "front_float.md": [(1, "params.context_management.x"), (1, "params.context_management.y")],
    "front_keys.md": [(2, "")],
    "front_list.md": [(1, "")],
    "front_merge.md": 1,
    "front_never_closed.md": [(1, "")],
    "front_octal.md": [(1, "max_tokens"), (1, "params.x"), (1, "params.y"), (1, "params.z")],
    "front_only.md": [(4, "")],
    "front_surrogate.md": [(2, "")],
    "front_tabs.md": [(2, "")],
    "front_tag.md": [(2, "")],
    "front_twice.md": [(3, "")],
    "gzip.json": [(1, "")],
    "huge_ids.jsonl": [(2, "custom_id"), (4, "custom_id")],
    "job_hostile.jsonl": [
        (1, "job.model"),
        (1, "job.betas[0]"),
        (1, "job.documents"),
        (1, "job.inbox"),
        (1, "job.params.messages"),
        (1, "job.params.stream"),
    ],
    "job_not_first.jsonl": [(2, "custom_id"), (2, "job")],
    "key_as_field.json": [
        (1, '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"'),
        (1, '"\\u202e\\n\\u001b[2J"'),
        (1, "messages"),
    ],
    "latin1.jsonl": [(2, "")],
    "line_separators.jsonl": 3,
    "line_separators.md": 1,
    "no_requests.json": [(0, "")],
    "no_suffix": [(0, "")],
    "not_numbers.jsonl": [
        (1, "params.max_tokens"),
        (2, "params.context_management.x[0]"),
        (2, "params.context_management.x[1]"),
    ],
    "nul_bytes.jsonl": [(2, ""), (4, "")],
    "nul_bytes.md": 1,
    "nul_bytes_in_front.md": [(1, "")],
    "only_mark.md": [(1, "")],
    "path_ids.jsonl": 20,
    "requests_object.json": [(1, "requests")],
    "rule_as_first_line.md": [(1, "")],
    "single_quotes.json": [(1, "")],
    "strange_types.jsonl": [
        (1, ""),
        (2, ""),
        (3, ""),
        (4, ""),
        (5, ""),
        (6, "custom_id"),
        (6, "params.messages"),
        (7, ""),
        (8, "custom_id"),
        (9, "custom_id"),
        (10, "custom_id"),
        (11, "params"),
        (12, "params"),
    ],
    "surrogate_bytes.jsonl": [(1, "")],
    "surrogates.jsonl": [(1, "custom_id"), (2, "params.messages[0].content"), (4, 'params."\\ud800"')],
    "trailing.json": [(2, "")],
    "trailing.jsonl": [(1, ""), (2, ""), (3, "")],
    "unknown.csv": [(0, "")],
    "utf16.jsonl": [(0, "")],
    "utf16.md": [(0, "")],
    "utf16_without_mark.json": [(0, "")],
    "many_errors.jsonl": [(1, "")],
}
"""Of each file: how many requests it has, or line and field of everything that is wrong with it."""


def said(data: Iterable[bytes], name: str) -> Iterator[Said]:
    path = Path(name)
    return read(lambda: data, path.suffix, path.stem, Rules())


def places(found: Iterable[Said]) -> list[tuple[int, str]]:
    return [(each.line, each.field) for each in found if isinstance(each, Problem)]


def assert_fit_to_be_shown(found: Iterable[Said]) -> None:
    for each in found:
        if isinstance(each, Problem):
            assert each.message.isprintable()
            assert len(each.message) <= LONGEST_MESSAGE
            assert each.field.isprintable()
            assert len(each.field) <= LONGEST_FIELD
            f"{each.field}{each.message}".encode()


def test_every_kept_file_is_expected_to_be_something() -> None:
    assert {path.name for path in NASTY.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_nasty_file_has_its_errors_at_line_and_field_or_is_taken(name: str) -> None:
    found = list(said([(NASTY / name).read_bytes()], name))
    assert (places(found) or sum(isinstance(each, Entry) for each in found)) == EXPECTED[name]
    assert_fit_to_be_shown(found)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_nasty_file_costs_no_more_effort_than_its_size_asks(name: str) -> None:
    data = (NASTY / name).read_bytes()
    assert effort(lambda: list(said([data], name))) < 60


@pytest.mark.anyio
async def test_the_daemon_takes_or_refuses_each_nasty_file_and_does_a_good_one_beside_them(home: House) -> None:
    for name in EXPECTED:
        (home.inbox / name).write_bytes((NASTY / name).read_bytes())
    home.drop("zz.jsonl", ["good"])
    assert not await home.run()
    assert home.results("zz") == {"r0": "succeeded"}
    refused = {name for name, expected in EXPECTED.items() if not isinstance(expected, int)}
    for name in refused:
        reasons = json.loads((home.outbox / "rejected" / f"{name}.errors.json").read_text("utf-8"))
        told = [(error["line"], error["field"]) for error in reasons["errors"]]
        assert reasons["count"] == len(EXPECTED[name])  # type: ignore[arg-type]  # a list, of the refused ones
        assert told == EXPECTED[name][:1_000]  # type: ignore[index]  # same
        assert (home.outbox / "rejected" / name).read_bytes() == (NASTY / name).read_bytes()
    jobs = [json.loads(path.read_text("utf-8")) for path in home.outbox.glob("*/job.json")]
    assert {job["source"] for job in jobs} == EXPECTED.keys() - refused | {"zz.jsonl"}
    for job in jobs:
        lines = (home.outbox / job["job"] / "report.jsonl").read_text("utf-8").splitlines()
        documents = [json.loads(line)["document"] for line in lines]
        folder = home.outbox / job["job"]
        assert sorted(path.name for path in (folder / "documents").iterdir()) == sorted(
            Path(document).name for document in documents
        )
    assert not (home.place / "etc").exists()


# --- large ones, in a memory that does not grow with them -------------------------------------------------------------

PIECE = 1 << 16
MANY = 320
"""Pieces: 20 MB."""
TIGHT = Rules(max_request_bytes=1_000_000, max_requests=20_000)
ROOM = 16_000_000
"""Bytes, for requests of 1 MB at the most and a thousand errors, in files of 20 MB and more."""


def large(head: str, piece: bytes, tail: str = "") -> Callable[[], Iterator[bytes]]:
    whole = piece * max(PIECE // len(piece), 1)
    return lambda: chain([head.encode()], repeat(whole, MANY), [tail.encode()])


LARGE: dict[str, tuple[str, Callable[[], Iterator[bytes]], tuple[int, str]]] = {
    "a line without end": ("a.jsonl", large("", b"x"), (1, "")),
    "a text without end": ("a.jsonl", large('{"custom_id":"', b"x"), (1, "")),
    "zeros": ("a.jsonl", large("", b"\0"), (1, "")),
    "nothing but lines": ("a.jsonl", large("", b"\n"), (200_001, "")),
    "nothing but errors": ("a.jsonl", large("", b"{\n"), (1, "")),
    "nothing but flawed elements": ("a.json", large('{"requests":[{}', b',{"a":1,"a":1}', "]}"), (1, "custom_id")),
    "names without end": ("a.jsonl", large("", b'{"' + b"x" * 900_000 + b'":1}\n'), (1, "custom_id")),
    "a document of blanks": ("a.json", large("", b" "), (1, "")),
    "a text in a document": ("a.json", large('{"requests":[{"custom_id":"', b"x"), (1, "")),
    "brackets": ("a.json", large('{"requests":[', b"["), (1, "")),
    "elements that are nothing": ("a.json", large('{"requests":[0', b",0", "]}"), (1, "")),
    "a job without end": ("a.json", large('{"job":{"model":"', b"x"), (1, "")),
    "keys without end": ("a.json", large('{"a":1', b',"b":1', "}"), (1, "b")),
    "a number without end": ("a.json", large('{"requests":[', b"1"), (1, "")),
    "a prompt without end": ("a.md", large("", b"bees "), (0, "")),
    "settings without end": ("a.md", large("---\n", b"a: b\n"), (0, "")),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_is_refused_at_its_place_in_bounded_memory(name: str) -> None:
    file, source, place = LARGE[name]
    first: Problem | None = None
    told = 0
    tracemalloc.start()
    try:
        kept: list[Said] = []
        for each in read(source, Path(file).suffix, "a", TIGHT):
            if isinstance(each, Problem):
                first = first or each
                told += 1
                if len(kept) < 1_000:  # as the daemon keeps them
                    kept.append(each)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first is not None
    assert (first.line, first.field) == place
    assert_fit_to_be_shown(kept)
    assert told <= 2 * TIGHT.max_requests + 1
    assert peak < ROOM


@pytest.mark.parametrize("name", LARGE)
def test_a_large_file_takes_no_longer_to_refuse_than_its_size_asks(name: str) -> None:
    file, source, _ = LARGE[name]

    def refusing(pieces: int) -> Callable[[], object]:
        return lambda: sum(1 for _ in read(lambda: islice(source(), pieces), Path(file).suffix, "a", TIGHT))

    assert_linear(refusing, MANY // 16)


# --- valid files, spoiled at one place --------------------------------------------------------------------------------

PARAMS: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 300,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "What do bees eat?"}, {"type": "image", "source": {}}]},
        {"role": "assistant", "content": "Nectar."},
        {"role": "user", "content": "And then?"},
    ],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "look"},
    "thinking": {"type": "enabled", "budget_tokens": 2_000},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "high"},
}
REQUEST: dict[str, Any] = {"custom_id": "a", "params": PARAMS, "betas": ["files-api-2025-04-14"], "documents": True}
DOCUMENT: dict[str, Any] = {
    "job": {"model": "claude-haiku-4-5", "max_tokens": 5_000, "params": {"metadata": {}}},
    "requests": [REQUEST, {**REQUEST, "custom_id": "b"}],
}
hostile = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "../..", "\x00", "\u2028", "\ud800", "x" * 5_000, [], {}, [[]], {"": {}}, [None], {"type": 5}]
    ),
)


def inner_places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from inner_places(inner, (*path, key))


def spoiled(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = spoiled(value[path[0]], path[1:], change)
    return copy


changes = st.one_of(
    hostile.map(lambda new: lambda _: new),
    hostile.map(lambda new: lambda old: [old, new]),
    st.tuples(st.text(max_size=5), hostile).map(
        lambda new: lambda old: {**old, new[0]: new[1]} if isinstance(old, dict) else new[1]
    ),
    st.just(lambda old: old[:-1] if isinstance(old, (list, str)) else None),
)  # fmt: skip


@st.composite
def spoiled_files(draw: st.DrawFn) -> tuple[str, bytes]:
    form = draw(st.sampled_from(["a.jsonl", "a.json", "one.json", "bare.json", "a.md"]))
    value: Any = {"a.jsonl": REQUEST, "a.json": DOCUMENT, "one.json": REQUEST, "bare.json": PARAMS, "a.md": PARAMS}[
        form
    ]
    for _ in range(draw(st.integers(1, 3))):
        value = spoiled(value, draw(st.sampled_from(list(inner_places(value)))), draw(changes))
    text = json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if form == "a.md":  # JSON is YAML, nearly
        text = b"---\nparams: " + text + b"\n---\nWhat do bees eat?\n"
    return form, text


@settings(max_examples=300)
@given(spoiled_files())
def test_a_valid_file_that_is_spoiled_anywhere_is_refused_there_or_fit_to_be_sent(drawn: tuple[str, bytes]) -> None:
    name, data = drawn
    found = list(said([data], name))
    assert_fit_to_be_shown(found)
    assert any(isinstance(each, (Entry, Problem)) for each in found)
    for each in found:
        if isinstance(each, Entry):
            params = json.loads(each.params)
            assert params["messages"]
            assert each.max_tokens == params["max_tokens"] > 0
            assert b"\n" not in each.params


@given(st.sampled_from(sorted(EXPECTED)), st.integers(0, 3_000), st.integers(0, 20), st.binary(max_size=6))
def test_a_nasty_file_that_is_torn_as_well_is_still_a_job_or_has_a_problem(
    name: str, start: int, length: int, patch: bytes
) -> None:
    data = (NASTY / name).read_bytes()[:5_000]
    torn = data[:start] + patch + data[start + length :]
    for suffix in SUFFIXES:
        found = list(said([torn], f"a{suffix}"))
        assert any(isinstance(each, (Entry, Problem)) for each in found)
        assert_fit_to_be_shown(found)
