"""How much a request may hold, by its own bytes: what `check` refuses for it the sandbox refuses, and nothing else."""

import base64
import json
import random
import resource
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from batchd.claude.window_check import tokens_at_least
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Problem
from batchd.sandbox.checks import Terms
from batchd.sandbox.examiner import Examiner

from tests.support import media
from tests.support.rule_book import by_check, by_sandbox

LARGE, SMALL = "claude-sonnet-5-5", "claude-haiku-4-5"


def asked(content: object, model: str = LARGE, **more: object) -> dict[str, Any]:
    params = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    return {"custom_id": "a", "params": {**params, **more}}


def image(kind: str, width: int, height: int, padding: int = 0) -> dict[str, Any]:
    data = media.PICTURES[kind](width, height) + bytes(padding)
    return {"type": "image", "source": media.base64_source(kind, data)}


def document(file: bytes) -> dict[str, Any]:
    return {"type": "document", "source": media.base64_source("application/pdf", file)}


def made(pages: int, *, packed: bool = False) -> bytes:
    return media.pdf(pages, packed=packed, draw=random.Random(pages))  # noqa: S311  a document, no secret


def plain(text: str) -> dict[str, Any]:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}


def result(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in which a tool found them."""
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
    found = {"type": "tool_result", "tool_use_id": "t", "content": blocks}
    return [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [found]},
    ]


def said_by_both(row: dict[str, Any]) -> tuple[str, str]:
    error, entry, _ = by_check(row)
    return error, by_sandbox(row, entry)


PNG = image("image/png", 10, 10)
WIDE = image("image/jpeg", 2_001, 10)
TOLD_BY_ALL: list[tuple[str, dict[str, Any], str, str]] = [
    *(
        (f"{kind} of 8,001 pixels", asked([image(kind, *sides)]), "8,001", "8000 pixels")
        for kind in media.PICTURES
        for sides in ((8_001, 5), (5, 8_001))
    ),
    ("21 pictures, one of them wide", asked([PNG] * 20 + [WIDE]), "more than 20", "many-image requests: 2000"),
    ("601 pictures", asked([PNG] * 601), "601 pictures", "601 > 600"),
    ("101 pictures", asked([PNG] * 101, SMALL), "101 pictures", "101 > 100"),
    ("a picture of 10 MB", asked([image("image/png", 9, 9, 7_864_300)]), "10,485,8", "exceeds 10 MB"),
    ("a picture without a size", asked([image("image/png", 0, 9)]), "cannot be read", "Could not process image"),
    ("601 pages", asked([document(made(601))]), "601 pages", "maximum of 600 PDF pages"),
    ("601 packed pages", asked([document(made(601, packed=True))]), "601 pages", "maximum of 600 PDF pages"),
    ("two PDFs", asked([document(made(60)), document(made(41, packed=True))], SMALL), "101 pages", "maximum of 100"),
    ("found by a tool", asked("", messages=result([PNG] * 601)), "601 pictures", "601 > 600"),
    (
        "within a document",
        asked([{"type": "document", "source": {"type": "content", "content": [PNG] * 20 + [WIDE]}}]),
        "more than 20",
        "2000 pixels",
    ),
    (
        "an encrypted PDF",
        asked([document(made(2).replace(b"<</Root 1 0 R>>", b"<</Root 1 0 R /Encrypt 9 0 R>>"))]),
        "encrypted",
        "password protected",
    ),
    ("words beyond the window", asked("a " * 200_001, SMALL), "longer than the 200,000", "200001 tokens > 200000"),
    ("one word beyond the window", asked("x" * 1_600_008, SMALL), "longer than the 200,000", "200001 tokens > 200000"),
    ("a long system prompt", asked("Go.", system="a " * 1_000_000), "longer than the 1,000,000", "1000001 tokens"),
    (
        "blocks of text together",
        asked([{"type": "text", "text": "a " * 500_000}, {"type": "text", "text": "a " * 500_001}]),
        "longer",
        "1000001 tokens",
    ),
    (
        "a document of text",
        asked([plain("a " * 200_001)], SMALL),
        "longer",
        "too long",
    ),
]


@pytest.mark.parametrize(
    ("row", "check", "sandbox"), [case[1:] for case in TOLD_BY_ALL], ids=[c[0] for c in TOLD_BY_ALL]
)
def test_what_is_too_much_is_refused_by_both(row: dict[str, Any], check: str, sandbox: str) -> None:
    error, refusal = said_by_both(row)
    assert check in error
    assert sandbox in refusal


JUST_RIGHT: list[tuple[str, dict[str, Any]]] = [
    *((f"{kind} of 8,000 pixels", asked([image(kind, 8_000, 8_000)])) for kind in media.PICTURES),
    ("20 wide pictures", asked([WIDE] * 20)),
    ("600 pictures", asked([image("image/webp", 2_000, 9)] * 600)),
    ("100 pictures", asked([PNG] * 100, SMALL)),
    ("600 pages", asked([document(made(600, packed=True))])),
    ("100 pages", asked([document(made(100))], SMALL)),
    ("a text of as many words as the window has tokens", asked("a " * 200_000, SMALL)),
    ("a text of four letters a token", asked("word" * 300_000, SMALL)),
    ("a million blanks", asked("a" + " " * 1_000_000 + "b", SMALL)),
    ("Hindi of three bytes a letter", asked("नमस्ते " * 150_000, SMALL)),
    (
        "cleared by the API",
        asked("a " * 200_001, SMALL, context_management={"edits": []}) | {"betas": ["context-management-2025-06-27"]},
    ),
    ("a wider window", asked("a " * 200_001, SMALL) | {"betas": ["context-1m-2025-08-07"]}),
    (
        "base64 in lines",
        asked([{"type": "image", "source": PNG["source"] | {"data": base64.encodebytes(media.png(9, 9)).decode()}}]),
    ),
]


@pytest.mark.parametrize("row", [case[1] for case in JUST_RIGHT], ids=[case[0] for case in JUST_RIGHT])
def test_what_just_fits_is_taken_by_both(row: dict[str, Any]) -> None:
    assert said_by_both(row) == ("", "")


def test_pages_that_were_deleted_count_no_more() -> None:
    """As programs save that append what has changed: the old pages and the old count stay in the file."""
    before = made(700)
    kids = b" ".join(b"%d 0 R" % number for number in range(103, 113))
    behind = b"2 0 obj\n<</Type/Pages/Kids[%b]/Count 10>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%%%EOF\n" % kids
    assert said_by_both(asked([document(before)]))[0]
    assert said_by_both(asked([document(before + behind)])) == ("", "")


def test_every_picture_that_is_too_wide_among_many_is_told_at_once() -> None:
    said = read(lambda: [json.dumps(asked([WIDE] * 21)).encode()], ".jsonl", "x", Rules())
    assert len([each for each in said if isinstance(each, Problem)]) == 21


def test_what_is_probably_too_long_is_said() -> None:
    row = json.dumps(asked("word " * 200_000, SMALL)).encode()
    said = [each.message for each in read(lambda: [row], ".jsonl", "x", Rules()) if isinstance(each, Caution)]
    assert [each for each in said if "probably longer than the 200,000 tokens" in each]


def lines() -> Iterator[bytes]:
    yield json.dumps(asked("Short.", SMALL)).encode() + b"\n"
    yield json.dumps(asked("a " * 200_001, SMALL) | {"custom_id": "b"}).encode() + b"\n"


def test_a_line_like_a_sound_one_is_measured_all_the_same() -> None:
    said = list(read(lines, ".jsonl", "x", Rules()))
    assert [type(each) for each in said] == [Entry, Problem]


def test_what_the_sandbox_answers_is_never_charged_for_more_than_the_window() -> None:
    row = asked(
        "word" * 300_000,
        SMALL,
        system=[{"type": "text", "text": "x" * 300_000, "cache_control": {"type": "ephemeral"}}],
    )
    found = Examiner(Counter()).examine(json.dumps(row["params"]).encode(), Terms("2026-10-21"), 0.0)
    assert found.refusal is None
    assert sum(found.cached) <= found.tokens <= 200_000


def test_words_are_counted_without_all_of_them_at_once() -> None:
    params = {"messages": [{"role": "user", "content": "a " * 15_000_000}]}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert tokens_at_least(params, [], 1) == 15_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
