"""What batchd says was spent is what was charged: in every place where it says so, and in the sandbox's own books."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
from batchd.claude.price import price
from batchd.model import Usage
from batchd.sandbox import SandboxSettings, serve

from tests.acceptance.installation import Installation

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
BOOK = "Write three chapters, at least 600 words in all. [sandbox: truncate at 1500 rounds 2]"
TALLY = {"truncated": 20, "refused": 8, "short": 4, "expired": 4}
ORDERS = {
    "truncated": "[sandbox: truncate]",
    "refused": "[sandbox: refuse]",
    "expired": "[sandbox: expire]",
    "short": "",
}
COUNT = 200


def line(custom_id: str, prompt: str, **more: object) -> str:
    params = {"max_tokens": 2_000, "messages": [{"role": "user", "content": prompt}]}
    return json.dumps({"custom_id": custom_id, "params": params, **more})


def run(batchd: Installation) -> int:
    return batchd.call("run", "--once", "--sandbox").returncode


def in_the_sandboxes_books(batchd: Installation) -> dict[str, dict[str, int]]:
    """The tokens that each batch was charged for."""

    async def read() -> dict[str, dict[str, int]]:
        async with serve(SandboxSettings(state=batchd.state / "sandbox")) as server:
            return {entry.id: entry.usage for entry in server.ledger.batches()}

    return anyio.run(read)


def charged(books: dict[str, dict[str, int]], batches: list[str], model: str) -> tuple[Decimal, Decimal]:
    """What some batches cost: usage times prices, with batches and without."""
    tokens = Counter[str]()
    for batch in batches:
        tokens.update(books[batch])
    assert not tokens["cache_creation_input_tokens"]
    assert not tokens["cache_read_input_tokens"]
    cost = price(Usage(input_tokens=tokens["input_tokens"], output_tokens=tokens["output_tokens"]), model)
    assert cost.charged is not None
    assert cost.standard is not None
    return cost.charged, cost.standard


def told(batchd: Installation, by: str) -> list[dict[str, Any]]:
    answer: dict[str, Any] = json.loads(batchd.call("costs", "--by", by, "--json").stdout)
    assert (answer["by"], answer["days"]) == (by, 30)
    spent: list[dict[str, Any]] = answer["spent"]
    return spent


def usd(amount: object) -> Decimal:
    """An amount of a JSON number or a CSV field, to a hundred-thousandth of a cent."""
    return round(Decimal(str(amount)), 7)


def test_every_form_of_costs_agrees_with_the_jobs_and_with_the_books_of_the_sandbox(batchd: Installation) -> None:
    assert batchd.call("costs").returncode == 2, "there is nothing yet"
    batchd.drop("book.jsonl", "\n".join([json.dumps({"job": {"model": SONNET, "continue": 3}}), line("book", BOOK)]))
    assert run(batchd) == 0
    few = [json.dumps({"job": {"model": HAIKU}}), *(line(f"q{n}", f"Question {n}?") for n in range(20))]
    batchd.drop("few.jsonl", "\n".join(few))
    assert run(batchd) == 0

    books = in_the_sandboxes_books(batchd)
    jobs = {name: batchd.job(name) for name in ("book", "few")}
    assert len(jobs["book"]["batches"]) == 3, "two rounds follow the first"
    by_job = {each["job"]: each for each in told(batchd, "job")}
    by_model = {each["model"]: each for each in told(batchd, "model")}
    for name, model in (("book", SONNET), ("few", HAIKU)):
        batch, standard = charged(books, jobs[name]["batches"], model)
        for each in (jobs[name], by_job[name], by_model[model]):
            assert (usd(each["cost_usd"]), usd(each["standard_cost_usd"])) == (usd(batch), usd(standard))
    assert (by_job["book"]["answers"], by_job["few"]["answers"]) == (3, 20)

    days = told(batchd, "day")
    assert datetime.now(UTC).date().isoformat() in {each["day"] for each in days}
    assert sum(usd(each["cost_usd"]) for each in days) == sum(usd(each["cost_usd"]) for each in by_job.values())
    assert all(each["reserved_usd"] == 0 and each["answers_without_a_price"] == 0 for each in days)

    rows = list(csv.DictReader(io.StringIO(batchd.call("costs", "--by", "job", "--csv").stdout)))
    assert [(row["job"], usd(row["cost_usd"])) for row in rows] == [
        (name, usd(by_job[name]["cost_usd"])) for name in ("book", "few")
    ]
    table = batchd.call("costs", "--by", "job").stdout
    for name in ("book", "few"):
        assert f"${usd(by_job[name]['cost_usd']):.4f}" in table


def test_both_forms_at_once_are_a_wrong_call(batchd: Installation) -> None:
    ended = batchd.call("costs", "--json", "--csv")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


def test_what_is_under_way_is_told_as_reserved(under_way: Installation) -> None:
    (today,) = told(under_way, "day")
    (file,) = json.loads(under_way.call("check", "--json", "outbox/slow/request.md").stdout)["files"]
    assert (today["answers"], today["cost_usd"]) == (0, 0)
    assert usd(today["reserved_usd"]) == usd(file["worst_case_usd"]), "check tells what the daemon reserves"


def test_every_request_of_a_mixed_job_is_accounted_for_everywhere(batchd: Installation) -> None:
    fates = [fate for fate, count in TALLY.items() for _ in range(count)]
    fates += ["complete"] * (COUNT - len(fates))
    lines = [json.dumps({"job": {"model": HAIKU, "continue": 0}})]
    for number, fate in enumerate(fates):
        more = {"expect": {"words": 9_000}} if fate == "short" else {}
        lines.append(line(f"{fate}-{number}", f"Tell of {number}. {ORDERS.get(fate, '')}", **more))
    batchd.drop("mixed.jsonl", "\n".join(lines))
    assert run(batchd) == 1

    job = batchd.job("mixed")
    complete = COUNT - sum(TALLY.values())
    assert job["state"] == "partial"
    assert job["requests"] == {
        "total": COUNT,
        "complete": complete,
        "incomplete": TALLY["truncated"] + TALLY["refused"] + TALLY["short"],
        "errored": 0,
        "expired": TALLY["expired"],
        "canceled": 0,
        "rejected": 0,
    }
    folder = batchd.outbox / "mixed"
    report = [json.loads(each) for each in (folder / "report.jsonl").read_text().splitlines()]
    assert [row["custom_id"].split("-")[0] for row in report] == [row["verdict"] for row in report] == fates
    assert all((row["reason"] is None) == (row["verdict"] == "complete") for row in report)
    assert all(row["rounds"] == (row["verdict"] != "expired") for row in report)
    failures = [json.loads(each) for each in (folder / "failures.jsonl").read_text().splitlines()]
    assert Counter(each["failure"]["verdict"] for each in failures) == TALLY
    results = [json.loads(each) for each in (folder / "results.jsonl").read_text("utf-8").split("\n") if each]
    assert sorted(each["custom_id"] for each in results) == sorted(row["custom_id"] for row in report)

    batch, standard = charged(in_the_sandboxes_books(batchd), job["batches"], HAIKU)
    (spent,) = told(batchd, "job")
    assert spent["answers"] == COUNT - TALLY["expired"]
    for cost in (job["cost_usd"], spent["cost_usd"], sum(Decimal(str(row["cost_usd"])) for row in report)):
        assert usd(cost) == usd(batch)
    assert usd(job["standard_cost_usd"]) == usd(spent["standard_cost_usd"]) == usd(standard)
    for kind in ("input_tokens", "output_tokens"):
        assert job["usage"][kind] == spent[kind] == sum(row[kind] for row in report)
