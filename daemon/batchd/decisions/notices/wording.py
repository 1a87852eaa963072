"""A notice as people read it: a title and a few lines of plain text."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from batchd.notice import Kind
from batchd.text.strictjson import Json

_Data: TypeAlias = Mapping[str, Json]


def worded(kind: Kind, data: _Data) -> tuple[str, tuple[str, ...]]:
    """Say a notice in a title and up to three lines."""
    title, lines = _WORDINGS[kind](data)
    if "url" in data:
        lines = [*lines, str(data["url"])]
    return f"batchd: {title}", tuple(lines[:3])


def _finished(data: _Data) -> tuple[str, list[str]]:
    requests = data.get("requests")
    lines = []
    if isinstance(requests, Mapping):
        lines.append(f"{requests.get('complete', 0):,} of {requests.get('total', 0):,} requests are complete")
    if isinstance(cost := data.get("cost_usd"), int | float):
        lines.append(f"{'a rehearsal' if data.get('sandbox') else f'cost ${cost:,.4f}'}")
    return f"job {data.get('job')} is {data.get('state')}", lines


_BARS: Final = {
    "price": "nobody knows the price of its model",
    "request": "a request may cost more than its budget",
    "job": "its budget has no room",
    "folder": "the budget of its folder has no room",
    "queue day": "the budget of its folder for a day has no room",
    "queue month": "the budget of its folder for a month has no room",
    "day": "the budget of the day has no room",
    "month": "the budget of the month has no room",
    "release": "it has come to the sum up to which it was released",
    "step answers": "answers that its next step needs are not complete",
    "step money": "a list in an answer is longer than its budget has room for",
    "step prompts": "its next step cannot be asked of the answers",
    "step restored": "what was sent of it before the state was restored is not known",
}


def _job_held(data: _Data) -> tuple[str, list[str]]:
    why = _BARS.get(str(data.get("reason")), "see batchd status")
    return f"job {data.get('job')} is held", [why, f"batchd release {data.get('job')} [--up-to USD]"]


def _batch_held(data: _Data) -> tuple[str, list[str]]:
    of = f" of job {data['job']}" if data.get("job") else ""
    return f"batch {data.get('batch')}{of} waits for a decision", [
        f"{data.get('requests')} requests; see batchd status"
    ]


def _rejected(data: _Data) -> tuple[str, list[str]]:
    if data.get("summary"):
        return f"{data.get('files')} more files are rejected", [f"{data.get('errors')} errors; see outbox/rejected"]
    return f"{data.get('file')} is rejected", [f"{data.get('errors')} errors; see {data.get('file')}.errors.json"]


def _instructions(data: _Data) -> tuple[str, list[str]]:
    folder = data.get("folder") or "the inbox"
    return f"the instructions of {folder} are wrong", [f"{data.get('errors')} errors; its files wait"]


PARKED_FOR: Final = {
    "key": "the API does not take the key",
    "money": "the account cannot pay, or its limit is reached",
    "endpoint": "there are no batches at the address of the API",
    "refused": "the API refuses all batches alike",
}


def _parked(data: _Data) -> tuple[str, list[str]]:
    why = PARKED_FOR.get(str(data.get("reason")), "see batchd status")
    return "nothing is sent", [why, "what is out is collected; it goes on by itself"]


def _budget(data: _Data) -> tuple[str, list[str]]:
    whose = f"the budget of {data.get('folder') or 'all'} for the {data.get('of')}"
    used, limit = data.get("used_usd"), data.get("limit_usd")
    return f"{data.get('percent')} % of {whose} are reached", [f"${used} of ${limit} are spent or reserved"]


def _disk(data: _Data) -> list[str]:
    return [f"{data.get('free_bytes'):,} bytes are free"]


def _digest(data: _Data) -> tuple[str, list[str]]:
    jobs = data.get("jobs")
    of = jobs if isinstance(jobs, Mapping) else {}
    told = ", ".join(f"{count} {state}" for state, count in of.items() if count) or "no job has finished"
    return f"the day: {told}", [
        f"{data.get('rejected', 0)} files rejected; {data.get('held', 0)} jobs and batches wait for a person",
        f"spent ${data.get('spent_usd', 0)}, reserved ${data.get('reserved_usd', 0)}",
    ]


_WORDINGS: Final[Mapping[Kind, Callable[[_Data], tuple[str, list[str]]]]] = {
    Kind.JOB_FINISHED: _finished,
    Kind.JOB_HELD: _job_held,
    Kind.BATCH_HELD: _batch_held,
    Kind.FILE_REJECTED: _rejected,
    Kind.INSTRUCTIONS: _instructions,
    Kind.SENDING_PARKED: _parked,
    Kind.SENDING_RESUMED: lambda _: ("it sends again", []),
    Kind.BUDGET_REACHED: _budget,
    Kind.RESULTS_EXPIRING: lambda data: (
        f"results of batch {data.get('batch')} will be deleted",
        [f"on {data.get('gone_at')}; see batchd status"],
    ),
    Kind.BATCH_OVERDUE: lambda data: (
        f"batch {data.get('batch')} is overdue",
        [f"{data.get('requests')} requests, sent {data.get('submitted_at')}"],
    ),
    Kind.DISK_LOW: lambda data: (f"little room for the {data.get('place')}", _disk(data)),
    Kind.DISK_ENOUGH: lambda data: (f"room again for the {data.get('place')}", _disk(data)),
    Kind.DIGEST: _digest,
    Kind.TEST: lambda _: ("a test", ["This sink is told of what happens."]),
}
