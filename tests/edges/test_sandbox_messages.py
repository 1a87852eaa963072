"""Messages that come by themselves, seen through the SDK and, where that hides the wire, through a plain client."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic
from batchd.sandbox import Fault, Receipt, SandboxServer, SandboxSettings, messages, serve
from batchd.sandbox.stream import events

from tests.support.house import until

pytestmark = pytest.mark.anyio

HEADERS = {"authorization": "Bearer sk-test", "anthropic-version": "2026-10-21"}
PATH = "/v1/messages"
NUMBERS = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "words": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    "required": ["n", "words"],
    "additionalProperties": False,
}
FORCED: dict[str, Any] = {
    "tools": [{"name": "f", "input_schema": NUMBERS}],
    "tool_choice": {"type": "tool", "name": "f"},
}
FORM: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": NUMBERS}}}
BETA = "output-300k-2026-03-24"


class Bench:
    """A running sandbox, with everything to hit it with."""

    def __init__(self, server: SandboxServer, sdk: AsyncAnthropic, http: httpx2.AsyncClient) -> None:
        self.server = server
        self.sdk = sdk
        self.http = http

    async def batch(self, *params: dict[str, Any], betas: str = "") -> list[dict[str, Any]]:
        requests: Any = [{"custom_id": f"r{number}", "params": each} for number, each in enumerate(params)]
        headers = {"anthropic-beta": betas} if betas else {}
        batch = await self.sdk.messages.batches.create(requests=requests, extra_headers=headers)
        content = (await self.http.get(f"{PATH}/batches/{batch.id}/results")).content
        lines = {line["custom_id"]: line["result"] for line in map(json.loads, content.splitlines())}
        return [lines[f"r{number}"] for number in range(len(params))]

    async def events(self, **params: Any) -> list[tuple[str, dict[str, Any]]]:
        response = await self.http.post(PATH, json={**params, "stream": True})
        assert response.status_code == 200
        return told(response.content)

    def receipts(self) -> list[Receipt]:
        return self.server.ledger.messages()


def asked(prompt: str = "Hello", **params: Any) -> dict[str, Any]:
    fixed = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}]}
    return {**fixed, **params}


def told(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, each as two lines and an empty one."""
    found = []
    for block in body.removesuffix(b"\n\n").split(b"\n\n"):
        event, data = block.split(b"\n")
        assert event.startswith(b"event: ")
        assert data.startswith(b"data: ")
        found.append((event.removeprefix(b"event: ").decode(), json.loads(data.removeprefix(b"data: "))))
    assert all(name == data["type"] for name, data in found)
    return found


def text_of(found: list[tuple[str, dict[str, Any]]]) -> str:
    return "".join(data["delta"].get("text", "") for name, data in found if name == "content_block_delta")


@asynccontextmanager
async def running(settings: SandboxSettings) -> AsyncIterator[Bench]:
    async with (
        serve(settings) as server,
        AsyncAnthropic(base_url=server.base_url, api_key="sk-test", max_retries=0) as sdk,
        httpx2.AsyncClient(base_url=server.base_url, headers=HEADERS) as http,
    ):
        yield Bench(server, sdk, http)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running(SandboxSettings(duration=0.0)) as made:
        yield made


# The answer


