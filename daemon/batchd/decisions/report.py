"""What is reported of a job: how it ended, `job.json`, and a line of `report.jsonl` for each request."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from batchd.claude.cache_marks import unmarked
from batchd.claude.price import from_picodollars
from batchd.claude.verdict import AGAIN
from batchd.delivery import Filed, ReportRow, Tally
from batchd.formats import signed
from batchd.model import NOT_BEGUN, NOTHING_BEGUN, Job, Standing, Verdict

HELD = "held.json"
"""What a job that is held has in its folder, and a finished one has not."""


def state_of(job: Job, tally: Tally) -> str:
    """Say how a job ended: `done`, `partial`, `failed` or `cancelled`.

    Args:
        job: A finished one.
        tally: How its requests ended.
    """
    complete = tally.verdicts.get(Verdict.COMPLETE, 0)
    if complete == job.total and not job.steps_left:
        return "partial" if job.rejected or job.steps_note else "done"
    if job.cancel_wanted and (job.steps_left or tally.verdicts.get(Verdict.CANCELED)):
        return "cancelled"
    return "partial" if complete or any(tally.verdicts.get(v) for v in Verdict if v.incomplete) else "failed"


def summary(
    job: Job, tally: Tally, batches: list[str], cautions: Sequence[str] = (), standing: Standing = NOTHING_BEGUN
) -> dict[str, object]:
    """Return what `job.json` holds (docs/results.md)."""
    verdicts = tally.verdicts
    notes = [note for note in (job.steps_note, job.caution) if note]
    return {
        **signed("job"),
        "job": job.name,
        **rehearsal(sandbox=job.sandbox),
        "state": state_of(job, tally),
        "source": job.source,
        "received_at": timestamp(job.received_at),
        "finished_at": timestamp(job.finished_at or job.received_at),
        "requests": {
            "total": job.total,
            "complete": verdicts.get(Verdict.COMPLETE, 0),
            "incomplete": sum(count for verdict, count in verdicts.items() if verdict.incomplete),
            **{str(verdict): verdicts.get(verdict, 0) for verdict in AGAIN},
            "rejected": job.rejected,
        },
        "models": tally.models,
        "usage": _tokens(tally),
        "bounded": tally.bounded,
        "cost_usd": usd(tally.cost.charged),
        "standard_cost_usd": usd(tally.cost.standard),
        "cache": {"decision": job.cache, "saved_usd": usd(tally.saved)},
        "batches": batches,
        **({"steps": steps_as_data(job, standing)} if job.steps else {}),
        **({"cautions": [*cautions, *notes]} if cautions or notes else {}),
    }


def steps_as_data(job: Job, standing: Standing) -> list[dict[str, object]]:
    """How far a job is, step by step (docs/results.md)."""
    if job.steps is None:
        return []
    told: list[dict[str, object]] = []
    at = len(job.steps.steps) - job.steps_left
    for number, step in enumerate(job.steps.steps):
        if step.join:
            of: dict[str, object] = {"join": list(step.join), "document": f"documents/{step.write}"}
        else:
            begun = standing.get(number, NOT_BEGUN)
            requests = job.step_entries if number == at and job.step_entries is not None else begun.requests
            missing = begun.requests - begun.complete - begun.open
            of = {"requests": requests, "complete": begun.complete, "incomplete": missing, "open": begun.open}
        told.append({"step": step.name, "state": _state_of_step(job, standing, number, at), **of})
    return told


def _state_of_step(job: Job, standing: Standing, number: int, at: int) -> str:
    """Say in a word how a step stands: `waiting`, `held`, `asked`, `complete`, `incomplete` or `empty`."""
    step = job.steps.steps[number] if job.steps else None
    begun = standing.get(number, NOT_BEGUN)
    if number >= at and not begun.open and (number > at or not begun.requests or job.step_bar is not None):
        return "held" if number == at and job.step_bar is not None else "waiting"
    if step is not None and step.join:
        return "complete" if job.finished_at is not None else "waiting"
    if begun.open or number == at:
        return "asked"
    return "empty" if not begun.requests else "complete" if begun.whole else "incomplete"


def rehearsal(*, sandbox: bool) -> dict[str, object]:
    """What every object with figures says where they are those of a rehearsal, and leaves out where they are money."""
    return {"sandbox": True} if sandbox else {}


def reported(row: ReportRow, *, sandbox: bool) -> dict[str, object]:
    """Return what a line of `report.jsonl` holds (docs/results.md).

    Args:
        sandbox: Whether its job is a rehearsal.
    """
    return {
        "custom_id": row.custom_id,
        **rehearsal(sandbox=sandbox),
        "model": row.model,
        "verdict": row.verdict,
        "reason": row.reason or None,
        "stop_reason": row.stop_reason,
        **_tokens(row),
        **({"bounded": True} if row.bounded else {}),
        "cost_usd": usd(row.cost.charged),
        "standard_cost_usd": usd(row.cost.standard),
        "attempts": row.attempts,
        "rounds": row.rounds,
        "batches": row.batches,
        "document": row.document,
        "sections": [{"title": title, "file": file} for title, file in row.sections],
        **(_files(row.filed) if row.filed else {}),
        "chain": [_trip(trip) for trip in row.chain],
    }


def failure(row: ReportRow, params: bytes | None) -> dict[str, object]:
    """Return what a line of `failures.jsonl` holds: the request, to be dropped again, and why it failed.

    Args:
        row: A request that is not complete.
        params: As they were spooled; None where they cannot be read any more.
    """
    said: dict[str, object] = {"custom_id": row.custom_id}
    reason = row.reason
    if params is None:
        reason = f"{reason}; its params are gone from the state folder: take them from the request as it was dropped"
    else:
        said["params"] = unmarked(msgspec.json.decode(params)) if row.cached else msgspec.Raw(params)
    return {**said, **row.settings, "failure": {"verdict": row.verdict, "reason": reason}}


def _files(filed: Filed) -> dict[str, object]:
    return {
        "files": filed.written,
        "files_refused": [{"path": path, "reason": reason} for path, reason in filed.refused],
    }


def _trip(trip: dict[str, object]) -> dict[str, object]:
    cost, bounded = trip.pop("cost_picodollars"), trip.pop("bounded")
    return {
        **trip,
        **({"bounded": True} if bounded else {}),
        "cost_usd": usd(from_picodollars(cost)) if isinstance(cost, int) else None,
    }


def _tokens(of: Tally | ReportRow) -> dict[str, int]:
    usage = of.usage
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
    }


def timestamp(moment: float) -> str:
    """Write a moment as RFC 3339, in UTC.

    Args:
        moment: Unix seconds.
    """
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def usd(amount: Decimal | None) -> float | None:
    """An amount as a JSON number; a double holds any bill to the last digit that is charged."""
    return None if amount is None else float(amount)
