"""A table of tickets comes back with two columns more, by the commands of the README and of the example."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation
from tests.support.surroundings import REPOSITORY

FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TICKETS = REPOSITORY / "examples" / "tickets"


def run_block(batchd: Installation, page: Path) -> str:
    """Run the commands of a page's block about tickets; returns what they printed."""
    shutil.copytree(TICKETS, batchd.home / "examples" / "tickets", dirs_exist_ok=True)
    (block,) = [text for text in FENCE.findall(page.read_text("utf-8")) if "tickets/.batchd.md" in text]
    said = ""
    for line in block.replace(" && ", "\n").splitlines():
        words = line.partition(" #")[0].split()
        match words:
            case ["mkdir", "-p", folder]:
                (batchd.home / folder).mkdir(parents=True, exist_ok=True)
            case ["cp", source, target]:
                shutil.copy(batchd.home / source, batchd.home / target)
            case ["batchd", *rest]:
                done = batchd.call(*rest)
                assert done.returncode == 0, done.stderr
                said += done.stdout
            case _:
                pytest.fail(f"a command that this test cannot run: {line}")
    return said


@pytest.mark.parametrize("page", [REPOSITORY / "README.md", TICKETS / "README.md"], ids=["readme", "example"])
def test_a_table_comes_back_with_two_columns_more(batchd: Installation, page: Path) -> None:
    said = run_block(batchd, page)
    assert "The blade came loose" in said
    assert '"json_schema"' in said
    folder = batchd.outbox / "tickets" / "tickets"
    assert batchd.job("tickets/tickets")["state"] == "done"
    with (TICKETS / "tickets.csv").open(newline="", encoding="utf-8") as source:
        came = list(csv.reader(source))
    with (folder / "results.csv").open(newline="", encoding="utf-8") as results:
        went = list(csv.reader(results))
    assert [row[:4] for row in went] == came
    assert went[0][4:] == ["topic", "urgent", "verdict", "reason", "cost_usd"]
    assert all(row[4] in {"billing", "delivery", "defect", "other"} and row[5] in {"true", "false"} for row in went[1:])
    rows = [json.loads(line) for line in (folder / "report.jsonl").read_text().splitlines()]
    assert [row["custom_id"] for row in rows] == [row[0] for row in came[1:]]


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
