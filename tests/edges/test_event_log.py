"""`events.jsonl`: whole lines alone, whatever a crash left, and bounded."""

from pathlib import Path

import pytest
from batchd.edges import event_log


def lines(outbox: Path, name: str = "events.jsonl") -> list[bytes]:
    return (outbox / name).read_bytes().splitlines()


def test_half_a_line_of_a_crash_is_cut_off(tmp_path: Path) -> None:
    event_log.append(tmp_path, [b'{"a":1}'])
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"half": "' + b"x" * 100_000)
    event_log.append(tmp_path, [b'{"b":2}', b'{"c":3}'])
    assert lines(tmp_path) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_large_one_is_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    for number in range(7):
        event_log.append(tmp_path, [b"%d" % number], largest=1)
    assert lines(tmp_path) == [b"6"]
    assert [lines(tmp_path, f"events.jsonl.{number}") for number in range(1, 5)] == [[b"5"], [b"4"], [b"3"], [b"2"]]
    assert len(list(tmp_path.iterdir())) == 5


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    outbox, elsewhere = tmp_path / "outbox", tmp_path / "elsewhere"
    outbox.mkdir()
    elsewhere.write_text("mine")
    (outbox / "events.jsonl").symlink_to(elsewhere)
    with pytest.raises(OSError, match=r".*"):
        event_log.append(outbox, [b"x"])
    assert elsewhere.read_text() == "mine"
