"""Messages put together again from their events, whole and cut."""

import json
from typing import Any

import pytest
from batchd.claude.stream import assemble
from hypothesis import given
from hypothesis import strategies as st

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 7, "output_tokens": 1},
    },
}


def block(index: int, opened: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": opened},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": each} for each in pieces))


END: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 42, "input_tokens": None},
    },
    {"type": "message_stop"},
]


def wire(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in events)


def test_a_whole_message_is_what_the_api_would_have_sent_in_one_piece() -> None:
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "thinking_delta", "thinking": "m."},
        {"type": "signature_delta", "signature": "abc"},
    )
    tool = block(
        2,
        {"type": "tool_use", "id": "t", "name": "look", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a"'},
        {"type": "input_json_delta", "partial_json": ":1}"},
    )
    cited = block(3, {"type": "text", "text": ""}, {"type": "citations_delta", "citation": {"n": 1}})
    events = [START, {"type": "ping"}, *thinking, *text(1, "Hello ", "world"), *tool, *cited, {"type": "news"}, *END]
    found = assemble(wire(*events).splitlines(keepends=True))
    assert found.ended
    assert found.text == "Hello world"
    assert found.message == {
        "id": "msg_1",
        "model": "m",
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 42},
        "content": [
            {"type": "thinking", "thinking": "Hmm.", "signature": "abc"},
            {"type": "text", "text": "Hello world"},
            {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}},
            {"type": "text", "text": "", "citations": [{"n": 1}]},
        ],
    }


@given(pieces=st.lists(st.text(), max_size=8), cut=st.floats(0, 1))
def test_cut_at_any_byte_it_is_a_beginning_and_never_called_ended(pieces: list[str], cut: float) -> None:
    body = wire(START, *text(0, *pieces), *END)
    part = body[: int(cut * (len(body) - 20))]
    found = assemble(part.splitlines(keepends=True))
    assert not found.ended
    assert "".join(pieces).startswith(found.text)
    if found.message is not None:
        assert found.message["stop_reason"] is None
        assert found.message["usage"]["input_tokens"] == 7
        assert found.message["usage"]["output_tokens"] >= len(found.text.encode("utf-8", "replace"))
    assert json.dumps(found.message)


@given(
    st.lists(st.binary(max_size=40)), st.sampled_from([b"", b"data:", b"data: {}", b'data: {"type":"message_start"}'])
)
def test_whatever_comes_it_does_not_fall_over(lines: list[bytes], begun: bytes) -> None:
    assert not assemble([begun, *lines, *(b"data: " + line for line in lines)]).ended


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start", "message": None},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_start"},
        {"type": "message_delta", "delta": None, "usage": None},
    ],
)
def test_what_is_left_out_is_left_out(event: dict[str, Any]) -> None:
    assert assemble([wire(START), wire(event)]).text == ""


def test_an_error_is_told() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}
    found = assemble(wire(START, error).splitlines())
    assert found.trouble == "overloaded_error"
    assert assemble(wire({"type": "error"}).splitlines()).trouble == "api_error"
