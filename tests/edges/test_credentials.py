"""What lets us in: a key at hand needs no SDK, and is sent as the SDK sends it; what only the SDK finds goes on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import anthropic
import pytest
from batchd.edges.api.credentials import Credentials, found
from batchd.edges.api.http import Http
from batchd.errors import Parked, Unusable
from batchd.sandbox import SandboxSettings, serve

pytestmark = pytest.mark.anyio

KEY = "sk-ant-canary-4711"
TOKEN = "token-of-a-profile"  # noqa: S105  nobody's
OF_ITSELF = "x-stainless-"
"""Begins the headers in which the SDK tells of itself."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nothing_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without a key, and a home without a profile."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))


async def credentials(key: str | None = None, base_url: str = "") -> Credentials:
    async with found(key, base_url) as these:
        return these


@pytest.mark.parametrize("custom", ["", "X-Team: books\nno header\nUser-Agent: mine"])
async def test_the_same_is_sent_as_the_sdk_sends(custom: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", custom)
    these = await credentials(KEY)
    async with anthropic.AsyncAnthropic(api_key=KEY) as sdk:
        theirs = {name.lower(): value for name, value in sdk.default_headers.items()}
        assert these.base_url == str(sdk.base_url).rstrip("/")
    same = {name for name in theirs if not name.startswith(OF_ITSELF)} - {"content-type", "user-agent"}
    assert {name: theirs[name] for name in same} == {
        name: value for name, value in these.headers.items() if name != "user-agent"
    }
    assert these.headers["user-agent"] == ("mine" if custom else "batchd")


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"ANTHROPIC_AUTH_TOKEN": "tok"}, "Bearer tok"),
        ({"ANTHROPIC_AUTH_TOKEN": "tok", "ANTHROPIC_API_KEY": "sk"}, "Bearer sk"),
    ],
)
async def test_what_the_environment_holds_is_taken(
    variables: dict[str, str], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://gateway.example/claude")
    these = await credentials()
    assert (these.headers["authorization"], these.base_url) == (sent, "https://gateway.example/claude")


async def test_without_any_the_program_cannot_work() -> None:
    with pytest.raises(Unusable, match="no key for the API"):
        await credentials()


def profile(place: Path, **more: str) -> None:
    """A person who has logged in, as the SDK's command line leaves it.

    Args:
        more: What is said of how.
    """
    for name in ("configs", "credentials"):
        (place / name).mkdir()
    config = {"authentication": {"type": "user_oauth", **more}, "organization_id": "org"}
    (place / "configs" / "default.json").write_text(json.dumps(config))
    told = {"version": "1.0", "type": "oauth_token", "access_token": TOKEN, "expires_at": int(time.time()) + 3600}
    file = place / "credentials" / "default.json"
    file.write_text(json.dumps(told))
    file.chmod(0o600)


async def test_a_profile_that_the_sdk_finds_lets_us_in(tmp_path: Path) -> None:
    profile(tmp_path)
    async with (
        serve(SandboxSettings(duration=0.0)) as server,
        found(None, server.base_url) as these,
        Http.to(these, 5.0) as http,
    ):
        sent = (await http.send("GET", "/v1/models")).request.headers
        assert sent["authorization"] == f"Bearer {TOKEN}"
        http.use_key("sk-another")
        sent = (await http.send("GET", "/v1/models")).request.headers
        assert sent["authorization"] == "Bearer sk-another"


async def test_a_token_that_cannot_be_renewed_parks_and_sends_nothing(tmp_path: Path) -> None:
    profile(tmp_path, client_id="one whose tokens are renewed")
    async with (
        serve(SandboxSettings(duration=0.0)) as server,
        found(None, server.base_url) as these,
        Http.to(these, 5.0) as http,
    ):
        with pytest.raises(Parked, match="no credentials"):
            await http.send("GET", "/v1/models")
        assert not list(server.ledger.calls)


def test_with_a_key_a_whole_run_does_without_the_sdk(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "one.md").write_text("Hello")
    command = [sys.executable, "-X", "importtime", "-m", "batchd", "run", "--once", "--sandbox"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-500:]
    assert (tmp_path / "outbox" / "one" / "job.json").exists()
    assert "| httpx2" in ended.stderr.replace("  ", "")
    assert "anthropic\n" not in ended.stderr
