"""Messages put together again from their events, whole and cut."""

import io
import json
from typing import Any

import msgspec
import pytest
from batchd.claude.events import Liveness
from batchd.claude.stream import assemble
from batchd.claude.streamed import Streamed
from hypothesis import given
from hypothesis import strategies as st

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 1, "server_tool_use": None},
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


def cut_in_lines(body: bytes) -> list[bytes]:
    """As a file gives them."""
    return list(io.BytesIO(body))


def lines(*events: dict[str, Any]) -> list[bytes]:
    return cut_in_lines(wire(*events))


def usage_of(found: Streamed) -> dict[str, int]:
    assert found.message is not None
    usage = found.message["usage"]
    assert isinstance(usage, dict)
    return usage


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
    found = assemble(lines(*events))
    assert found.ended
    assert found.text == "Hello world"
    assert found.message == {
        "id": "msg_1",
        "model": "m",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 42, "server_tool_use": None},
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
    part = body[: int(cut * body.index(b'"message_delta"'))]
    found = assemble(cut_in_lines(part))
    assert not found.ended
    assert "".join(pieces).startswith(found.text)
    if found.message is not None:
        assert found.message["stop_reason"] is None
        assert found.bounded
        assert usage_of(found)["input_tokens"] == 7
        assert usage_of(found)["output_tokens"] >= len(found.text.split())
        assert not found.unreadable
    assert json.dumps(found.message)


@pytest.mark.parametrize("reason", [None, "", 7, ["end_turn"], {}])
def test_what_is_no_stop_reason_ends_no_message(reason: object) -> None:
    """Also where a server's beginning leaves out what is null."""
    begun = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 7}}}
    found = assemble(
        cut_in_lines(wire(begun, *text(0, "Hello"), {"type": "message_delta", "delta": {"stop_reason": reason}}))
    )
    assert not found.ended
    assert found.message is not None
    assert found.message["stop_reason"] is None


@given(
    st.lists(st.binary(max_size=40)), st.sampled_from([b"", b"data:", b"data: {}", b'data: {"type":"message_start"}'])
)
def test_whatever_comes_it_does_not_fall_over(pieces: list[bytes], begun: bytes) -> None:
    found = assemble([begun, *pieces, *(b"data: " + piece for piece in pieces)])
    assert not found.ended or any(b"[DONE]" in piece for piece in pieces)
    assert msgspec.json.encode(found.message)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start", "message": None},
        {"type": "content_block_start"},
        {"type": "message_delta", "delta": None, "usage": None},
    ],
)
def test_what_says_nothing_adds_nothing(event: dict[str, Any]) -> None:
    found = assemble(lines(START, event))
    assert (found.text, found.unreadable) == ("", 0)


def test_an_error_is_told() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}
    found = assemble(lines(START, error))
    assert found.trouble == "overloaded_error"
    assert assemble(lines({"type": "error"})).trouble == "api_error"


HELLO = text(0, "Hello ", "world.")
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello world."}}
STOP = END[0]


def as_sse(*events: dict[str, Any]) -> bytes:
    """Events as some servers write them, with nothing escaped."""
    return b"".join(b"data: %s\n\n" % json.dumps(each, ensure_ascii=False).encode() for each in events)


