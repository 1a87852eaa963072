"""What is seen, and what is not: every view, whatever the daemon does, and nothing of what was asked."""

import json
import os
import re
import shutil
import sqlite3
import tempfile
from hashlib import sha256
from pathlib import Path

import anyio
import pytest
from batchd.edges.store import look_into_store
from batchd.page.files import may_be_had

from tests.acceptance.installation import Installation
from tests.support.page import ANSWERED, ASKED, Visit, links, served

VIEWS = ("/", "/jobs", "/jobs/1", "/batches", "/costs", "/costs?by=model", "/costs?by=folder")
TWINS = ("/jobs.json", "/jobs/1.json", "/batches.json", "/costs.json")


def crawl(visit: Visit, start: str = "/") -> dict[str, str]:
    """Follow every link from the first page on, and return what each has."""
    found: dict[str, str] = {}
    ahead = {start}
    while ahead:
        path = ahead.pop()
        answer = visit(path)
        assert answer.status == 200, path
        found[path] = answer.body.decode("utf-8", "replace")
        if answer.headers["content-type"].startswith("text/html"):
            assert "<script>" not in found[path], path
            ahead |= {each for each in links(found[path]) if each.startswith("/")} - found.keys()
    return found


def state_of(home: Path) -> dict[str, str]:
    """Every file with its bytes, but for what SQLite makes anew to read."""
    return {
        str(path): sha256(path.read_bytes()).hexdigest()
        for folder in ("inbox", "outbox", ".batchd")
        for path in (home / folder).rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def test_every_view_is_whole_html_and_has_a_twin(visit: Visit) -> None:
    for path in VIEWS:
        answer = visit(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert answer.text.rstrip().endswith("</html>")
    for path in TWINS:
        assert visit(path).headers["content-type"] == "application/json", path


def test_a_crawl_of_all_links_changes_nothing_and_shows_nothing_that_was_asked(seen: Path, visit: Visit) -> None:
    before = state_of(seen)
    found = crawl(visit) | {path: visit(path).text for path in TWINS}
    assert state_of(seen) == before
    assert len(found) > 10
    for path, text in found.items():
        assert ASKED not in text, path
        assert ANSWERED not in text, path


def test_what_reasons_quote_is_shown_to_nobody_who_may_not_read_it(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    Installation(home).sql(
        f"""UPDATE requests SET verdict = 'errored', reason = 'it does not fit the schema: {ASKED}'
            WHERE verdict IS NOT NULL"""  # noqa: S608  our own mark
    )
    told = {"file": "told.jsonl", "errors": [{"line": 1, "field": "max_tokens", "message": f"no number: '{ASKED}'"}]}
    (home / "outbox" / "rejected" / "told.jsonl.errors.json").write_text(json.dumps(told))
    with served(home) as visit:
        found = crawl(visit) | {path: visit(path).text for path in TWINS}
    assert "no number" in found["/"]
    assert "it does not fit the schema" in found["/jobs/1"]
    assert [path for path, text in found.items() if ASKED in text] == []


def test_what_is_shown_is_what_status_and_costs_say(seen: Path, visit: Visit) -> None:
    told = Installation(seen).status()
    shown = visit("/jobs.json").data
    assert shown["sandbox"] is told["sandbox"] is True
    assert shown["daemon"] == told["daemon"]
    by_name = {job["job"]: job for job in told["jobs"]}
    assert {job["job"] for job in shown["jobs"]} == by_name.keys()
    for job in shown["jobs"]:
        assert {key: value for key, value in job.items() if key in by_name[job["job"]]} == by_name[job["job"]]
    costs = Installation(seen).call("costs", "--json", "--days", "90")
    assert visit("/costs.json").data["spent"] == json.loads(costs.stdout)["spent"]


def test_a_twin_says_what_a_job_waits_for_as_status_does(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    made = Installation(home)
    for words in (("release", "dear"), ("pause",)):
        assert made.call(*words).returncode == 0
    told = {job["job"]: job["waits_for"] for job in made.status()["jobs"]}
    assert {each for each in told.values() if each is not None} == {"everything is paused"}
    with served(home) as visit:
        shown = {job["job"]: job for job in visit("/jobs.json").data["jobs"]}
        dear = visit(f"/jobs/{shown['dear']['id']}.json").data
    assert {name: job["waits_for"] for name, job in shown.items()} == told
    assert dear["waits_for"] == "everything is paused"


def test_names_of_requests_are_text(visit: Visit) -> None:
    (job,) = [each for each in visit("/jobs.json").data["jobs"] if each["job"] == "legal/contracts"]
    text = visit(f"/jobs/{job['id']}").text
    assert "clause 1 &lt;b&gt;x&lt;/b&gt;" in text
    assert "<b>x</b>" not in text


def test_partial_is_a_word_and_never_looks_done(visit: Visit) -> None:
    text = visit("/").text
    states = re.findall(r'<span class="state (\w+)"><svg.*?</svg>(\w+)</span>', text)
    assert ("partial", "partial") in states
    assert ("held", "held") in states
    assert all(word == "done" for look, word in states if look == "done")


def test_who_waits_for_a_person_comes_first_with_reason_and_command(visit: Visit) -> None:
    text = visit("/").text
    first, jobs = text.index("waits for a person"), text.index('class="plain jobs"')
    assert first < text.index("its budget is") < text.index("batchd release dear") < jobs


def test_rejected_files_are_shown_with_line_and_field(visit: Visit) -> None:
    (refusal,) = visit("/jobs.json").data["refusals"]
    assert refusal["file"] == "bad.jsonl"
    assert {(error["line"], error["field"]) for error in refusal["errors"]} >= {(1, "params.max_tokens")}


def test_requests_are_leafed_through_by_key(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    database = sqlite3.connect(home / ".batchd" / "batchd.sqlite")
    with database:
        database.execute("PRAGMA foreign_keys = OFF")
        job, last = database.execute("SELECT job, id FROM requests ORDER BY id DESC LIMIT 1").fetchone()
        columns = [
            row[1]
            for row in database.execute("PRAGMA table_info(requests)")
            if row[1] not in {"id", "custom_id", "name"}
        ]
        kept = ", ".join(columns)
        for number in range(1, 121):
            database.execute(
                f"INSERT INTO requests (id, custom_id, name, {kept}) SELECT ?, ?, ?, {kept} FROM requests WHERE id = ?",  # noqa: S608
                (last + number, f"more-{number}", f"more-{number}", last),
            )
    database.close()
    with served(home) as visit:
        seen_ids: list[str] = []
        path = f"/jobs/{job}.json"
        while path:
            page = visit(path).data
            assert len(page["page"]) <= 50
            seen_ids += [each["custom_id"] for each in page["page"]]
            path = f"/jobs/{job}.json?after={page['more_after']}" if page["more_after"] else ""
        assert len(seen_ids) == len(set(seen_ids)) == 121


@pytest.mark.parametrize("content", ["documents", "all"])
def test_files_are_given_by_what_the_row_knows(seen: Path, content: str) -> None:
    with served(seen, content=content) as visit:
        (job,) = [each for each in visit("/jobs.json").data["jobs"] if each["job"] == "support/tickets"]
        table = visit(f"/jobs/{job['id']}/files/results.csv")
        if content == "all":
            assert table.headers["content-type"] == "application/octet-stream"
            assert table.headers["content-disposition"].startswith("attachment")
            assert table.headers["content-security-policy"] == "sandbox"
            assert table.headers["x-content-type-options"] == "nosniff"
            assert table.body == (seen / "outbox" / "support" / "tickets" / "results.csv").read_bytes()
        else:
            assert table.status == 404
        (legal,) = [each for each in visit("/jobs.json").data["jobs"] if each["job"] == "legal/contracts"]
        document = visit(f"/jobs/{legal['id']}.json").data["page"][0]["document"]
        shown = visit(f"/jobs/{legal['id']}/files/{document}?view=1")
        assert f"{ANSWERED} 1" in shown.text
        assert (ASKED in repr(crawl(visit))) == (content == "all")


def test_nothing_else_is_given(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    folder = home / "outbox" / "notes"
    (home / "outbox" / "secret.txt").write_text("outside")
    (folder / "results.csv").symlink_to(home / "outbox" / "secret.txt")
    (folder / "own.txt").write_text("of the user")
    (folder / "rejects.csv").mkdir()
    os.mkfifo(folder / "results.tsv")
    with served(home, content="all") as visit:
        (job,) = [each["id"] for each in visit("/jobs.json").data["jobs"] if each["job"] == "notes"]
        assert visit(f"/jobs/{job}/files/job.json").status == 200
        for name in (
            "results.csv",
            "results.tsv",
            "rejects.csv",
            "own.txt",
            "../secret.txt",
            "..%2fsecret.txt",
            "%2e%2e/secret.txt",
            "%2e%2e%2fsecret.txt",
            "/etc/passwd",
            "%2fetc%2fpasswd",
            "documents/../job.json",
            "./job.json",
            "job.json%00",
            "held.json",
            "",
        ):
            answer = visit(f"/jobs/{job}/files/{name}")
            assert answer.status == 404, name
            assert b"outside" not in answer.body
        for path in ("/jobs/999", "/jobs/0", "/jobs/-1", "/jobs/99999999999999999999", "/jobs/1e3", "/jobs/x.json"):
            assert visit(path).status == 404, path


def test_no_file_is_had_where_no_content_is_shown() -> None:
    assert not any(may_be_had(name, "none", is_document=True) for name in ("job.json", "documents/a.md", "request.md"))
    assert not may_be_had("request.md", "documents", is_document=False)
    assert not may_be_had("request.d/../../x", "all", is_document=False)


def test_the_page_says_how_the_daemon_is(seen: Path, tmp_path: Path) -> None:
    with served(tmp_path) as visit:
        assert visit("/").status == 200
        assert "Nothing yet" in visit("/").text
        assert visit("/jobs.json").data["jobs"] == []
        assert visit("/batches").status == 200
    home = shutil.copytree(seen, tmp_path / "home")
    with Installation(home) as running, served(home) as visit:
        assert "The daemon does not run" in visit("/").text
        process = running.start("run", "--sandbox")
        running.wait_until(lambda: visit("/jobs.json").data["daemon"]["running"])
        assert visit("/jobs.json").data["daemon"]["pid"] == process.pid
        assert "The daemon does not run" not in visit("/").text
        process.kill()
        process.wait()
        assert "The daemon does not run" in visit("/").text
        assert len(visit("/jobs.json").data["jobs"]) == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize("left", ["nothing", "a log"])
def test_it_reads_where_it_may_write_nothing(seen: Path, left: str) -> None:
    """After a clean end there is no log, and SQLite would have to make one; after a kill there is one to be read."""
    with tempfile.TemporaryDirectory() as folder:
        home = shutil.copytree(seen, Path(folder) / "home")
        database = sqlite3.connect(home / ".batchd" / "batchd.sqlite", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE jobs SET source = 'other.txt' WHERE name = 'notes'")
        kept = shutil.copytree(home, Path(folder) / "kept") if left == "a log" else home
        database.close()
        assert (kept / ".batchd" / "batchd.sqlite-wal").exists() == (left == "a log")
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert anyio.run(source_as_nobody, kept / ".batchd" / "batchd.sqlite") == "other.txt"


async def source_as_nobody(database: Path) -> str:
    """Read as a user who may write nowhere; the thread that reads begins when that is so."""
    os.seteuid(65534)
    try:
        async with look_into_store(database) as store:
            job = await store.jobs.named("notes")
            assert job is not None
            return job.source
    finally:
        os.seteuid(0)


def test_another_schema_is_said_and_not_migrated(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    with sqlite3.connect(home / ".batchd" / "batchd.sqlite") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    before = (home / ".batchd" / "batchd.sqlite").read_bytes()
    with served(home) as visit:
        for path in ("/", "/jobs/1", "/batches", "/costs.json"):
            assert visit(path).status == 503, path
        assert "schema" in visit("/").text
    assert (home / ".batchd" / "batchd.sqlite").read_bytes() == before


def test_a_pause_is_said_above_everything(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    made = Installation(home)
    assert made.call("pause", "--folder", "legal", "--reason", "the audit").returncode == 0
    with served(home) as visit:
        assert visit("/jobs.json").data["paused"] == made.status()["paused"]
        text = visit("/").text
        assert text.index("Paused in legal") < text.index('id="content"')
        assert "the audit" in text
        assert "batchd resume --folder legal" in text


def test_trouble_of_the_account_is_said_above_everything(seen: Path, tmp_path: Path) -> None:
    home = shutil.copytree(seen, tmp_path / "home")
    with Installation(home) as running, served(home) as visit:
        running.start("run", "--sandbox")
        running.wait_until(lambda: visit("/jobs.json").data["daemon"]["running"])
        assert visit("/jobs.json").data["parked"] is None
        running.sql(
            """INSERT INTO notices (at, due_at, kind, subject, data, state)
               SELECT max(received_at), 0, 'sending.parked', 'other 1', '{"reason": "money"}', 'told' FROM jobs"""
        )
        assert visit("/jobs.json").data["parked"]["reason"] == "money"
        for path in ("/", "/jobs/1", "/batches"):
            text = visit(path).text
            assert "the account cannot pay" in text.partition("<main")[0], path
        running.sql(
            """INSERT INTO notices (at, due_at, kind, subject, data, state)
               SELECT max(received_at), 0, 'sending.resumed', 'other 1', '{}', 'told' FROM jobs"""
        )
        assert visit("/jobs.json").data["parked"] is None
