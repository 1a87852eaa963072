"""What is measured: the same as the reports say, bounded in number, taken by Prometheus, and with no name of a job."""

import json
import re
import shutil
import socket
import subprocess
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import anyio
import httpx2
import pytest
from anyio import to_thread
from batchd.app import serve

from tests.support.house import KEY, NEVER, House

pytestmark = pytest.mark.anyio
MONITORING = Path(__file__).parents[2] / "monitoring"
PROMPT = "canary-of-a-prompt-4712"
_NAME = re.compile(r"\bbatchd_\w+")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parsed(text: str) -> dict[str, dict[str, float]]:
    """The samples of a scrape, by name and labels."""
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name, _, labels = series.partition("{")
            found[name][labels.rstrip("}")] = float(value)
    return found


async def get(port: int, path: str) -> tuple[int, str]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        response = await http.get(f"http://127.0.0.1:{port}{path}")
        return response.status_code, response.text


class Running:
    """A daemon that goes on, in this process."""

    def __init__(self, home: House, **changes: object) -> None:
        self.port = free_port()
        self.home = home
        self.settings = home.settings(metrics__listen=f"127.0.0.1:{self.port}", **changes)

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._serve)
        await self.until("/healthz", lambda status, _: status == 200)
        return self

    async def _serve(self) -> None:
        await serve(self.settings, KEY, clock=self.home.clock)

    async def __aexit__(self, *_: object) -> None:
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    async def until(self, path: str, what: Any) -> str:
        with anyio.fail_after(NEVER):
            while True:
                try:
                    status, text = await get(self.port, path)
                    if what(status, text):
                        return text
                except httpx2.HTTPError:
                    pass
                await anyio.sleep(0.05)


def samples(text: str, name: str) -> float:
    return sum(parsed(text)[name].values())


async def test_totals_are_those_of_the_reports_and_stay_so(home: House, tmp_path: Path) -> None:
    home.drop("legal/canary-name.jsonl", [PROMPT, "two"])
    home.drop("b.jsonl", ["three"])
    (home.inbox / "bad.jsonl").write_text("{}\n")
    textfile = tmp_path / "batchd.prom"

    def finished(_: int, text: str) -> bool:
        return samples(text, "batchd_jobs_finished_total") == 2 and samples(text, "batchd_files_rejected_total") == 1

    async with Running(home, metrics__textfile=str(textfile)) as daemon:
        text = await daemon.until("/metrics", finished)
        assert await get(daemon.port, "/readyz") == (200, "ready\n")
        assert (await get(daemon.port, "/other"))[0] == 404
    cost = sum(home.job(name)["cost_usd"] for name in ("legal/canary-name", "b"))
    assert samples(text, "batchd_cost_usd_total") == pytest.approx(cost, rel=1e-12)
    found = parsed(text)
    assert found["batchd_requests_finished_total"] == {
        'queue="legal",verdict="complete"': 2,
        'queue="",verdict="complete"': 1,
    }
    assert found["batchd_api_requests_total"]['operation="create",outcome="ok"'] >= 1
    assert "canary" not in text + textfile.read_text()
    async with Running(home) as daemon:
        again = await daemon.until("/metrics", lambda status, _: status == 200)
    assert samples(again, "batchd_cost_usd_total") == samples(text, "batchd_cost_usd_total")
    assert parsed(again)["batchd_requests_finished_total"] == found["batchd_requests_finished_total"]
    rules = (MONITORING / "batchd.rules.yml").read_text()
    board = (MONITORING / "batchd.dashboard.json").read_text()
    panels = json.loads(board)["panels"]
    said = [rules, *(target["expr"] for panel in panels for target in panel.get("targets", ()))]
    asked = {name for each in said for name in _NAME.findall(each)}
    there = set(re.findall(r"^# TYPE (batchd_\w+)", text, re.MULTILINE))
    of_histograms = {f"{name}_{part}" for name in there for part in ("bucket", "sum", "count")}
    assert asked <= there | of_histograms
    if promtool := shutil.which("promtool"):
        check = partial(subprocess.run, [promtool, "check", "metrics"], input=text, text=True, capture_output=True)
        checked = await to_thread.run_sync(check)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_a_revoked_key_makes_it_unready_and_not_unwell(home: House) -> None:
    home.fault("create", "status", status=401, times=1_000)
    home.drop("a.jsonl", ["one"])
    async with Running(home) as daemon:
        text = await daemon.until("/readyz", lambda status, _: status == 503)
        assert text == "parked\n"
        assert (await get(daemon.port, "/healthz"))[0] == 200
        metrics = await daemon.until("/metrics", lambda status, _: status == 200)
        assert parsed(metrics)["batchd_parked"]['reason="key"'] == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: see .ci/run, which fetches it")
@pytest.mark.parametrize("command", ["check rules batchd.rules.yml", "test rules batchd.rules_test.yml"])
def test_the_rules_are_rules_and_fire_when_they_should(command: str) -> None:
    done = subprocess.run(["promtool", *command.split()], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
