"""A document with real drafts, a real spool and a real folder, and no daemon around it."""

import json
from pathlib import Path
from typing import Any

import pytest
from batchd.claude.catalogue import Catalogue
from batchd.claude.verdict import Result
from batchd.delivery import Trip
from batchd.edges.drafts import Drafts
from batchd.edges.spool import SpoolWriter, read_from_spool
from batchd.journey.documents import Assembled, Documents
from batchd.model import JobId, Place, RequestId, Usage, Verdict, Wishes

PARTS = [
    "".join(f"Chapter {number}. It tells of {number * 31} things.\n" for number in range(start, start + 40))
    for start in (0, 40, 80)
]
BOOK = "".join(PARTS)
FIRST: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 8_000,
    "messages": [{"role": "user", "content": "Write a book."}],
}


class Desk:
    """A document that is written, a round at a time."""

    def __init__(self, place: Path, first: dict[str, Any] = FIRST) -> None:
        self.drafts, self.spool = place / "drafts", place / "spool"
        for folder in (self.drafts, self.spool):
            folder.mkdir()
        with SpoolWriter(self.spool / "claim") as spool:
            spool.add(b'{"somebody":"else"}')
            offset, size = spool.add(json.dumps(first).encode())
            spool.finish()
        self.documents = Documents(Drafts(self.drafts), self.spool, Catalogue())
        self.trip: dict[str, Any] = {"first": Place("claim", offset, size), "max_tokens": 8_000, "rounds": 3}
        self.trip |= {"allowance": 24_000, "worst": 10**12}

    def travelling(self, **changes: Any) -> Trip:
        return Trip(
            row=0,
            request=RequestId(7),
            job=JobId(1),
            job_name="job",
            custom_id="book",
            name="book",
            model="claude-sonnet-4-6",
            wishes=Wishes(),
            cancelled=changes.pop("cancelled", False),
            attempts_left=changes.pop("attempts_left", 2),
            delivered=False,
            **{**self.trip, **changes},
        )

    def answered(self, text: str, stop_reason: str = "max_tokens", **changes: Any) -> Assembled:
        usage = Usage(input_tokens=900, output_tokens=2_000)
        result = Result("succeeded", stop_reason, text=text, usage=usage)
        return self.documents.assemble(self.travelling(**changes), result)

    def acknowledged(self, assembled: Assembled) -> dict[str, Any]:
        """What the next round is asked, once the store has taken note."""
        following = assembled.delivery.following
        assert following is not None
        self.trip |= {name: getattr(following, name) for name in ("max_tokens", "rounds", "allowance", "worst")}
        self.trip["round"] = assembled.delivery.round + 1
        asked: dict[str, Any] = json.loads(read_from_spool(self.spool / "claim", following.offset, following.size))
        return asked


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_three_rounds_make_one_document(desk: Desk) -> None:
    asked = desk.acknowledged(desk.answered(PARTS[0] + PARTS[1][:9]))
    assert asked["messages"][1]["content"] == [{"type": "text", "text": PARTS[0]}]
    asked = desk.acknowledged(desk.answered(PARTS[1]))
    assert asked["messages"][1]["content"] == [{"type": "text", "text": PARTS[0] + PARTS[1]}]
    last = desk.answered(PARTS[2], "end_turn")
    assert last.delivery.verdict is Verdict.COMPLETE
    assert last.files == (("documents/book.md", BOOK),)
    assert last.delivery.document == "documents/book.md"
    assert last.delivery.cost.charged
    desk.documents.forget([last.delivery])
    assert list(desk.drafts.iterdir()) == []


def test_a_round_that_is_read_again_after_a_crash_asks_the_same(desk: Desk) -> None:
    desk.acknowledged(desk.answered(PARTS[0] + PARTS[1][:9]))
    once, draft = desk.answered(PARTS[1]), (desk.drafts / "7.2").read_bytes()
    again = desk.answered(PARTS[1])
    assert (desk.drafts / "7.2").read_bytes() == draft
    assert desk.acknowledged(again) == desk.acknowledged(once)


def test_what_a_retry_may_take_up_keeps_its_draft(desk: Desk) -> None:
    desk.acknowledged(desk.answered(PARTS[0]))
    lost = desk.documents.assemble(desk.travelling(attempts_left=0), Result("expired"))
    assert lost.delivery.verdict is Verdict.EXPIRED
    assert lost.files == (("documents/book.md", PARTS[0]),)
    desk.documents.forget([lost.delivery])
    assert [draft.name for draft in desk.drafts.iterdir()] == ["7.1"]


def test_nothing_is_read_for_a_document_that_cannot_go_on(desk: Desk) -> None:
    (desk.spool / "claim").unlink()
    assert desk.answered(PARTS[0], rounds=0).delivery.verdict is Verdict.TRUNCATED
    assert desk.answered(PARTS[0], cancelled=True).delivery.verdict is Verdict.TRUNCATED


def test_structured_output_is_told_by_its_params_also_where_no_round_follows(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {**FIRST, "output_config": {"format": {"type": "json_schema", "schema": {}}}})
    for cancelled in (False, True):
        found = desk.answered('{"a": 1}', "end_turn", rounds=0, cancelled=cancelled)
        assert found.files == (("documents/book.json", '{"a": 1}'),)
        assert found.delivery.document == "documents/book.json"
