"""What can be done on the page: exactly what the commands do, only from the page itself, and only where it is set."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation
from tests.support.page import ASKED, Answer, Visit, served

TABLE = "id,text\n1,The lift is stuck\n2,No hot water\n"
PROMPT = "---\nmodel: claude-haiku-5-5\nmax_tokens: 100\n---\nIn a word: {{ text }}\n"


@pytest.fixture
def home(seen: Path, tmp_path: Path) -> Path:
    return shutil.copytree(seen, tmp_path / "home")


@pytest.fixture
def acting(home: Path) -> Iterator[Visit]:
    with served(home, actions=True, content="all") as visit:
        yield visit


def upload(visit: Visit, name: str, text: str, folder: str = "", prompt: str = "", **headers: str) -> Answer:
    fields = {"folder": folder, "prompt": prompt}
    parts = [f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{said}\r\n' for key, said in fields.items()]
    parts.append(f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{text}\r\n--b--\r\n')
    told = {"sec_fetch_site": "same-origin", "content_type": "multipart/form-data; boundary=b", **headers}
    return visit("/drop", "POST", "".join(parts).encode(), **told)


def ticket_in(answer: Answer) -> str:
    found = re.search(r'action="/drop/(\w{26})"', answer.text)
    assert found, answer.text
    return found[1]


def dropped(home: Path) -> list[Path]:
    return [path for path in (home / "inbox").rglob("*") if path.is_file() and path.name != ".batchd.md"]


def test_a_form_from_elsewhere_is_refused(home: Path, acting: Visit) -> None:
    strange: tuple[dict[str, str], ...] = (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    )
    for headers in strange:
        for path in ("/jobs/2/cancel", "/jobs/2/release", "/jobs/2/retry", "/batches/2/resolve", "/drop/" + "0" * 26):
            assert acting(path, "POST", b"sure=yes", **headers).status == 403, (path, headers)
        if "sec_fetch_site" in headers:
            assert upload(acting, "a.txt", "hello", **headers).status == 403
    assert acting("/jobs/2/cancel", "GET").status == 405
    assert not dropped(home)
    assert Installation(home).sql("SELECT count(*) FROM jobs WHERE cancel_wanted OR released OR retry_wanted") == [(0,)]


def test_the_wishes_are_those_of_the_commands(home: Path, acting: Visit) -> None:
    jobs = {each["job"]: each["id"] for each in acting("/jobs.json").data["jobs"]}
    asked = acting.post(f"/jobs/{jobs['slow']}/cancel")
    assert "Cancel this job?" in asked.text
    made = Installation(home)
    assert made.sql("SELECT name FROM jobs WHERE cancel_wanted") == []
    assert acting.post(f"/jobs/{jobs['slow']}/cancel", {"sure": "yes"}).status == 303
    assert made.sql("SELECT name FROM jobs WHERE cancel_wanted") == [("slow",)]
    wrong = acting.post(f"/jobs/{jobs['dear']}/release", {"up_to": "much"})
    assert wrong.status == 409
    assert made.sql("SELECT released FROM jobs WHERE name = 'dear'") == [(0,)]
    assert acting.post(f"/jobs/{jobs['dear']}/release", {"up_to": "2.50"}).status == 303
    assert made.sql("SELECT released, released_up_to, hold FROM jobs WHERE name = 'dear'") == [
        (1, 2_500_000_000_000, None)
    ]
    finished = acting.post(f"/jobs/{jobs['notes']}/cancel", {"sure": "yes"})
    assert finished.status == 409
    assert "has finished" in finished.text
    origin = acting(f"/jobs/{jobs['legal/contracts']}/retry", "POST", b"", origin=f"http://{acting.place}")
    assert origin.status == 303
    assert made.sql("SELECT name FROM jobs WHERE retry_wanted") == [("legal/contracts",)]
    assert acting.post("/jobs/999/cancel", {"sure": "yes"}).status == 404


def test_sending_a_batch_again_is_asked_twice(home: Path, acting: Visit) -> None:
    made = Installation(home)
    ((batch,),) = made.sql("SELECT id FROM batches WHERE state = 'processing'")
    made.sql(
        "UPDATE batches SET state = 'held', trouble = 'nobody knows', next_poll_at = NULL, remote_id = NULL, "
        "evidence = NULL, submitted_at = NULL, expires_at = NULL WHERE state = 'processing'"
    )
    assert "Nobody knows." in acting("/").text
    asked = acting.post(f"/batches/{batch}/resolve", {"answer": "resend"})
    assert "paid for twice" in asked.text
    assert made.sql("SELECT state FROM batches ORDER BY id DESC LIMIT 1") == [("held",)]
    assert acting.post(f"/batches/{batch}/resolve", {"answer": "what"}).status == 404
    assert acting.post("/batches/99/resolve", {"answer": "drop", "sure": "yes"}).status == 404
    assert acting.post(f"/batches/{batch}/resolve", {"answer": "resend", "sure": "yes"}).status == 303
    assert made.sql("SELECT state FROM batches ORDER BY id DESC LIMIT 1") == [("planned",)]


def test_a_table_is_priced_sent_once_and_had_as_a_table(home: Path, acting: Visit) -> None:
    price = upload(acting, "lift.csv", TABLE, "support")
    assert price.status == 200
    for word in ("At most", "About", "Requests", "claude-haiku-5-5", "ready to be sent"):
        assert word in price.text
    assert not dropped(home)
    ticket = ticket_in(price)
    for _ in range(2):
        answer = acting.post(f"/drop/{ticket}")
        assert (answer.status, answer.headers.get("location")) in {(303, f"/tickets/{ticket}"), (404, None)}
    assert [path.name for path in dropped(home)] == [f"lift.@{ticket}.csv"]
    assert "lies in the inbox" in acting(f"/tickets/{ticket}").text
    with Installation(home) as running:
        running.start("run", "--sandbox")
        running.wait_until(lambda: acting(f"/tickets/{ticket}").status == 303)
        job = acting(f"/tickets/{ticket}").headers["location"]
        running.wait_until(lambda: acting(f"{job}.json").data["state"] == "done")
        assert acting.post(f"/drop/{ticket}").headers["location"] == f"/tickets/{ticket}"
        assert acting(f"{job}/files/results.csv").text.splitlines()[0].startswith("id,text,")
        assert running.sql("SELECT count(*) FROM jobs WHERE name LIKE 'support/lift%'") == [(1,)]


def test_a_question_of_ones_own_goes_along(home: Path, acting: Visit) -> None:
    assert "would be rejected" in upload(acting, "lift.csv", TABLE).text
    price = upload(acting, "lift.csv", TABLE, prompt=PROMPT)
    assert "ready to be sent" in price.text
    assert acting.post(f"/drop/{ticket_in(price)}").status == 303
    assert sorted(path.name for path in dropped(home)) == ["lift.csv", "prompt.md"]


def test_what_would_be_rejected_cannot_be_sent(home: Path, acting: Visit) -> None:
    for name, text, said in (
        ("bad.jsonl", '{"custom_id": "a", "params": {"max_tokens": 0}}', "max_tokens"),
        ("empty.txt", "", "would be rejected"),
        ("picture.exe", "x", "would be rejected"),
        ("../../up.csv", "a\n1\n", "would be rejected"),
    ):
        answer = upload(acting, name, text)
        assert answer.status == 200, name
        assert said in answer.text
        assert "Send it" not in answer.text
    for name, status in (("~lock.part", 400), ("a.tmp", 400), ("", 400)):
        assert upload(acting, name, "x").status == status
    assert upload(acting, "a.txt", "hello", "nowhere").status == 400
    assert upload(acting, "a.txt", "hello", "../outbox").status == 400
    assert acting.post("/drop/" + "0" * 26).status == 404
    assert not dropped(home)
    assert ASKED not in acting("/drop").text


def test_a_file_that_is_too_large_is_not_read(home: Path) -> None:
    with served(home, actions=True, max_upload=1000) as visit:
        assert upload(visit, "a.txt", "x" * 100_000).status == 413
        assert visit("/drop", "POST", None, sec_fetch_site="same-origin", transfer_encoding="chunked").status in {
            400,
            411,
        }


def test_who_sees_only_some_folders_drops_only_there(home: Path, tmp_path: Path) -> None:
    folders = {"alice": ("legal",)}
    page: dict[str, Any] = {"listen": f"unix:{tmp_path / 's'}", "user_header": "Remote-User", "folders": folders}
    with served(home, actions=True, **page) as visit:
        assert upload(visit, "a.txt", "hello", "support", remote_user="alice").status == 400
        price = upload(visit, "a.txt", "hello", "legal", remote_user="alice")
        assert price.status == 200
        ticket = ticket_in(price)
        assert visit.post(f"/drop/{ticket}", remote_user="bob").status == 404
        assert visit.post("/jobs/1/cancel", {"sure": "yes"}, remote_user="alice").status == 404
        assert visit.post("/batches/1/resolve", {"answer": "drop", "sure": "yes"}, remote_user="alice").status == 404
        assert visit.post(f"/drop/{ticket}", remote_user="alice").status == 303
