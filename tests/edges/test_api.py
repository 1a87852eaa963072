"""What the API and the network say, sorted by what to do about it: a real server, real sockets, real TLS."""

import json
import math
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from batchd.edges.api import Api
from batchd.edges.api.download import OVERLAP
from batchd.edges.clock import Clock
from batchd.errors import BatchdError, Gone, InDoubt, Parked, Refused, Unavailable, Unreachable
from batchd.model import RemoteId
from batchd.sandbox import Fault, SandboxServer, SandboxSettings, serve
from batchd.sandbox.faults import account

from tests.support.house import FastClock

pytestmark = pytest.mark.anyio

KEY = "sk-ant-canary-4711"
PARAMS = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
BODY = json.dumps({"requests": [{"custom_id": "a", "params": PARAMS}]}).encode()
BUSY = {"ramp_limit"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def calling(base_url: str, clock: Clock | None = None) -> AsyncIterator[Api]:
    async with Api.connect(key=KEY, base_url=base_url, per_minute=1000, patience=5.0, clock=clock or Clock()) as api:
        yield api


@asynccontextmanager
async def bench(*faults: Fault, **settings: Any) -> AsyncIterator[tuple[Api, SandboxServer]]:
    async with (
        serve(SandboxSettings(faults=faults, duration=0.0, **settings)) as server,
        calling(server.base_url, FastClock(10_000.0)) as api,
    ):
        yield api, server


async def create(api: Api, body: bytes = BODY) -> Any:
    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return await api.create(pieces(), len(body), (), deadline=math.inf)


def lasting(route: str, kind: str, **more: Any) -> Fault:
    return Fault(route=route, kind=kind, times=None, **more)


# Trouble with the account


@pytest.mark.parametrize("kind", account.TROUBLES)
async def test_trouble_with_the_account_refuses_nobody(kind: str) -> None:
    async with bench(lasting("any", kind)) as (api, server):
        for call in (create(api), api.page(limit=1), api.count_tokens(b"{}", ())):
            with pytest.raises(Unavailable) as caught:
                await call
            assert isinstance(caught.value, Parked) == (kind not in BUSY)
        assert server.ledger.batches() == []


# Words


@pytest.mark.parametrize("kind", ["status", "detail", "flat", "untyped"])
async def test_a_gateways_own_sentence_is_shown_short_printable_and_without_a_key(kind: str) -> None:
    said = f"No route to \x1b[31m upstream\n for {KEY}, {KEY[:9]}-other-key-123: " + "because " * 100
    async with bench(Fault(route="list", kind=kind, status=503, text=said)) as (api, _):
        with pytest.raises(Unavailable) as caught:
            await api.page(limit=1)
    told = str(caught.value)
    assert told.startswith("the API answered HTTP 503: No route to … upstream for … because")
    assert len(told) < 250
    assert told.isprintable()


@pytest.mark.parametrize(
    "said", ["Tell me of Ophelia", "the letter to your mother: I am so sorry, Ophelia", "key 4111 1111 1111"]
)
async def test_what_a_server_says_of_a_call_without_a_prompt_may_hold_another_ones(said: str) -> None:
    async with bench(Fault(route="list", kind="status", status=503, text=said)) as (api, _):
        with pytest.raises(Unavailable) as caught:
            await api.page(limit=1)
    assert not {"Ophelia", "mother", "sorry", "4111", "1111"} & set(str(caught.value).replace(",", " ").split())


@pytest.mark.parametrize("kind", ["status", "detail", "flat", "untyped"])
async def test_what_a_server_says_of_a_create_may_hold_the_prompt_and_is_kept_apart(kind: str) -> None:
    said = "Prisma took no CANARY from this host"
    async with bench(Fault(route="create", kind=kind, status=400, text=said)) as (api, _):
        with pytest.raises(Refused) as caught:
            await create(api, BODY.replace(b"Hi", b"A canary sings"))
    assert str(caught.value).endswith(": Prisma took no … from this host")
    assert caught.value.said == said


async def test_a_redirected_create_is_in_doubt() -> None:
    async with bench(Fault(route="create", kind="odd_status", status=303)) as (api, server):
        with pytest.raises(InDoubt):
            await create(api)
        assert len(server.ledger.batches()) == 1


# Connections


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def said_of(base_url: str) -> str:
    async with calling(base_url) as api:
        with pytest.raises(Unreachable) as caught:
            await api.page(limit=1)
        with pytest.raises(Unreachable):
            await create(api)
    return str(caught.value)


async def test_a_name_that_is_not_found_is_called_so() -> None:
    told = await said_of("http://no-such-host.invalid")
    assert told == "no-such-host.invalid cannot be reached: its name was not found (DNS)"


async def test_a_port_that_refuses_is_called_so() -> None:
    port = closed_port()
    assert await said_of(f"http://127.0.0.1:{port}") == f"127.0.0.1:{port} cannot be reached: connection refused"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
async def test_a_certificate_that_is_not_trusted_is_called_so_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tls_server(tmp_path) as (port, certificate):
        told = await said_of(f"https://localhost:{port}")
        assert told.startswith("the certificate of localhost is not trusted (self-signed certificate)")
        assert "SSL_CERT_FILE" in told
        assert "SSL_CERT_DIR" in told
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with calling(f"https://localhost:{port}") as api:
            assert (await api.page(limit=1)).batches == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_dead_proxy_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port()}")
    told = await said_of("https://api.example.invalid")
    assert told == (f"api.example.invalid was not reached through the proxy of ${variable.upper()}: connection refused")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_not_behind_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    async with bench() as (_, server):
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port()}")
        async with calling(server.base_url.replace("127.0.0.1", host)) as api:
            assert (await api.page(limit=1)).batches == []


