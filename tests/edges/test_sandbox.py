"""The stand-in of the API, seen through the real SDK and, where that hides the wire, through a plain client."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import anthropic
import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types.messages import MessageBatch
from batchd.sandbox import Fault, SandboxServer, SandboxSettings, serve

from tests.support.effort import processor_seconds
from tests.support.house import until

pytestmark = pytest.mark.anyio

HEADERS = {"authorization": "Bearer sk-test", "anthropic-version": "2026-10-21"}
BATCHES = "/v1/messages/batches"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


class Bench:
    """A running sandbox, with everything to hit it with."""

    def __init__(self, server: SandboxServer, clock: Clock, sdk: AsyncAnthropic, http: httpx2.AsyncClient) -> None:
        self.server = server
        self.clock = clock
        self.sdk = sdk
        self.http = http

    async def create(self, *prompts: str, betas: str = "", **params: object) -> MessageBatch:
        headers = {"anthropic-beta": betas} if betas else {}
        requests: Any = [request(f"r{number}", prompt, **params) for number, prompt in enumerate(prompts)]
        return await self.sdk.messages.batches.create(requests=requests, extra_headers=headers)

    async def post(self, body: object, **headers: str) -> httpx2.Response:
        return await self.http.post(BATCHES, json=body, headers=headers)

    async def lines(self, batch: MessageBatch) -> list[dict[str, Any]]:
        response = await self.http.get(f"{BATCHES}/{batch.id}/results")
        assert response.status_code == 200
        return [json.loads(line) for line in response.content.split(b"\n") if line.strip()]

    async def results(self, batch: MessageBatch) -> dict[str, dict[str, Any]]:
        return {line["custom_id"]: line["result"] for line in await self.lines(batch)}


def request(custom_id: str = "r0", prompt: str = "Hello", **params: object) -> dict[str, object]:
    fixed = {"model": "claude-sonnet-4-6", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}]}
    return {"custom_id": custom_id, "params": {**fixed, **params}}


@asynccontextmanager
async def running(settings: SandboxSettings) -> AsyncIterator[Bench]:
    clock = Clock()
    async with (
        serve(settings, clock) as server,
        AsyncAnthropic(base_url=server.base_url, api_key="sk-test", max_retries=0) as sdk,
        httpx2.AsyncClient(base_url=server.base_url, headers=HEADERS) as http,
    ):
        yield Bench(server, clock, sdk, http)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running(SandboxSettings(duration=10.0)) as made:
        yield made


def message_of(response: httpx2.Response) -> str:
    error = response.json()
    assert error["type"] == "error"
    assert error["request_id"] == response.headers["request-id"]
    return str(error["error"]["message"])


# Batches, as the documentation tells them


async def test_a_batch_from_create_to_delete(bench: Bench) -> None:
    created = await bench.create("Hello", "[sandbox: expire]", "[sandbox: fail api_error]")
    assert created.id.startswith("msgbatch_")
    assert created.processing_status == "in_progress"
    assert created.results_url is None
    assert created.request_counts.processing == 3
    assert (created.expires_at - created.created_at).total_seconds() == 24 * 3600

    bench.clock.time += 9.9
    assert (await bench.sdk.messages.batches.retrieve(created.id)).request_counts.processing == 3

    bench.clock.time += 0.2
    ended = await bench.sdk.messages.batches.retrieve(created.id)
    assert ended.processing_status == "ended"
    assert ended.ended_at
    assert ended.request_counts.model_dump() == {
        "processing": 0,
        "succeeded": 1,
        "errored": 1,
        "canceled": 0,
        "expired": 1,
    }
    seen = {line.custom_id: line.result async for line in await bench.sdk.messages.batches.results(created.id)}
    assert {name: result.type for name, result in seen.items()} == {"r0": "succeeded", "r1": "expired", "r2": "errored"}
    answer, failure = seen["r0"], seen["r2"]
    assert answer.type == "succeeded"
    assert answer.message.usage.service_tier == "batch"
    assert answer.message.content[0].type == "text"
    assert answer.message.content[0].text.startswith("This is sandbox text")
    assert failure.type == "errored"
    assert failure.error.error.type == "api_error"

    assert (await bench.sdk.messages.batches.delete(created.id)).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        await bench.sdk.messages.batches.retrieve(created.id)


async def test_results_come_as_jsonl_in_another_order_and_always_the_same(bench: Bench) -> None:
    batch = await bench.create(*(f"Question {n}" for n in range(50)))
    bench.clock.time += 60
    response = await bench.http.get(f"{BATCHES}/{batch.id}/results")
    assert response.headers["content-type"].startswith("application/x-jsonl")
    ids = [line["custom_id"] for line in await bench.lines(batch)]
    assert sorted(ids) == sorted(f"r{n}" for n in range(50))
    assert ids != [f"r{n}" for n in range(50)]
    assert (await bench.http.get(f"{BATCHES}/{batch.id}/results")).content == response.content


async def test_every_answer_has_an_id_and_the_date_of_the_servers_clock(bench: Bench) -> None:
    batch = await bench.create("Hello")
    for path in (BATCHES, f"{BATCHES}/{batch.id}", f"{BATCHES}/none", "/elsewhere", "/v1/models", "/sandbox/ledger"):
        response = await bench.http.get(path)
        assert response.headers["request-id"].startswith("req_")
        assert parsedate_to_datetime(response.headers["date"]).timestamp() == bench.clock.time


async def test_lists_newest_first_and_pages_both_ways(bench: Bench) -> None:
    made = [(await bench.create(f"Number {n}")).id for n in range(5)]
    made.reverse()
    assert [batch.id async for batch in bench.sdk.messages.batches.list(limit=2)] == made

    page = (await bench.http.get(BATCHES, params={"limit": 2, "after_id": made[1]})).json()
    assert [batch["id"] for batch in page["data"]] == made[2:4]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, made[2], made[3])

    page = (await bench.http.get(BATCHES, params={"limit": 2, "before_id": made[3]})).json()
    assert [batch["id"] for batch in page["data"]] == made[1:3]
    assert page["has_more"]

    page = (await bench.http.get(BATCHES, params={"after_id": made[-1]})).json()
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("limit=x", "limit: Input should be a valid integer, unable to parse string as an integer"),
        ("after_id=a&before_id=b", "after_id and before_id cannot be used together"),
        ("after_id=nothing", "after_id: Could not find batch with id nothing."),
    ],
)
async def test_lists_refuse_wrong_paging(bench: Bench, query: str, message: str) -> None:
    response = await bench.http.get(f"{BATCHES}?{query}")
    assert response.status_code == 400
    assert message_of(response) == message


async def test_cancel_keeps_what_was_done(bench: Bench) -> None:
    batch = await bench.create(*("Hello",) * 10)
    bench.clock.time += 4.2
    canceling = await bench.sdk.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at
    assert canceling.request_counts.processing == 10
    assert (await bench.sdk.messages.batches.cancel(batch.id)).cancel_initiated_at == canceling.cancel_initiated_at

    bench.clock.time += 1
    ended = await bench.sdk.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert (ended.request_counts.succeeded, ended.request_counts.canceled) == (4, 6)
    kinds = [result["type"] for result in (await bench.results(batch)).values()]
    assert sorted(kinds) == ["canceled"] * 6 + ["succeeded"] * 4
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        await bench.sdk.messages.batches.cancel(batch.id)


async def test_what_takes_more_than_a_day_expires(bench: Bench) -> None:
    batch = await bench.create("Hello", "[sandbox: take 100000]")
    bench.clock.time += 24 * 3600
    ended = await bench.sdk.messages.batches.retrieve(batch.id)
    assert (ended.request_counts.succeeded, ended.request_counts.expired) == (1, 1)
    assert ended.ended_at == ended.expires_at


async def test_a_batch_that_never_ends_outlives_even_its_expiry(bench: Bench) -> None:
    batch = await bench.create("[sandbox: never]")
    bench.clock.time += 30 * 24 * 3600
    assert (await bench.sdk.messages.batches.retrieve(batch.id)).processing_status == "in_progress"
    await bench.sdk.messages.batches.cancel(batch.id)
    bench.clock.time += 30 * 24 * 3600
    assert (await bench.sdk.messages.batches.retrieve(batch.id)).processing_status == "canceling"


async def test_results_wait_for_the_end_and_are_gone_after_29_days(bench: Bench) -> None:
    batch = await bench.create("Hello")
    response = await bench.http.get(f"{BATCHES}/{batch.id}/results")
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    with pytest.raises(anthropic.BadRequestError, match="still processing"):
        await bench.sdk.messages.batches.delete(batch.id)
    bench.clock.time += 29 * 24 * 3600
    assert (await bench.sdk.messages.batches.retrieve(batch.id)).archived_at
    assert (await bench.http.get(f"{BATCHES}/{batch.id}/results")).status_code == 404


# What is refused at once


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "requests: Field required"),
        ({"requests": []}, "requests: List should have at least 1 item after validation, not 0"),
        ({"requests": {"a": 1}}, "requests: Input should be a valid list"),
        ({"requests": [request()], "name": "x"}, "name: Extra inputs are not permitted"),
        ({"requests": [5]}, "requests.0: Input should be a valid dictionary"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": "a", "params": []}]}, "requests.0.params: Input should be a valid dictionary"),
        ({"requests": [{"custom_id": {}, "params": {}}]}, "requests.0.custom_id: Input should be a valid string"),
        ({"requests": [{**request(), "url": "/"}]}, "requests.0.url: Extra inputs are not permitted"),
        ({"requests": [request("é")]}, "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ({"requests": [request("")]}, "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ({"requests": [request("a\n")]}, "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ({"requests": [request("a" * 65)]}, "requests.0.custom_id: String should have at most 64 characters"),
        (
            {"requests": [request("b"), request("a"), request("a")]},
            "requests: custom_id must be unique within a batch; found duplicate: a",
        ),
        (
            {"requests": [request(f"a{n}") for n in range(6)]},
            "requests: List should have at most 5 items after validation, not 6",
        ),
        ([], "Input should be a valid dictionary"),
    ],
)
async def test_a_malformed_create_is_refused_whole(body: object, message: str) -> None:
    async with running(SandboxSettings(max_requests=5)) as bench:
        response = await bench.post(body)
        assert response.status_code == 400
        assert message_of(response) == message
        assert bench.server.ledger.batches() == []
        assert not (await bench.http.get(BATCHES)).json()["data"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"requests":[{"custom_id":"a","params":{"x":}}]}',
        b'{"requests":[{"custom_id":"a","params":{"x":1]}]}',
        b'{"requests":[{"custom_id":"a","params":{},"params":{}}]}',
        b'{"requests":[{"custom_id":"a","params":{"x":"\xff"}}]}',
        b'{"requests":[{"custom_id":"a","params":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}]}",
    ],
)
async def test_what_is_not_json_is_refused(bench: Bench, body: bytes) -> None:
    response = await bench.http.post(BATCHES, content=body)
    assert response.status_code == 400
    assert message_of(response).startswith("The request body is not valid JSON")
    assert bench.server.ledger.batches() == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_meets_a_page_of_the_cdn(*, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    async with running(SandboxSettings(max_bytes=1_000_000)) as bench:
        response = await bench.http.post(BATCHES, content=pieces() if chunked else b" " * 4_000_000)
        assert response.status_code == 413
        assert response.headers["content-type"].startswith("text/html")
        with pytest.raises(anthropic.RequestTooLargeError):
            await bench.create("x" * 1_000_000)


async def test_a_key_and_a_version_are_needed() -> None:
    async with running(SandboxSettings(api_key="sk-right")) as bench:
        for headers, status, message in (
            ({"anthropic-version": "2026-10-21"}, 401, "x-api-key header is required"),
            ({"x-api-key": "sk-right"}, 400, "anthropic-version: header is required"),
            ({"x-api-key": "sk-wrong", "anthropic-version": "2026-10-21"}, 401, "invalid x-api-key"),
            (HEADERS, 401, "Invalid bearer token"),
            ({"x-api-key": "sk-right", "anthropic-version": "1"}, 400, 'anthropic-version: "1" is not a valid version'),
        ):
            async with httpx2.AsyncClient(base_url=bench.server.base_url, headers=headers) as http:
                response = await http.get(BATCHES)
                assert (response.status_code, message_of(response)) == (status, message)
        with pytest.raises(anthropic.AuthenticationError):
            await bench.create("Hello")
        async with AsyncAnthropic(base_url=bench.server.base_url, api_key="sk-right") as sdk:
            assert [batch async for batch in sdk.messages.batches.list()] == []


async def test_a_beta_has_to_look_like_one(bench: Bench) -> None:
    with pytest.raises(anthropic.BadRequestError, match="anthropic-beta"):
        await bench.create("Hello", betas="long output please")


async def test_unknown_paths_and_methods_are_errors_of_the_api(bench: Bench) -> None:
    assert message_of(await bench.http.get("/v1/elsewhere")) == "Not Found"
    assert (await bench.http.put(BATCHES)).status_code == 405


async def test_calls_above_the_rate_have_to_wait() -> None:
    async with running(SandboxSettings(requests_per_minute=2)) as bench:
        assert [(await bench.http.get(BATCHES)).status_code for _ in range(3)] == [200, 200, 429]
        bench.clock.time += 20
        with pytest.raises(anthropic.RateLimitError) as limited:
            await bench.sdk.messages.batches.retrieve("any")
        assert limited.value.response.headers["retry-after"] == "40"
        bench.clock.time += 40.1
        assert (await bench.http.get(BATCHES)).status_code == 200


async def test_the_queue_is_bounded() -> None:
    async with running(SandboxSettings(max_queued_requests=3)) as bench:
        await bench.create("Hello", "Hello")
        with pytest.raises(anthropic.RateLimitError):
            await bench.create("Hello", "Hello")
        bench.clock.time += 60
        await bench.create("Hello", "Hello")


# What is refused late


async def test_params_are_checked_only_in_processing_and_errors_are_nested_twice(bench: Bench) -> None:
    batch = await bench.create("Hello", temperature=1.0)
    bench.clock.time += 60
    result = (await bench.results(batch))["r0"]
    assert result["type"] == "errored"
    request_id = result["error"].pop("request_id")
    assert request_id.startswith("req_")
    assert result["error"] == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "temperature: Extra inputs are not permitted"},
    }


async def test_300k_is_a_matter_of_the_calls_beta(bench: Bench) -> None:
    plain = await bench.create("Hello", max_tokens=300_000)
    beta = await bench.create("Hello", max_tokens=300_000, betas="output-300k-2026-03-24")
    bench.clock.time += 60
    refused = (await bench.results(plain))["r0"]["error"]["error"]
    assert refused["message"] == (
        "max_tokens: 300000 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-4-6"
    )
    assert (await bench.results(beta))["r0"]["type"] == "succeeded"


async def test_models_and_counts_of_tokens(bench: Bench) -> None:
    models = [model.id async for model in bench.sdk.models.list(limit=5)]
    assert len(set(models)) == 18
    page = (await bench.http.get("/v1/models", params={"limit": 2, "before_id": models[5]})).json()
    assert [model["id"] for model in page["data"]] == models[3:5]
    found = await bench.sdk.models.retrieve("claude-sonnet-4-6")
    assert found.max_tokens == 128_000
    assert found.capabilities
    assert found.capabilities.batch.supported
    with pytest.raises(anthropic.NotFoundError):
        await bench.sdk.models.retrieve("gpt-5")
    messages: Any = [{"role": "user", "content": "x" * 4000}]
    counted = await bench.sdk.messages.count_tokens(model="claude-opus-5", messages=messages)
    assert 1000 <= counted.input_tokens <= 1020
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        await bench.sdk.messages.count_tokens(model="claude-opus-5", messages=[])


# Faults


async def test_faults_are_told_listed_and_cleared_over_http(bench: Bench) -> None:
    told = await bench.http.post(
        "/sandbox/faults", json=[{"route": "list", "kind": "status", "status": 529, "after": 1}]
    )
    assert told.json()[0]["status"] == 529
    assert [(await bench.http.get(BATCHES)).status_code for _ in range(3)] == [200, 529, 200]
    await bench.http.post("/sandbox/faults", json={"route": "list", "kind": "html", "times": 9})
    assert (await bench.http.delete("/sandbox/faults")).json() == []
    assert (await bench.http.get(BATCHES)).status_code == 200
    for wrong in ({"route": "lst", "kind": "status"}, {"route": "list", "kind": "cut"}, {"route": "list"}, 5):
        assert (await bench.http.post("/sandbox/faults", json=wrong)).status_code == 400


@pytest.mark.parametrize(
    ("fault", "error", "batches"),
    [
        (Fault(route="create", kind="status", status=429, retry_after=7), anthropic.RateLimitError, 0),
        (Fault(route="create", kind="status", status=500), anthropic.InternalServerError, 0),
        (Fault(route="create", kind="status", status=503, lands=True), anthropic.InternalServerError, 1),
        (Fault(route="create", kind="status", status=529), anthropic.APIStatusError, 0),
        (Fault(route="create", kind="detail", status=504, lands=True), anthropic.APIStatusError, 1),
        (Fault(route="create", kind="html", status=413), anthropic.RequestTooLargeError, 0),
        (Fault(route="create", kind="spend_cap"), anthropic.RateLimitError, 0),
        (Fault(route="create", kind="spend_limit"), anthropic.BadRequestError, 0),
        (Fault(route="create", kind="close"), anthropic.APIConnectionError, 0),
        (Fault(route="create", kind="close_late"), anthropic.APIConnectionError, 0),
        (Fault(route="create", kind="reset"), anthropic.APIConnectionError, 1),
        (Fault(route="create", kind="silence", seconds=0.05, lands=True), anthropic.APIConnectionError, 1),
        (Fault(route="create", kind="half"), (anthropic.APIError, httpx2.TransportError), 1),
        (Fault(route="create", kind="garbled"), (anthropic.APIError, json.JSONDecodeError), 1),
        (Fault(route="create", kind="status", status=401), anthropic.AuthenticationError, 0),
    ],
)
async def test_creates_go_wrong_with_and_without_effect(
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    error: type[Exception],
    batches: int,
) -> None:
    bench.server.faults.add(fault)
    with caplog.at_level(logging.INFO, "batchd.sandbox"), pytest.raises(error):
        await bench.create("Hello")
    assert len(bench.server.ledger.batches()) == batches
    assert not [record for record in caplog.records if record.name.startswith(("batchd.sandbox", "uvicorn"))]
    await bench.create("Hello")
    assert len(bench.server.ledger.batches()) == batches + 1


async def test_spend_limits_are_worded_as_the_api_words_them() -> None:
    faults = (Fault(route="create", kind="spend_cap"), Fault(route="create", kind="spend_limit"))
    async with running(SandboxSettings(faults=faults)) as bench:
        cap = await bench.post({"requests": [request()]})
        assert cap.json()["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
        assert "retry-after" not in cap.headers
        assert message_of(await bench.post({"requests": [request()]})).startswith("You have reached your specified")


async def test_a_created_batch_can_hide_from_lists(bench: Bench) -> None:
    bench.server.faults.add(Fault(route="create", kind="unlisted", seconds=30))
    batch = await bench.create("Hello")
    assert (await bench.http.get(BATCHES)).json()["data"] == []
    assert (await bench.sdk.messages.batches.retrieve(batch.id)).id == batch.id
    bench.clock.time += 30
    assert (await bench.http.get(BATCHES)).json()["data"][0]["id"] == batch.id


@pytest.mark.parametrize("route", ["retrieve", "results", "list", "cancel"])
async def test_reads_can_go_wrong_for_a_while(bench: Bench, route: str) -> None:
    batch = await bench.create("Hello")
    bench.clock.time += 60 if route == "results" else 0
    bench.server.faults.add(Fault(route=route, kind="status", status=404, times=2))
    paths = {"retrieve": f"/{batch.id}", "results": f"/{batch.id}/results", "list": "", "cancel": f"/{batch.id}/cancel"}
    method = "POST" if route == "cancel" else "GET"
    seen = [(await bench.http.request(method, BATCHES + paths[route])).status_code for _ in range(3)]
    assert seen == [404, 404, 200]


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("foreign_url", "https://results.invalid/v1/messages/batches/{id}/results"),
        ("relative_url", "/v1/messages/batches/{id}/results"),
        ("absent_url", None),
    ],
)
async def test_the_results_url_can_be_odd(bench: Bench, kind: str, seen: str | None) -> None:
    batch = await bench.create("Hello")
    bench.clock.time += 60
    bench.server.faults.add(Fault(route="retrieve", kind=kind))
    shown = (await bench.http.get(f"{BATCHES}/{batch.id}")).json()
    assert shown.get("results_url") == (seen and seen.format(id=batch.id))
    bench.server.faults.add(Fault(route="list", kind="sparse"))
    assert None not in (await bench.http.get(BATCHES)).json()["data"][0].values()


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        ("missing", lambda lines: len(lines) == 9),
        ("duplicate", lambda lines: len(lines) == 11 and lines[2] == lines[3]),
        ("foreign", lambda lines: len(lines) == 11 and b"foreign" in lines[2]),
        ("foreign_all", lambda lines: all(b"foreign" in line for line in lines)),
        ("malformed", lambda lines: len(lines) == 10 and not lines[2].endswith(b"}")),
        ("unknown_type", lambda lines: b"postponed" in lines[2]),
        ("crlf", lambda lines: all(line.endswith(b"\r") for line in lines)),
        ("blank_lines", lambda lines: lines[1::2] == [b""] * 10),
        ("flat_errors", lambda lines: json.loads(min(lines, key=len))["result"]["error"]["type"] == "api_error"),
    ],
)
async def test_result_lines_can_be_spoiled(bench: Bench, kind: str, holds: Callable[[list[bytes]], bool]) -> None:
    batch = await bench.create(*("Hello",) * 9, "[sandbox: fail api_error]")
    bench.clock.time += 60
    bench.server.faults.add(Fault(route="results", kind=kind, at=2))
    response = await bench.http.get(f"{BATCHES}/{batch.id}/results")
    assert holds(response.content.removesuffix(b"\n").split(b"\n"))
    assert len(await bench.lines(batch)) == 10


async def test_a_results_stream_can_be_slow(bench: Bench) -> None:
    batch = await bench.create("Hello")
    bench.clock.time += 60
    bench.server.faults.add(Fault(route="results", kind="slow", seconds=0.1))
    began = time.perf_counter()
    assert len(await bench.lines(batch)) == 1
    assert time.perf_counter() - began >= 0.1


async def test_a_results_stream_breaks_off_at_the_byte(bench: Bench) -> None:
    batch = await bench.create(*("Write 3,000 words",) * 20, max_tokens=9000)
    bench.clock.time += 60
    bench.server.faults.add(Fault(route="results", kind="cut", at=200_001))
    got = bytearray()

    async def read() -> None:
        async with bench.http.stream("GET", f"{BATCHES}/{batch.id}/results") as response:
            async for piece in response.aiter_raw():
                got.extend(piece)

    with pytest.raises(httpx2.TransportError):
        await read()
    whole = (await bench.http.get(f"{BATCHES}/{batch.id}/results")).content
    assert got == whole[:200_001]


# Money


async def test_the_ledger_knows_what_was_sent_and_charged(bench: Bench) -> None:
    first = await bench.create("Hello", "[sandbox: fail overloaded_error 1]", betas="output-300k-2026-03-24")
    bench.clock.time += 60
    second = await bench.create("Hello")
    ledger = bench.server.ledger
    one, two = ledger.batches()
    assert (one.id, one.count, one.betas, one.status) == (first.id, 2, ["output-300k-2026-03-24"], "ended")
    assert (two.id, two.status, two.billed, two.usage) == (second.id, "in_progress", {}, {})
    assert one.requests["r0"] == two.requests["r0"]
    assert sorted(ledger.accepted().values()) == [1, 2]
    assert ledger.billed() == {one.requests["r0"]: 1}

    answer = (await bench.results(first))["r0"]["message"]["usage"]
    assert ledger.usage()["output_tokens"] == answer["output_tokens"]
    await bench.sdk.messages.batches.delete(first.id)
    bench.clock.time += 60
    assert ledger.billed() == {one.requests["r0"]: 2}
    assert ledger.usage()["output_tokens"] == 2 * answer["output_tokens"]

    shown = (await bench.http.get("/sandbox/ledger")).json()
    assert [batch["deleted"] for batch in shown["batches"]] == [True, False]
    assert shown["billed"] == {one.requests["r0"]: 2}
    assert [call[1:] for call in shown["calls"]] == [
        ["create", 200],
        ["create", 200],
        ["results", 200],
        ["delete", 200],
    ]


async def test_told_to_fail_twice_it_succeeds_the_third_time(bench: Bench) -> None:
    kinds = []
    for _ in range(3):
        batch = await bench.create("[sandbox: fail overloaded_error 2]")
        bench.clock.time += 60
        kinds.append((await bench.results(batch))["r0"]["type"])
    assert kinds == ["errored", "errored", "succeeded"]


# Size, restarts, shutdown


async def test_a_large_batch_is_written_while_it_is_read(bench: Bench) -> None:
    prompts = [f"Write 190,000 words about {n}" for n in range(100)]
    batch = await bench.create(*prompts, max_tokens=300_000, betas="output-300k-2026-03-24")
    bench.clock.time += 60
    before, size = resident(), 0
    async with bench.http.stream("GET", f"{BATCHES}/{batch.id}/results") as response:
        async for piece in response.aiter_raw():
            size += len(piece)
    assert size > 100_000_000
    assert resident() - before < 40_000_000


async def test_a_large_body_does_not_stop_the_event_loop(bench: Bench) -> None:
    body = json.dumps({"requests": [request(f"r{n}", 'a "b" \n' * 60_000) for n in range(60)]}).encode()
    parsing = processor_seconds(lambda: json.loads(body))
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        while True:
            began = time.thread_time()
            await anyio.sleep(0.002)
            worst = max(worst, time.thread_time() - began)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        assert (await bench.http.post(BATCHES, content=body, timeout=60)).status_code == 200
        group.cancel_scope.cancel()
    assert worst < parsing


async def test_batches_survive_a_kill(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from batchd.sandbox import SandboxSettings, serve\n"
        "async def main():\n"
        "    async with serve(SandboxSettings(state=pathlib.Path(sys.argv[1]), duration=0.0)) as server:\n"
        "        print(server.base_url, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:  # noqa: ASYNC220  waited for at once
        assert process.stdout
        base_url = process.stdout.readline().strip()
        async with AsyncAnthropic(base_url=base_url, api_key="sk-test") as sdk:
            requests: Any = [request("r0", "[sandbox: fail api_error]"), request("r1")]
            batch = await sdk.messages.batches.create(requests=requests)
        process.send_signal(signal.SIGKILL)
    (tmp_path / "bodies" / "99.json").write_text("half a bo")

    async with running(SandboxSettings(state=tmp_path)) as bench:
        bench.clock.time = time.time() + 1
        found = await bench.sdk.messages.batches.retrieve(batch.id)
        assert (found.request_counts.succeeded, found.request_counts.errored) == (1, 1)
        assert (await bench.results(batch))["r1"]["type"] == "succeeded"
        again = await bench.create("[sandbox: fail api_error]")
        assert again.id != batch.id
        bench.clock.time += 60
        assert (await bench.results(again))["r0"]["type"] == "succeeded"


async def test_it_shuts_down_at_once_with_streams_open(caplog: pytest.LogCaptureFixture) -> None:
    broken: list[str] = []
    streaming, closing = anyio.Event(), anyio.Event()
    settings = SandboxSettings(duration=0.0, faults=(Fault(route="list", kind="silence", seconds=3_600),))
    async with httpx2.AsyncClient(headers=HEADERS) as http, anyio.create_task_group() as group:
        with caplog.at_level(logging.INFO):
            async with serve(settings) as server:
                body = {"requests": [request(f"r{n}", "Write 80,000 words", max_tokens=128_000) for n in range(40)]}
                batch = (await http.post(server.base_url + BATCHES, json=body)).json()

                async def read(path: str) -> None:
                    try:
                        async with http.stream("GET", server.base_url + path) as response:
                            streaming.set()
                            async for _ in response.aiter_raw():
                                await anyio.sleep(0 if closing.is_set() else 0.05)
                    except httpx2.TransportError:
                        broken.append(path)

                paths = [BATCHES, f"{BATCHES}/{batch['id']}/results"]
                for path in paths:
                    group.start_soon(read, path)
                await streaming.wait()
                await until(lambda: not server.faults.pending())
                closing.set()
            assert not [record for record in caplog.records if record.name.startswith(("batchd.sandbox", "uvicorn"))]
    assert sorted(broken) == sorted(paths)


def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        SandboxSettings(host="0.0.0.0")  # noqa: S104  this is what must not be


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("begun", [b"", b"POST /v1/messages HTTP/1.1\r\nhost: a"])
async def test_who_connects_and_asks_nothing_is_hung_up_on(tmp_path: Path, begun: bytes) -> None:
    async with serve(SandboxSettings(state=tmp_path, keep_alive=1)) as server:
        port = int(server.base_url.rpartition(":")[2])
        streams = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(20)]
        for stream in streams:
            await stream.send(begun)
        for stream in streams:
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            await stream.aclose()