@pytest.mark.parametrize(
    "body",
    {
        "no message_stop": wire(START, *HELLO, STOP),
        "[DONE]": wire(START, *HELLO, STOP) + b"data: [DONE]\n\n",
        "torn behind stop_reason": wire(START, *HELLO, STOP) + b'event: message_stop\ndata: {"type":"mes',
        "CRLF": wire(START, *HELLO, *END).replace(b"\n", b"\r\n"),
        "CR": wire(START, *HELLO, *END).replace(b"\n", b"\r"),
        "a byte order mark": b"\xef\xbb\xbf" + wire(START, *HELLO, *END),
        "no blank after the colon": wire(START, *HELLO, *END).replace(b"data: ", b"data:"),
        "no blank lines": wire(START, *HELLO, *END).replace(b"\n\n", b"\n"),
        "bare lines of JSON": wire(START, *HELLO, *END).replace(b"data: ", b""),
        "data over two lines": wire(START, *HELLO, *END).replace(b', "delta"', b'\ndata: , "delta"'),
        "a block that nobody opened": wire(START, DELTA, *END),
        "no message_start": wire(*HELLO, *END),
        "an index that is null": wire(START, *({**each, "index": None} for each in HELLO), *END),
        "an index that is a list": wire(START, *({**each, "index": [0]} for each in HELLO), *END),
        "a delta that is text": wire(START, {**DELTA, "delta": "Hello world."}, *END),
        "a delta without a type": wire(START, {**DELTA, "delta": {"text": "Hello world."}}, *END),
        "usage that is a list": wire(START, *HELLO, {**STOP, "usage": [1]}),
        "usage of words": wire(START, *HELLO, {**STOP, "usage": {"output_tokens": "many", "input_tokens": None}}),
        "content in message_start": wire(
            {"type": "message_start", "message": {"id": "m", "content": [{"type": "text", "text": "Hello "}]}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "world."}},
            *END,
        ),
        "types in event lines alone": b"".join(
            b"event: %s\ndata: %s\n\n"
            % (each["type"].encode(), json.dumps({k: v for k, v in each.items() if k != "type"}).encode())
            for each in [START, *HELLO, *END]
        ),
        "the message as JSON": json.dumps(
            {"type": "message", "content": [{"type": "text", "text": "Hello world."}], "stop_reason": "end_turn"}
        ).encode(),
        "the message as JSON, indented": json.dumps(
            {"content": [{"type": "text", "text": "Hello world."}], "stop_reason": "end_turn"}, indent=2
        ).encode(),
        "an error behind the end": wire(START, *HELLO, *END, {"type": "error", "error": "text"}),
        "deep nesting": wire(START)
        + b'data: {"type":"news","x":'
        + b"[" * 5000
        + b"]" * 5000
        + b"}\n\n"
        + wire(*HELLO, *END),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_stream_of_any_form_gives_its_text_and_its_end(body: tuple[str, bytes]) -> None:
    found = assemble(cut_in_lines(body[1]))
    assert found.text == "Hello world."
    assert found.ended
    assert found.message is not None
    assert found.message["stop_reason"] == "end_turn"
    assert body[0] == "deep nesting" or not found.unreadable
    assert msgspec.json.encode(found.message)


@pytest.mark.parametrize(
    ("body", "text_of_it", "unreadable"),
    [
        (as_sse(START, *text(0, "Caf\u00e9!"), *END).decode().encode("latin-1"), "Caf\u00e9!", 0),
        (as_sse(START, *text(0, "\N{PACKAGE}"), *END), "\N{PACKAGE}", 0),
        (wire(START, *text(0, "a\ud83d", "\udce6b"), *END), "a\N{PACKAGE}b", 0),
        (wire(START, *text(0, "a\ud83d", "b"), *END), "a\ufffdb", 1),
        (
            as_sse(START, *text(0, "a@", "#b"), *END).replace(b"@", b"\xf0\x9f").replace(b"#", b"\x93\xa6"),
            "a\N{PACKAGE}b",
            0,
        ),
        (as_sse(START, *text(0, "a@", "b"), *END).replace(b"@", b"\xf0\x9f"), "a\ufffdb", 1),
        (as_sse(START, *text(0, "a@b"), *END).replace(b"@", b"\n"), "a\nb", 0),
        (wire(START) + b'data: {"type":"content_block_delta","index":0,"del\n\n' + wire(*text(0, "b"), *END), "b", 1),
        (wire(START, {**DELTA, "delta": {"type": "text_delta", "text": ["a"]}}, *END), "", 1),
        (
            wire(START, *text(0, "a"), {"type": "message_start", "message": {"id": "msg_2"}}, *text(0, "b"), *END),
            "ab",
            1,
        ),
    ],
)
def test_what_cannot_be_read_is_mended_or_told(body: bytes, text_of_it: str, unreadable: int) -> None:
    found = assemble(cut_in_lines(body))
    assert (found.text, found.unreadable) == (text_of_it, unreadable)
    assert found.ended


def test_the_larger_count_is_believed_and_what_was_not_told_is_bounded() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1_000, "output_tokens": 1}}}
    told = assemble(lines(start, *HELLO, {**STOP, "usage": {"input_tokens": 0, "output_tokens": 3}}))
    assert usage_of(told) == {"input_tokens": 1_000, "output_tokens": 3}
    assert not told.bounded
    untold = assemble(lines(start, *HELLO, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}))
    assert untold.bounded
    assert usage_of(untold) == {"input_tokens": 1_000, "output_tokens": 6}


def test_an_answer_that_was_cut_costs_at_most_what_it_may_have_written() -> None:
    thinking = block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "Hm."})
    for events, bound in ((HELLO, 6), (text(0, "word " * 900), 900), (thinking, 900)):
        found = assemble(lines(START, *events), most_tokens=900)
        assert usage_of(found)["output_tokens"] == bound


@pytest.mark.parametrize(
    ("pieces", "heard"),
    [
        ([b'event: ping\ndata: {"type": "ping"}\n\n'], False),
        ([b'event: ping\ndata: {"type"', b': "ping"}\n\n'], False),
        ([b": still here\n"], False),
        ([b"data: {}\n"], False),
        ([wire(DELTA)], True),
        ([wire(DELTA)[:40], wire(DELTA)[40:]], True),
        ([b'{"type":"message",' + b" " * 300], True),
    ],
)
def test_pings_say_nothing(pieces: list[bytes], *, heard: bool) -> None:
    liveness = Liveness()
    assert any(liveness.heard(piece) for piece in pieces) is heard
