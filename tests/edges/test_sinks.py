"""Sinks, each with a real other end: servers on loopback, and commands."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from batchd.edges.sinks import http
from batchd.edges.sinks.apprise import AppriseSink
from batchd.edges.sinks.command import CommandSink
from batchd.edges.sinks.secret import Unreadable, read_secrets
from batchd.edges.sinks.webhook import Webhook
from batchd.notice import Attempt, Kind, Message, Told

from tests.support.receiver import receiver

pytestmark = pytest.mark.anyio
MESSAGE = Message("msg_1", Kind.TEST, b'{"a":1}', "batchd: a test")


async def test_what_is_answered_decides() -> None:
    statuses = iter((200, 204, 500, 404, 302, 410))
    with receiver(lambda _: (next(statuses), {"location": "/other"}, b"")) as told:
        hook = Webhook(told.url, "", private=True)
        attempts = [await hook.deliver(MESSAGE) for _ in range(6)]
    assert [each.told for each in attempts] == [Told.DONE] * 2 + [Told.AGAIN] * 3 + [Told.STOPPED]
    assert [each.reason for each in attempts[2:]] == ["HTTP 500", "HTTP 404", "HTTP 302", "HTTP 410"]
    assert {got.path for got in told.got} == {"/hook"}
    assert {got.id for got in told.got} == {"msg_1"}


async def test_an_address_on_this_machine_is_not_told_unless_that_is_said() -> None:
    with receiver() as told:
        attempt = await Webhook(told.url, "", private=False).deliver(MESSAGE)
        by_name = await Webhook(told.url.replace("127.0.0.1", "localhost"), "", private=False).deliver(MESSAGE)
    assert attempt.told is by_name.told is Told.AGAIN
    assert "private = true" in attempt.reason
    assert not told.got


async def test_nobody_is_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WHOLE", 0.3)
    with receiver() as told:

        def hang(_: object) -> tuple[int, dict[str, str], bytes]:
            told.released.wait(60)
            return 200, {}, b""

        told.answer = hang
        attempt = await Webhook(told.url, "", private=True).deliver(MESSAGE)
    assert attempt == Attempt(Told.AGAIN, "it did not answer in time")


async def test_who_answers_a_byte_at_a_time_is_not_waited_for_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WHOLE", 0.5)

    async def drip(stream: SocketStream) -> None:
        async with stream:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                while True:
                    await stream.send(b"x")
                    await anyio.sleep(0.05)

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, drip)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610  of a socket
        attempt: Attempt | None = None
        with anyio.move_on_after(20):
            attempt = await Webhook(f"http://127.0.0.1:{port}/", "", private=True).deliver(MESSAGE)
        tasks.cancel_scope.cancel()
    assert attempt == Attempt(Told.AGAIN, "it did not answer in time")


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with receiver(lambda _: (200, {}, b"x" * 50_000_000)) as told:
        assert (await Webhook(told.url, "", private=True).deliver(MESSAGE)).told is Told.DONE


async def test_what_cannot_be_reached_is_said_without_its_address() -> None:
    with receiver() as told:
        url = told.url.replace("/hook", "/T0/secret-token")
    attempt = await Webhook(url, "", private=True).deliver(MESSAGE)
    assert attempt == Attempt(Told.AGAIN, "it cannot be reached")


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("whsec_" + "QUJD" * 8, 0o644, "open to other users"),
        ("", 0o600, "should be one to"),
        ("QUJD" * 8, 0o600, "begin with whsec_"),
        ("whsec_QUJD", 0o600, "at least 24 bytes"),
        ("whsec_" + "!" * 32, 0o600, "is not base64"),
    ],
)
async def test_a_secret_is_one_or_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(Unreadable, match=said) as refused:
        read_secrets(str(file))
    assert "QUJDQUJD" not in str(refused.value).replace(str(tmp_path), "")


async def test_a_credential_of_the_service_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "hook").write_text("whsec_" + "QUJD" * 8)
    assert len(read_secrets("hook")) == 1


def command(script: str, *more: str, longest: float = 30.0) -> CommandSink:
    return CommandSink([sys.executable, "-c", script, *more], longest=longest)


@pytest.mark.parametrize(("status", "told"), [(0, Told.DONE), (75, Told.AGAIN), (1, Told.NEVER)])
async def test_how_a_command_ends_decides(status: int, told: Told) -> None:
    attempt = await command(f"import sys; sys.exit({status})").deliver(MESSAGE)
    assert attempt.told is told


async def test_a_command_that_is_not_there_is_tried_again() -> None:
    assert (await CommandSink(["/nonexistent/tell"]).deliver(MESSAGE)).told is Told.AGAIN


async def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open(sys.argv[1], 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    attempt = await command(script, str(pid), longest=2.0).deliver(MESSAGE)
    assert attempt.told is Told.AGAIN
    for _ in range(100):
        if _ended(int(pid.read_text())):
            break
        await anyio.sleep(0.05)
    assert _ended(int(pid.read_text()))


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state == "Z"


async def test_a_command_gets_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    out = tmp_path / "env"
    script = "import os, sys; open(sys.argv[1], 'w').write(repr(dict(os.environ)))"
    began = time.monotonic()
    assert (await command(script, str(out)).deliver(MESSAGE)).told is Told.DONE
    assert time.monotonic() - began < 30
    said = out.read_text()
    assert "canary" not in said
    assert "CREDENTIALS" not in said
    assert "batchd.test" in said


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own, at its import
@pytest.mark.parametrize(("status", "told"), [(200, Told.DONE), (500, Told.AGAIN)])
async def test_a_service_is_told_by_apprise_in_plain_text(status: int, told: Told) -> None:
    pytest.importorskip("apprise", reason="an extra")
    message = Message("msg_1", Kind.TEST, b'{"a":1}', "batchd: a test", ("one <b>", "two"))
    with receiver(lambda _: (status, {}, b"")) as service:
        attempt = await AppriseSink(service.url.replace("http://", "json://")).deliver(message)
    assert attempt.told is told
    (got, *_) = service.got
    assert (got.json["title"], got.json["message"], got.json["attachments"]) == ("batchd: a test", "one <b>\ntwo", [])


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
async def test_what_apprise_does_not_know_is_tried_again_and_not_shown() -> None:
    pytest.importorskip("apprise", reason="an extra")
    attempt = await AppriseSink("nowhere-known://canary@example").deliver(MESSAGE)
    assert attempt == Attempt(Told.AGAIN, "apprise does not know this form of address")
