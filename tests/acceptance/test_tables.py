"""A table of tickets comes back with two columns more, by the commands of the README, quickstart and example."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.support import media
from tests.support.surroundings import REPOSITORY

TICKETS = REPOSITORY / "examples" / "tickets"


def blocks(page: Path, language: str) -> list[str]:
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [each[2] for each in found if each[1] == language]


def run_as_they_stand(batchd: Installation, *commands: str) -> str:
    """Run blocks of a page in a folder of one's own; returns what they printed."""
    whole = f"batchd() {{ '{sys.executable}' -m batchd \"$@\"; }}\nset -e\n{''.join(commands)}"
    done = subprocess.run(
        ["bash", "-c", whole], cwd=batchd.home, env=batchd.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_tickets(page: Path) -> str:
    (block,) = [text for text in blocks(page, "sh") if "tickets/.batchd.md" in text]
    return block


def scan_receipts(batchd: Installation, scans: int) -> None:
    (batchd.home / "scans").mkdir()
    for number in range(scans):
        lines = ["HARBOUR BAKERY", f"TOTAL {number}.50"]
        (batchd.home / "scans" / f"{number:02}.png").write_bytes(media.scan(lines))


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_table_comes_back_with_two_columns_more(batchd: Installation) -> None:
    shutil.copytree(TICKETS, batchd.home / "examples" / "tickets")
    said = run_as_they_stand(batchd, of_tickets(TICKETS / "README.md"))
    assert "The blade came loose" in said
    assert '"json_schema"' in said
    folder = batchd.outbox / "tickets" / "tickets"
    assert batchd.job("tickets/tickets")["state"] == "done"
    came, went = table(TICKETS / "tickets.csv"), table(folder / "results.csv")
    assert [row[:4] for row in went] == came
    assert went[0][4:] == ["topic", "urgent", "verdict", "reason", "cost_usd"]
    assert all(row[4] in {"billing", "delivery", "defect", "other"} and row[5] in {"true", "false"} for row in went[1:])
    rows = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    assert [row["custom_id"] for row in rows] == [row[0] for row in came[1:]]


@pytest.mark.parametrize(("rows", "scans"), [(50, 3), pytest.param(5_000, 40, marks=pytest.mark.slow)])
def test_from_an_empty_folder_and_the_readme_alone_two_tables_come_back(
    batchd: Installation, rows: int, scans: int
) -> None:
    came = [["Ticket", "Subject", "What they wrote"]]
    came += [[f"T-{number:04}", "Rake", f"Number {number}, bent;\nsince today"] for number in range(rows)]
    with (batchd.home / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(came)
    scan_receipts(batchd, scans)
    run_as_they_stand(batchd, of_tickets(REPOSITORY / "README.md"))
    tickets = table(batchd.outbox / "tickets" / "tickets" / "results.csv")
    assert [row[:3] for row in tickets] == came
    assert tickets[0][3:5] == ["topic", "urgent"]
    assert {row[5] for row in tickets[1:]} == {"complete"}
    assert all(row[3] in {"billing", "defect", "other"} and row[4] in {"true", "false"} for row in tickets[1:])
    receipts = table(batchd.outbox / "receipts" / "results.csv")
    assert [row[0] for row in receipts] == ["file", *(f"{number:02}.png" for number in range(scans))]
    assert receipts[0][1:3] == ["shop", "total"]
    assert {row[3] for row in receipts[1:]} == {"complete"}
    assert all(row[1] and float(row[2]) is not None for row in receipts[1:])


def test_the_commands_of_the_quickstart_bring_what_it_shows(batchd: Installation) -> None:
    page = REPOSITORY / "docs" / "quickstart.md"
    scan_receipts(batchd, 2)
    said = run_as_they_stand(batchd, *blocks(page, "sh")[1:])
    (shown,) = [text for text in blocks(page, "text") if text.startswith("Ticket,")]
    assert shown in said
    assert (batchd.outbox / "sky" / "documents" / "sky.md").read_text().split()
    assert [row[0] for row in table(batchd.outbox / "receipts" / "results.csv")] == ["file", "00.png", "01.png"]


@pytest.mark.parametrize("count", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_many_tickets_in_the_sandbox_are_all_answered(batchd: Installation, count: int) -> None:
    folder = batchd.inbox / "tickets"
    folder.mkdir(parents=True)
    shutil.copy(TICKETS / ".batchd.md", folder)
    with (folder / ".t.part").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("Ticket", "Subject", "What they wrote", "Language"))
        writer.writerows((f"T-{number}", "Rake", f"Number {number} is bent", "") for number in range(count))
    (folder / ".t.part").rename(folder / "t.csv")
    assert batchd.call("run", "--once", "--sandbox").returncode == 0
    with (batchd.outbox / "tickets" / "t" / "results.csv").open(newline="", encoding="utf-8") as results:
        rows = list(csv.DictReader(results))
    assert [row["Ticket"] for row in rows] == [f"T-{number}" for number in range(count)]
    assert {row["verdict"] for row in rows} == {"complete"}