@pytest.mark.parametrize(
    ("prompt", "params"),
    [
        ("Hello", {}),
        ("Write 900 words", {"max_tokens": 2000}),
        ("Write 9,000 words", {"max_tokens": 500}),
        ("Hello", {"thinking": {"type": "adaptive"}}),
        ("Hello", {"stop_sequences": ["nobody"]}),
        ("Hello", {"system": "Be brief [sandbox: words 40]"}),
        ("[sandbox: thinking 50] [sandbox: blocks 3]", {}),
        ("[sandbox: truncate at 100]", {}),
        ("[sandbox: pause]", {}),
        ("[sandbox: refuse]", {}),
        ("[sandbox: stop tool_use]", {}),
        ("Sections: A, B, C [sandbox: omit B]", {}),
        ("[sandbox: unicode]", {}),
        ("Hello", FORCED),
        ("Hello", {**FORCED, "thinking": {"type": "adaptive"}, "tool_choice": {"type": "auto"}}),
        ("Hello", {**FORCED, "max_tokens": 2}),
        ("Hello", FORM),
        ('[sandbox: json {"n": [1, {"m": "…"}]}]', FORCED),
    ],
)
async def test_the_answer_is_that_of_a_batch_whole_or_streamed(
    bench: Bench, prompt: str, params: dict[str, Any]
) -> None:
    request = asked(prompt, **params)
    (result,) = await bench.batch(request)
    batched = result["message"]
    whole = (await bench.sdk.messages.create(**request)).model_dump(mode="json", exclude_unset=True)
    async with bench.sdk.messages.stream(**request) as stream:
        pieces = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    streamed = final.model_dump(mode="json", exclude_unset=True)
    assert len({batched["id"], whole["id"], streamed["id"]}) == 3
    assert batched["usage"].pop("service_tier") == "batch"
    for message in (batched, whole, streamed):
        message.pop("id")
        message["usage"].pop("service_tier", None)
        for block in message["content"]:
            block.pop("id", None)
            block.pop("caller", None)  # the SDK's own
    assert whole == batched
    assert streamed == batched
    assert "".join(pieces) == "".join(block.get("text", "") for block in batched["content"])


async def test_a_stream_is_told_in_the_events_of_the_api(bench: Bench) -> None:
    found = await bench.events(**asked("[sandbox: thinking 30]"))
    names = [name for name, _ in found]
    shape = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert shape == ["message_start", block[0], "ping", *block[1:], *block, "message_delta", "message_stop"]

    opening, ending = found[0][1]["message"], found[-2][1]
    assert (opening["content"], opening["stop_reason"], opening["usage"]["output_tokens"]) == ([], None, 1)
    deltas = [(data["index"], data["delta"]["type"]) for name, data in found if name == "content_block_delta"]
    assert sorted(set(deltas)) == [(0, "signature_delta"), (0, "thinking_delta"), (1, "text_delta")]
    assert [kind for index, kind in deltas if index == 0][-1] == "signature_delta"
    assert deltas.count((1, "text_delta")) > 5
    assert ending["delta"]["stop_reason"] == "end_turn"
    assert ending["usage"]["output_tokens"] == bench.receipts()[0].usage["output_tokens"]
    assert ending["usage"]["output_tokens_details"] == {"thinking_tokens": 30}


