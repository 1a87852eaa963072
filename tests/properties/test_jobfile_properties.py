"""What holds for every job file, whatever its bytes and however they arrive."""

import json
from collections.abc import Sequence
from typing import Any

from batchd.decisions.jobfile.reader import SUFFIXES, Rules, Said, read
from batchd.model import Entry, Problem, Terms
from hypothesis import given
from hypothesis import strategies as st

RULES = Rules(max_request_bytes=100_000)

texts = st.text(min_size=1, max_size=20).filter(lambda text: not text.isspace())
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
params = st.fixed_dictionaries(
    {"messages": st.lists(st.builds(lambda text: {"role": "user", "content": text}, texts), min_size=1, max_size=3)},
    optional={
        "max_tokens": st.integers(1, 300_000),
        "system": texts,
        "tools": st.dictionaries(texts, values).map(
            lambda any_at_all: [{"name": "t", "input_schema": {"type": "object"}, "input_examples": [any_at_all]}]
        ),
    },
)
requests = st.lists(
    st.fixed_dictionaries({"custom_id": st.text(min_size=1, max_size=20), "params": params}),
    min_size=1,
    max_size=5,
    unique_by=lambda request: str(request["custom_id"]),
)
jsonish = st.text(alphabet='{}[]",:\\u0d8 \n-1eNatruefls', max_size=60).map(str.encode)
torn = st.tuples(requests, st.integers(0, 400), st.binary(max_size=3)).map(
    lambda drawn: as_json(drawn[0])[: drawn[1]] + drawn[2] + as_json(drawn[0])[drawn[1] :]
)
anything = (
    st.binary(max_size=200) | jsonish | torn | st.text(max_size=80).map(lambda text: f"---\n{text}\n---\nx".encode())
)


def as_jsonl(items: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(item) + "\n" for item in items).encode()


def as_json(items: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps({"requests": items}, ensure_ascii=False, indent=1).encode()


def said(chunks: Sequence[bytes], suffix: str) -> list[Said]:
    return list(read(lambda: chunks, suffix, "stem", RULES))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(requests, st.sampled_from([(as_jsonl, ".jsonl"), (as_json, ".json")]))
def test_any_requests_come_out_as_they_went_in(items: list[dict[str, Any]], form: tuple[Any, str]) -> None:
    write, suffix = form
    entries = [each for each in said([write(items)], suffix) if isinstance(each, Entry)]
    assert [entry.custom_id for entry in entries] == [item["custom_id"] for item in items]
    for entry, item in zip(entries, items, strict=True):
        defaults = {"model": RULES.model, "max_tokens": RULES.max_tokens}
        assert json.loads(entry.params) == {**defaults, **item["params"]}
        assert b"\n" not in entry.params


@given(anything, st.sampled_from(SUFFIXES), st.lists(st.integers(0, 1_000), max_size=6))
def test_it_does_not_matter_where_the_bytes_are_cut(data: bytes, suffix: str, places: list[int]) -> None:
    whole = said([data], suffix)
    assert said(cut(data, places), suffix) == whole
    assert said([data[at : at + 1] for at in range(len(data))], suffix) == whole


@given(anything, st.sampled_from([*SUFFIXES, ".csv", ""]))
def test_any_bytes_are_a_job_or_have_a_problem(data: bytes, suffix: str) -> None:
    found = said([data], suffix)
    assert any(isinstance(each, (Entry, Problem)) for each in found)
    lines = data.count(b"\n") + 1
    assert all(0 <= each.line <= lines for each in found if not isinstance(each, Terms))
    json.dumps([str(each) for each in found]).encode()
    assert all(each.message.isprintable() for each in found if isinstance(each, Problem))


@given(
    st.lists(st.text(alphabet="aAbB\u017f\u212a./é ~", min_size=1, max_size=4), min_size=1, max_size=40, unique=True)
)
def test_no_two_ids_share_a_name(ids: list[str]) -> None:
    items = [{"custom_id": each, "params": {"messages": [{"role": "user", "content": "x"}]}} for each in ids]
    names = [each.name for each in said([as_jsonl(items)], ".jsonl") if isinstance(each, Entry)]
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(name.isascii() and "/" not in name and "." not in name and len(name) <= 100 for name in names)