async def test_a_server_that_hangs_up_on_a_read_is_asked_once_more_at_once() -> None:
    for kind in ("close", "reset"):
        async with bench(Fault(route="list", kind=kind), Fault(route="results", kind=kind)) as (api, server):
            made = await create(api)
            assert [batch.id for batch in (await api.page(limit=1)).batches] == [made.id]
            async with api.results(made.id, None) as pieces:
                assert b"".join([piece async for piece in pieces]).count(b"\n") == 1
            assert [call.route for call in server.ledger.calls].count("list") == 2


async def test_a_create_on_which_a_server_hangs_up_is_not_repeated() -> None:
    async with bench(Fault(route="create", kind="reset")) as (api, server):
        with pytest.raises(InDoubt):
            await create(api)
        assert [call.route for call in server.ledger.calls] == ["create"]


async def test_results_of_a_gateway_below_a_path_are_found_where_they_always_are() -> None:
    async with bench() as (api, _):
        made = await create(api)
        async with api.results(made.id, f"/elsewhere/{made.id}/results") as pieces:
            assert b"".join([piece async for piece in pieces]).count(b"\n") == 1
        with pytest.raises(Gone):
            async with api.results(RemoteId("msgbatch_unknown"), None):
                pass


async def test_every_trouble_is_one_line() -> None:
    for status in (400, 401, 402, 403, 404, 409, 418, 422, 429, 500, 502, 503, 529):
        async with bench(Fault(route="list", kind="html", status=status)) as (api, _):
            with pytest.raises(BatchdError) as caught:
                await api.page(limit=1)
        assert "\n" not in str(caught.value)
        assert "html" not in str(caught.value)


@contextmanager
def tls_server(folder: Path) -> Iterator[tuple[int, Path]]:
    """A server with a certificate of its own, which lists no batches."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", "req", *made, *subject], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n" + b'{"data":[]}'
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all() -> None:
            while True:
                try:
                    plug, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(plug, server_side=True) as wire:
                        wire.recv(1 << 16)
                        wire.sendall(answer)
                except OSError:
                    continue

        Thread(target=answer_all, daemon=True).start()
        yield listener.getsockname()[1], certificate
        listener.shutdown(socket.SHUT_RDWR)


async def test_a_create_that_would_leave_after_its_deadline_does_not_leave() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield BODY

    async with bench() as (api, server):
        with pytest.raises(Unavailable, match="too late"):
            await api.create(pieces(), len(BODY), (), deadline=0.0)
        assert server.ledger.batches() == []


# Downloads


async def many(api: Api, requests: int) -> RemoteId:
    """Make a batch with results of some length."""
    body = json.dumps({"requests": [{"custom_id": f"r{n}", "params": PARAMS} for n in range(requests)]}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    made: RemoteId = (await api.create(pieces(), len(body), (), deadline=math.inf)).id
    return made


async def read(api: Api, remote: RemoteId, cuts: list[tuple[int, int]] | None = None) -> bytes:
    async def told(count: int, size: int) -> None:
        if cuts is not None:
            cuts.append((count, size))

    async with api.results(remote, None, told) as pieces:
        return b"".join([piece async for piece in pieces])


async def test_a_download_that_is_always_cut_goes_on_behind_the_cut() -> None:
    async with bench() as (api, server):
        made = await many(api, 30)
        whole = await read(api, made)
        server.faults.add(lasting("results", "cut", at=5_000))
        cuts: list[tuple[int, int]] = []
        assert await read(api, made, cuts) == whole
        assert [count for count, _ in cuts] == list(range(1, len(cuts) + 1))
        assert len(cuts) == (len(whole) - OVERLAP) // (5_000 - OVERLAP)
        assert [size for _, size in cuts] == sorted({size for _, size in cuts})


async def test_a_line_longer_than_what_comes_in_one_try_comes_all_the_same() -> None:
    async with bench() as (api, server):
        made = await many(api, 3)
        whole = await read(api, made)
        server.faults.add(lasting("results", "cut", at=300))
        assert await read(api, made) == whole


@pytest.mark.parametrize("kind", ["no_ranges", "status"])
async def test_a_cut_that_cannot_be_gone_on_from_is_told(kind: str) -> None:
    async with bench() as (api, server):
        made = await many(api, 30)
        server.faults.add(Fault(route="results", kind="cut", at=5_000))
        more = {"times": None} if kind == "no_ranges" else {"status": 416}
        server.faults.add(Fault(route="results", kind=kind, **more))
        with pytest.raises(Unavailable):
            await read(api, made)


async def test_another_file_behind_a_cut_is_not_taken_for_the_rest_of_the_first() -> None:
    async with bench() as (api, server):
        made = await many(api, 30)
        a_little_behind_a_line = (await read(api, made)).index(b"\n") + 50
        server.faults.add(Fault(route="results", kind="cut", at=a_little_behind_a_line))
        server.faults.add(Fault(route="results", kind="crlf"))
        with pytest.raises(Unavailable, match="not the same"):
            await read(api, made)


async def test_a_server_that_sends_nothing_but_cuts_is_not_asked_for_ever() -> None:
    async with bench() as (api, server):
        made = await many(api, 3)
        server.faults.add(lasting("results", "cut", at=0))
        with pytest.raises(Unavailable):
            await read(api, made)
        assert [call.route for call in server.ledger.calls].count("results") == 1
