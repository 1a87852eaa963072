"""The page where the store is PostgreSQL: each view, the same figures as `status`, and what can be done."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation
from tests.support.page import ASKED, Visit, served
from tests.support.postgresql import Server

VIEWS = ("/", "/jobs/1", "/batches", "/costs", "/costs?by=folder")


@dataclass(frozen=True, slots=True)
class Seen:
    """An installation, and its page on which everything can be done."""

    made: Installation
    visit: Visit
    store: str

    def told(self, *words: str) -> dict[str, Any]:
        """What a command says as JSON."""
        found: dict[str, Any] = json.loads(self.made.call(*words, "--json", "--set", f"store={self.store}").stdout)
        return found


@pytest.fixture(scope="module")
def seen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    store = server.with_tables()
    made = Installation(tmp_path_factory.mktemp("postgresql"))
    made.drop("notes.txt", f"{ASKED}: write a note about bees. [sandbox: words 60]")
    made.drop("dear.md", f"---\nbudget: 0.0001\n---\n{ASKED}: write a whole book.\n")
    made.call("run", "--once", "--sandbox", "--set", f"store={store}")
    with served(made.home, store, actions=True, content="all") as visit:
        yield Seen(made, visit, store)


def test_each_view_is_there_and_says_what_status_and_costs_say(seen: Seen) -> None:
    for path in VIEWS:
        answer = seen.visit(path)
        assert (answer.status, answer.text.rstrip()[-7:]) == (200, "</html>"), path
    told = {job["job"]: job for job in seen.told("status")["jobs"]}
    shown = seen.visit("/jobs.json").data["jobs"]
    assert {job["job"] for job in shown} == told.keys() == {"notes", "dear"}
    for job in shown:
        assert {key: value for key, value in job.items() if key in told[job["job"]]} == told[job["job"]]
        one = seen.visit(f"/jobs/{job['id']}.json").data
        assert len(one["page"]) == one["requests"]["total"] == 1
    assert seen.visit("/costs.json").data["spent"] == seen.told("costs", "--days", "90")["spent"]
    assert [batch["jobs"] for batch in seen.visit("/batches.json").data["batches"]] == [["notes"]]


def test_files_are_given_and_no_others(seen: Seen) -> None:
    (job,) = [each["id"] for each in seen.visit("/jobs.json").data["jobs"] if each["job"] == "notes"]
    document = seen.visit(f"/jobs/{job}.json").data["page"][0]["document"]
    assert seen.visit(f"/jobs/{job}/files/{document}").body == (seen.made.outbox / "notes" / document).read_bytes()
    assert seen.visit(f"/jobs/{job}/files/documents/other.md").status == 404


def test_what_waits_for_a_person_is_decided_there(seen: Seen) -> None:
    (wait,) = seen.visit("/jobs.json").data["waits"]
    assert (wait["job"], "its budget is" in wait["reason"]) == ("dear", True)
    assert seen.visit.post(f"/jobs/{wait['id']}/cancel", {"sure": "yes"}).status == 303
    assert seen.visit(f"/jobs/{wait['id']}.json").data["state"] == "cancelling"


def test_a_server_that_does_not_answer_is_said_in_one_sentence(tmp_path: Path) -> None:
    with served(tmp_path, f"postgresql://batchd@/none?host={tmp_path}") as visit:
        for path in ("/", "/batches", "/costs", "/jobs/1"):
            assert visit(path).status == 503, path
        assert visit("/jobs.json").data["error"].count("\n") == 0
