"""What holds for every result line, whatever its bytes and however they arrive: nothing that was paid for is lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from batchd.claude import result_line
from batchd.claude.batch_body import new_nonce, row_id, row_of
from batchd.claude.verdict import judge
from batchd.edges.api.lines import LONGEST, cut_lines
from batchd.errors import Garbled
from hypothesis import example, given
from hypothesis import strategies as st

LARGEST = 2**63 - 1
"""What a column takes."""
NONCE = new_nonce()

# Characters at which naive readers cut lines, halves of pairs, and what JSON must escape.
awkward = st.text(alphabet='\u2028\u2029\u0085\x0b\x0c\x1c\x1d\x1e\r\n\t\0"\\/{}aé😀\ud800', max_size=12)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | awkward
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def mixed(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly as it should be."""
    return st.one_of(usual, usual, usual, values)


counts = mixed(st.integers(0, 10**7)) | st.integers(2**40, 2**70) | st.integers(-(2**70), -1)
usage = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": counts,
        "output_tokens": counts,
        "cache_read_input_tokens": counts,
        "cache_creation_input_tokens": counts,
        "cache_creation": mixed(
            st.fixed_dictionaries(
                {}, optional={"ephemeral_5m_input_tokens": counts, "ephemeral_1h_input_tokens": counts}
            )
        ),
        "server_tool_use": values,
    },
)
message = st.fixed_dictionaries(
    {},
    optional={
        "model": mixed(st.just("claude-haiku-4-5")),
        "stop_reason": mixed(st.sampled_from(["end_turn", "max_tokens", "refusal", "pause_turn", "new"])),
        "content": mixed(st.lists(mixed(st.fixed_dictionaries({"type": st.just("text"), "text": mixed(awkward)})))),
        "usage": mixed(usage),
        "container": values,
    },
)
error = st.fixed_dictionaries({}, optional={"type": mixed(st.just("api_error")), "message": mixed(awkward)})
result = st.fixed_dictionaries(
    {"type": mixed(st.sampled_from(["succeeded", "errored", "expired", "canceled", "deferred"]))},
    optional={"message": mixed(message), "error": mixed(error | st.fixed_dictionaries({"error": mixed(error)}))},
)
wire_ids = st.builds(row_id, st.just(NONCE), st.integers(1, 99), st.integers(0, 99_999))
lines = st.fixed_dictionaries(
    {"custom_id": mixed(wire_ids), "result": mixed(result)}, optional={"new": values, "\u2028": values}
)


def written(line: Any, *, escaped: bool) -> bytes:
    return json.dumps(line, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


raw_lines = st.builds(lambda line, escaped: written(line, escaped=escaped), lines, st.booleans())
torn = st.tuples(raw_lines, st.integers(0, 300), st.integers(0, 5), st.binary(max_size=3)).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[3] + drawn[0][drawn[1] + drawn[2] :]
)


def streamed(pieces: Sequence[bytes]) -> list[bytes]:
    async def source() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def read() -> list[bytes]:
        return [line async for line in cut_lines(source())]

    return asyncio.run(read())


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


contents = st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b"").rstrip(b"\r")).filter(bool)


@given(
    st.lists(st.tuples(contents | raw_lines, st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n"])), max_size=8),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.booleans(),
)
def test_lines_are_the_same_however_the_stream_is_cut_and_ended(
    parts: list[tuple[bytes, bytes]],
    places: list[int],
    ends_within_a_line: bool,  # noqa: FBT001  drawn
) -> None:
    data = b"".join(line + end for line, end in parts)
    if ends_within_a_line:
        data = data.rstrip(b"\r\n")
    expected = [line for line, _ in parts]
    assert streamed(cut(data, places)) == expected
    assert streamed([data[at : at + 1] for at in range(len(data))]) == expected


@example(b'{"custom_id":"a","result":{"type":"succeeded","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}")
@example(b'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":' + b"9" * 5_000 + b"}}}}")
@example(b'{"custom_id":"a","result":{"type":"succeeded","message":{"usage":{"input_tokens":' + b"9" * 30 + b"}}}}")
@given(raw_lines | torn | st.binary(max_size=80) | values.map(lambda value: written(value, escaped=True)))
def test_any_bytes_are_a_line_that_can_be_stored_and_delivered_or_garbled(raw: bytes) -> None:
    try:
        line = result_line.read(raw)
    except Garbled:
        return
    found = line.result
    for count in (found.usage.input_tokens, found.usage.output_tokens, found.usage.cache_creation_input_tokens):
        assert 0 <= count <= LARGEST
    for text in (line.custom_id, found.text, found.type, found.stop_reason, found.error_message, found.model):
        (text or "").encode()
    row_of(line.custom_id, NONCE)
    assert judge(found, attempts_left=0, cancelled=False).verdict is not None


@given(lines, wire_ids, st.text(min_size=1), st.booleans(), st.booleans())
def test_the_users_id_takes_the_place_of_the_wires_and_every_other_byte_stays(
    line: dict[str, Any],
    wire: str,
    custom_id: str,
    escaped: bool,  # noqa: FBT001  drawn
    in_escapes: bool,  # noqa: FBT001  drawn
) -> None:
    line = {**line, "custom_id": "HERE"}
    before, _, after = written(line, escaped=escaped).partition(b'"HERE"')
    spelled = "".join(f"\\u{ord(character):04x}" for character in wire) if in_escapes else wire
    raw = before + f'"{spelled}"'.encode() + after
    changed = result_line.under(raw, wire, custom_id)
    assert changed.startswith(before)
    assert changed.endswith(after)
    assert json.loads(changed[len(before) : len(changed) - len(after)]) == custom_id
    assert b"\n" not in changed


@given(raw_lines)
def test_a_line_that_was_read_can_be_put_under_the_users_id(raw: bytes) -> None:
    """Also one that is JSON only by goodwill: it was paid for."""
    try:
        line = result_line.read(raw)
    except Garbled:
        return
    if row_of(line.custom_id, NONCE) is not None:
        assert result_line.read(result_line.under(raw, line.custom_id, "mine")).custom_id == "mine"


def test_a_line_without_end_is_given_up_before_it_fills_the_memory() -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        piece = bytes(1 << 24)
        while True:
            pieces += 1
            yield piece

    async def read() -> None:
        async for _ in cut_lines(endless()):
            pass

    try:
        asyncio.run(read())
    except Garbled:
        assert pieces <= LONGEST // (1 << 24) + 1