async def test_a_stream_says_what_it_is(bench: Bench) -> None:
    response = await bench.http.post(PATH, json={**asked(), "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["request-id"].startswith("req_")


async def test_a_long_answer_streams_in_hundreds_of_pieces_not_in_thousands(bench: Bench) -> None:
    request = asked("Write 60,000 words", max_tokens=128_000)
    found = await bench.events(**request)
    assert len(found) < 520
    assert text_of(found) == (await bench.batch(request))[0]["message"]["content"][0]["text"]


def test_events_are_due_in_order_and_add_up() -> None:
    usage = {"input_tokens": 9, "output_tokens": 30, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    message = {
        "content": [{"type": "thinking", "thinking": "x" * 40, "signature": "y"}, {"type": "text", "text": "z" * 79}],
        **dict.fromkeys(("container", "stop_details", "stop_reason", "stop_sequence")),
        "usage": {**usage, "output_tokens_details": None, "server_tool_use": None},
    }
    found = events(message)
    assert [event.due for event in found] == sorted(event.due for event in found)
    assert [event.sent for event in found] == [0, 0, 0, 10, 10, 10, 10, 22, 30, 30, 30, 30]
    assert (found[0].due, found[-1].due) == (0.0, 1.0)


async def test_a_warm_up_writes_the_cache_and_nothing_else(bench: Bench) -> None:
    system = [{"type": "text", "text": "word " * 2000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    warm = await bench.sdk.messages.create(**asked(system=system, max_tokens=0))
    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)
    assert warm.usage.cache_creation_input_tokens
    assert (await bench.sdk.messages.create(**asked(system=system))).usage.cache_read_input_tokens


async def test_messages_and_batches_share_the_prompt_cache(bench: Bench) -> None:
    def cached(word: str) -> dict[str, Any]:
        control = {"type": "ephemeral", "ttl": "1h"}
        return asked(system=[{"type": "text", "text": f"{word} " * 2000, "cache_control": control}])

    written = (await bench.sdk.messages.create(**cached("one"))).usage.cache_creation_input_tokens
    usage = (await bench.batch(cached("one")))[0]["message"]["usage"]
    assert usage["cache_read_input_tokens"] == written

    written = (await bench.batch(cached("two")))[0]["message"]["usage"]["cache_creation_input_tokens"]
    async with bench.sdk.messages.stream(**cached("two")) as stream:
        assert (await stream.get_final_message()).usage.cache_read_input_tokens == written
    assert bench.server.ledger.message_usage()["cache_read_input_tokens"] == written


# What is refused, at once


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("change", "status", "kind", "message"),
    [
        ({"temperature": 1.0}, 400, "invalid_request_error", "temperature: Extra inputs are not permitted"),
        ({"messages": []}, 400, "invalid_request_error", "messages: at least one message is required"),
        ({"model": "gpt-5"}, 404, "not_found_error", "model: gpt-5"),
        ({"speed": "fast"}, 400, "invalid_request_error", "speed: not supported by the sandbox"),
        ({"fallbacks": []}, 400, "invalid_request_error", "fallbacks: not supported by the sandbox"),
        ({"max_tokens": -1}, 400, "invalid_request_error", "max_tokens: Input should be greater than or equal to 1"),
        (
            {"max_tokens": 128_001},
            400,
            "invalid_request_error",
            "max_tokens: 128001 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-4-6",
        ),
    ],
)
async def test_wrong_params_are_refused_at_once(  # noqa: PLR0913  one row of the table
    bench: Bench, change: dict[str, Any], status: int, kind: str, message: str, *, stream: bool
) -> None:
    response = await bench.http.post(PATH, json={**asked(stream=stream), **change})
    assert response.status_code == status
    assert response.json() == {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": response.headers["request-id"],
    }
    assert bench.receipts() == []


@pytest.mark.parametrize(
    "change",
    [
        {"stream": True},
        {"tool_choice": {"type": "any"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ],
)
async def test_a_warm_up_cannot_ask_for_an_answer(bench: Bench, change: dict[str, Any]) -> None:
    response = await bench.http.post(PATH, json=asked(max_tokens=0, **change))
    assert response.status_code == 400
    assert "max_tokens" in response.json()["error"]["message"]


async def test_300k_is_for_batches_only(bench: Bench) -> None:
    for max_tokens in (300_000, 1000):
        with pytest.raises(anthropic.BadRequestError, match="Message Batches API only"):
            await bench.sdk.messages.create(
                **asked(max_tokens=max_tokens), timeout=9, extra_headers={"anthropic-beta": BETA}
            )
    assert (await bench.batch(asked(max_tokens=300_000), betas=BETA))[0]["type"] == "succeeded"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model":', b"[" * 5000])
async def test_what_is_no_json_object_is_refused(bench: Bench, body: bytes) -> None:
    response = await bench.http.post(PATH, content=body)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_a_body_that_is_too_large_meets_a_page_of_the_cdn(bench: Bench) -> None:
    response = await bench.http.post(PATH, content=b" " * 32_000_001)
    assert response.status_code == 413
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("overloaded_error", 529),
        ("rate_limit_error", 429),
        ("api_error", 500),
        ("timeout_error", 504),
        ("invalid_request_error", 400),
        ("of_its_own", 500),
    ],
)
async def test_told_to_fail_it_answers_with_the_status_of_the_error(bench: Bench, kind: str, status: int) -> None:
    request = asked(f"[sandbox: fail {kind} 2]")
    for stream in (True, False):
        response = await bench.http.post(PATH, json={**request, "stream": stream})
        assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    assert bench.receipts() == []
    assert (await bench.batch(request))[0]["type"] == "succeeded"


async def test_only_batches_expire(bench: Bench) -> None:
    assert (await bench.sdk.messages.create(**asked("[sandbox: expire]"))).stop_reason == "end_turn"


# Time


async def test_streams_take_the_time_they_are_told_side_by_side(bench: Bench) -> None:
    arrivals: list[tuple[int, float]] = []

    async def read(number: int) -> None:
        async with bench.sdk.messages.stream(**asked("[sandbox: take 1.5]")) as stream:
            arrivals.extend([(number, time.perf_counter() - began) async for _ in stream.text_stream])

    began = time.perf_counter()
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(read, number)
    for number in range(3):
        times = [at for of, at in arrivals if of == number]
        assert times[-1] >= 1.2
        # None comes before its time; a busy machine may deliver any of them later.
        assert all(at >= 1.5 * place / len(times) - 0.2 for place, at in enumerate(times))
    firsts = [next(at for of, at in arrivals if of == number) for number in range(3)]
    assert max(firsts) < max(at for _, at in arrivals), "side by side"


async def test_a_whole_answer_takes_its_time_too() -> None:
    async with running(SandboxSettings(message_duration=0.2)) as bench:
        for prompt, seconds in (("Hello", 0.2), ("[sandbox: take 0.3]", 0.3)):
            began = time.perf_counter()
            await bench.sdk.messages.create(**asked(prompt))
            assert time.perf_counter() - began >= seconds


async def test_who_hangs_up_pays_for_what_was_sent(bench: Bench) -> None:
    async with bench.sdk.messages.stream(**asked("Write 400 words [sandbox: take 20]")) as stream:
        async for _ in stream.text_stream:
            break
    receipt = await settled(bench)
    assert receipt.status == "cut"
    assert 10 <= receipt.usage["output_tokens"] < 100
    assert receipt.usage["input_tokens"] > 0


async def test_a_stream_that_never_comes_pings_until_the_caller_is_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_BETWEEN_PINGS", 0.05)
    got = bytearray()
    async with bench.http.stream("POST", PATH, json=asked("[sandbox: never]", stream=True)) as response:
        async for piece in response.aiter_raw():
            got += piece
            if got.count(b"event: ping") == 4:
                break
    assert b"content_block_delta" not in got
    (receipt,) = bench.receipts()
    assert (receipt.status, receipt.usage["output_tokens"]) == ("cut", 0)


async def test_a_whole_answer_is_paid_whoever_still_waits(bench: Bench) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: bench.sdk.messages.create(**asked("[sandbox: never]")))
        await until(lambda: [each for each in bench.receipts() if each.status == "whole"])
        group.cancel_scope.cancel()
    (receipt,) = bench.receipts()
    assert receipt.usage["output_tokens"] > 10


async def settled(bench: Bench) -> Receipt:
    """What is charged in the end, which only the server knows when it has noticed that the caller is gone."""
    await until(lambda: bench.receipts()[-1].usage["output_tokens"])
    return bench.receipts()[-1]


# Faults


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error", "paid"),
    [
        (Fault(route="message", kind="status", status=429, retry_after=7), anthropic.RateLimitError, 0),
        (Fault(route="message", kind="status", status=529), anthropic.OverloadedError, 0),
        (Fault(route="message", kind="status", status=503, lands=True), anthropic.InternalServerError, 1),
        (Fault(route="message", kind="detail", status=502), anthropic.InternalServerError, 0),
        (Fault(route="message", kind="html", status=413), anthropic.RequestTooLargeError, 0),
        (Fault(route="message", kind="spend_cap"), anthropic.RateLimitError, 0),
        (Fault(route="message", kind="spend_limit"), anthropic.BadRequestError, 0),
        (Fault(route="message", kind="close"), anthropic.APIConnectionError, 0),
        (Fault(route="message", kind="close_late"), anthropic.APIConnectionError, 0),
        (Fault(route="message", kind="reset"), anthropic.APIConnectionError, 1),
        (Fault(route="message", kind="silence", seconds=0.05), anthropic.APIConnectionError, 0),
        (Fault(route="message", kind="silence", seconds=0.05, lands=True), anthropic.APIConnectionError, 1),
        (Fault(route="message", kind="half"), (anthropic.APIConnectionError, httpx2.RemoteProtocolError), 1),
    ],
)
async def test_calls_go_wrong_with_and_without_being_paid(
    bench: Bench, fault: Fault, error: type[Exception], paid: int, *, stream: bool
) -> None:
    async def call() -> None:
        if stream:
            async with bench.sdk.messages.stream(**asked()) as events:
                await events.until_done()
        else:
            await bench.sdk.messages.create(**asked())

    bench.server.faults.add(fault)
    with pytest.raises(error):
        await call()
    assert [receipt.status for receipt in bench.receipts()] == ["whole"] * paid
    await call()
    assert list(bench.server.ledger.billed().values()) == [paid + 1]


async def test_a_stream_breaks_off_at_the_byte_and_what_was_sent_is_paid(bench: Bench) -> None:
    request = asked(stream=True)
    bench.server.faults.add(Fault(route="message", kind="cut", at=1500))
    got = bytearray()

    async def read() -> None:
        async with bench.http.stream("POST", PATH, json=request) as response:
            async for piece in response.aiter_raw():
                got.extend(piece)

    with pytest.raises(httpx2.RemoteProtocolError):
        await read()
    assert len(got) == 1500
    (receipt,) = bench.receipts()
    heard = text_of(told(bytes(got[: got.rindex(b"\n\n") + 2])))
    assert (receipt.status, receipt.usage["output_tokens"]) == ("cut", len(heard) // 4)


async def test_an_error_can_come_in_mid_stream(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="message", kind="error_event", status=529, at=1500))
    found = await bench.events(**asked())
    assert found[-1][0] == "error"
    assert found[-1][1]["error"]["type"] == "overloaded_error"
    (receipt,) = bench.receipts()
    assert (receipt.status, receipt.usage["output_tokens"]) == ("cut", len(text_of(found)) // 4)

    bench.server.faults.add(Fault(route="message", kind="error_event", status=500))
    with pytest.raises(anthropic.APIStatusError, match="api_error"):
        async with bench.sdk.messages.stream(**asked()) as stream:
            await stream.until_done()
    bench.server.faults.add(Fault(route="message", kind="error_event"))
    assert (await bench.sdk.messages.create(**asked())).stop_reason == "end_turn"


async def test_a_stream_can_end_as_if_that_were_all(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="message", kind="unfinished", at=1500))
    async with bench.sdk.messages.stream(**asked()) as stream:
        message = await stream.get_final_message()
    assert message.stop_reason is None
    (receipt,) = bench.receipts()
    assert receipt.status == "cut"


async def test_a_stream_can_be_slow(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="message", kind="slow", seconds=0.02))
    began = time.perf_counter()
    found = await bench.events(**asked())
    assert time.perf_counter() - began >= 0.02 * len(found)


# Money


async def test_the_ledger_tells_messages_from_batches(bench: Bench) -> None:
    request = asked()
    await bench.batch(request, asked("Another"))
    alone = bench.server.ledger.usage()
    message = await bench.sdk.messages.create(**request)
    async with bench.sdk.messages.stream(**request) as stream:
        await stream.until_done()
    shown = (await bench.http.get("/sandbox/ledger")).json()
    digest = shown["messages"][0]["digest"]
    assert shown["messages"][0] == {
        "id": message.id,
        "digest": digest,
        "status": "whole",
        "usage": {
            "input_tokens": message.usage.input_tokens,
            "output_tokens": message.usage.output_tokens,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        },
    }
    assert sorted(shown["billed"].values()) == [1, 3]
    assert shown["billed"][digest] == 3
    assert shown["accepted"][digest] == 1
    assert shown["usage"] == alone
    assert shown["message_usage"]["output_tokens"] == 2 * message.usage.output_tokens
    assert [call[1:] for call in shown["calls"]][-2:] == [["message", 200], ["message", 200]]


async def test_receipts_survive_the_process(tmp_path: Path) -> None:
    async with running(SandboxSettings(state=tmp_path)) as bench:
        await bench.sdk.messages.create(**asked())
        before = bench.receipts()
    async with running(SandboxSettings(state=tmp_path)) as bench:
        assert bench.receipts() == before
        await bench.sdk.messages.create(**asked())
        assert list(bench.server.ledger.billed().values()) == [2]


async def test_it_shuts_down_at_once_with_streams_open(caplog: pytest.LogCaptureFixture) -> None:
    async with httpx2.AsyncClient(headers=HEADERS) as http:
        async with serve(SandboxSettings()) as server:
            call = http.build_request("POST", server.base_url + PATH, json=asked("[sandbox: never]", stream=True))
            response = await http.send(call, stream=True)
        with pytest.raises(httpx2.TransportError):
            await response.aread()
    assert not [record for record in caplog.records if record.name.startswith(("batchd.sandbox", "uvicorn"))]
