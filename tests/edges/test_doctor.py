"""`batchd doctor` against a world that is not as it should be: what it sees, and which remedy it names."""

import socket
from pathlib import Path

import httpx2
import pytest
from batchd.cli.doctor_checks import Finding, Health
from batchd.cli.doctor_queues import old_queues
from batchd.cli.doctor_reach import further_keys, reach
from batchd.sandbox import Fault, SandboxServer, SandboxSettings, serve
from batchd.settings import Settings, load_settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")


def settings(place: Path, base_url: str) -> Settings:
    folders = {name: str(place / name) for name in ("inbox", "outbox", "state")}
    return load_settings({**folders, "api": {"base_url": base_url}}, None)


async def found(place: Path, base_url: str) -> dict[str, Finding]:
    return {finding.about: finding async for finding in reach(settings(place, base_url))}


async def fill(server: SandboxServer) -> None:
    """Make two batches, one after the other."""
    params = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"x-api-key": "sk", "anthropic-version": "2026-10-21"}
    async with httpx2.AsyncClient(base_url=server.base_url, headers=headers) as http:
        for _ in range(2):
            made = await http.post("/v1/messages/batches", json={"requests": [{"custom_id": "a", "params": params}]})
            assert made.status_code == 200


async def test_all_is_well_and_the_organization_is_named(tmp_path: Path) -> None:
    async with serve(SandboxSettings(organization="org-4711")) as server:
        await fill(server)
        findings = await found(tmp_path, server.base_url)
    assert findings["api"].health is Health.OK
    assert "(organization org-4711)" in findings["api"].message
    assert "list" not in findings


@pytest.mark.parametrize(
    ("kind", "said"), [("oldest_first", "does not list the newest"), ("repeating", "more than once")]
)
async def test_an_odd_list_is_noticed(tmp_path: Path, kind: str, said: str) -> None:
    faults = (Fault(route="list", kind=kind, times=None),)
    async with serve(SandboxSettings(faults=faults)) as server:
        await fill(server)
        findings = await found(tmp_path, server.base_url)
    assert findings["list"].health is Health.WARNING
    assert said in findings["list"].message


async def test_trouble_with_the_account_is_told_as_what_it_is(tmp_path: Path) -> None:
    faults = (Fault(route="list", kind="low_credit", times=None),)
    async with serve(SandboxSettings(faults=faults)) as server:
        finding = (await found(tmp_path, server.base_url))["api"]
    assert finding.health is Health.PROBLEM
    assert "no credit is left: see Billing in the Console" in finding.message
    assert "goes on by itself" in finding.remedy


async def test_each_further_key_is_looked_for_and_tried(tmp_path: Path) -> None:
    (tmp_path / "legal").write_text("sk-legal")
    (tmp_path / "sales").write_text("sk-sales")
    async with serve(SandboxSettings()) as server:
        server.admission.revoked.add("sk-sales")
        keys = {name: {"file": str(tmp_path / name)} for name in ("legal", "sales", "gone")}
        wanted = load_settings(
            {"state": str(tmp_path / "state"), "api": {"base_url": server.base_url}, "keys": keys}, None
        )
        there = {finding.about: finding.health for finding in further_keys(wanted)}
        tried = {finding.about: finding async for finding in reach(wanted)}
    assert there == {"key legal": Health.OK, "key sales": Health.OK, "key gone": Health.PROBLEM}
    assert [tried[f"api {name}"].health for name in ("legal", "sales", "gone")] == [
        Health.OK,
        Health.PROBLEM,
        Health.PROBLEM,
    ]
    assert tried["api"].health is Health.OK


async def test_a_refused_connection_a_name_and_a_proxy_have_remedies_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    refused = (await found(tmp_path, closed))["api"]
    assert "connection refused" in refused.message
    unknown = (await found(tmp_path, "https://no-such-host.invalid"))["api"]
    assert "its name was not found" in unknown.message
    assert "name resolution" in unknown.remedy
    monkeypatch.setenv("HTTPS_PROXY", closed)
    behind = (await found(tmp_path, "https://no-such-host.invalid"))["api"]
    assert "the proxy of $HTTPS_PROXY" in behind.message
    assert "NO_PROXY" in behind.remedy


def made(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_a_queue_of_an_earlier_version_that_is_one_job_by_its_name_is_told_with_its_remedy(tmp_path: Path) -> None:
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    made(inbox / "night.job" / "a.jsonl", inbox / "legal" / "old.JOB" / "b.md", inbox / "legal" / "old.JOB" / "c.md")
    made(inbox / "new.job" / "prompt.md", inbox / "plain" / "d.md", inbox / ".hidden.job" / "e.jsonl")
    made(outbox / "past.job" / "a" / "job.json", outbox / "plain" / "d" / "job.json", outbox / "f.job" / "job.json")
    made(outbox / "rejected" / "new.job" / "prompt.md", outbox / "g.job" / "request" / "prompt.md")
    found = list(old_queues(settings(tmp_path, "")))
    assert [each.health for each in found] == [Health.WARNING] * 3
    for each, name, remedy in zip(found, ("old.JOB", "night.job", "past.job"), ("old", "night", "past"), strict=True):
        assert name in each.message
        assert f" {remedy};" in each.remedy


def test_where_nothing_lies_no_queue_is_old(tmp_path: Path) -> None:
    assert list(old_queues(settings(tmp_path, ""))) == []
