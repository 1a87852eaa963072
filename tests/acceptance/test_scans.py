"""A folder of scans becomes a table: the example as it stands, and with forty of them."""

import csv
import shutil
from pathlib import Path

from tests.acceptance.installation import Installation
from tests.support import media
from tests.support.surroundings import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "receipts.job"
HEADER = ["file", "shop", "date", "total", "paid_by", "verdict", "reason", "cost_usd"]


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def dropped(batchd: Installation) -> Path:
    """The example under a hidden name in the inbox."""
    batchd.inbox.mkdir()
    return shutil.copytree(EXAMPLE, batchd.inbox / ".receipts.job")


def test_the_example_brings_a_table(batchd: Installation) -> None:
    dropped(batchd).rename(batchd.inbox / "receipts.job")
    done = batchd.call("run", "--once", "--sandbox")
    assert done.returncode == 0, done.stderr
    header, *rows = table(batchd.outbox / "receipts" / "results.csv")
    assert header == HEADER
    assert [row[0] for row in rows] == ["scans/bakery.png", "scans/books.png", "scans/garden.png"]
    assert {row[5] for row in rows} == {"complete"}


def test_forty_scans_become_forty_rows_and_one_that_is_none_is_told(batchd: Installation) -> None:
    folder = dropped(batchd)
    shutil.rmtree(folder / "scans")
    (folder / "scans").mkdir()
    for number in range(40):
        lines = ["HARBOUR BAKERY", f"{number + 1:02}.11.2026", f"TOTAL {number}.50", "CASH"]
        (folder / "scans" / f"{number:02}.png").write_bytes(media.scan(lines))
    (folder / "scans" / "40.pdf").write_bytes(media.locked_pdf())
    folder.rename(batchd.inbox / "receipts.job")
    assert batchd.call("run", "--once", "--sandbox").returncode == 1
    header, *rows = table(batchd.outbox / "receipts" / "results.csv")
    assert header == HEADER
    assert [row[0] for row in rows] == [*(f"scans/{number:02}.png" for number in range(40)), "scans/40.pdf"]
    assert all(row[1] and float(row[3]) is not None and row[4] in {"cash", "card", "unknown"} for row in rows[:40])
    assert {row[5] for row in rows[:40]} == {"complete"}
    assert (rows[40][5], "encrypted" in rows[40][6]) == ("rejected", True)
