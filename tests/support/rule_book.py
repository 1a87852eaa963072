"""What `check` says of a request against what the sandbox says of it, sent as the daemon would send it."""

import json
from collections import Counter
from typing import Any

import msgspec
from batchd.decisions.jobfile.reader import Rules, read
from batchd.model import Caution, Entry, Problem
from batchd.sandbox.checks import Terms
from batchd.sandbox.examiner import Examiner

CURRENT, BEFORE = "2026-10-21", "2023-06-01"
SAMPLING = {"temperature", "top_p", "top_k"}


def by_check(row: dict[str, Any]) -> tuple[str, Entry | None, bool]:
    """Its first error, the request it makes, and whether it calls the model unknown."""
    said = list(read(lambda: [json.dumps(row).encode()], ".jsonl", "x", Rules()))
    problems = [each for each in said if isinstance(each, Problem)]
    entry = next((each for each in said if isinstance(each, Entry)), None)
    strange = any(isinstance(each, Caution) and each.field == "params.model" for each in said)
    return (f"{problems[0].field}: {problems[0].message}" if problems else ""), entry, strange


def by_sandbox(row: dict[str, Any], entry: Entry | None) -> str:
    """Its refusal of the same request, sent as the daemon would send it."""
    betas = frozenset(entry.betas if entry else row.get("betas", ()))
    version = BEFORE if SAMPLING & row["params"].keys() else CURRENT
    defaults = {"model": Rules().model, "max_tokens": Rules().max_tokens}
    raw = entry.params if entry else msgspec.json.encode({**defaults, **row["params"]})
    refusal = Examiner(Counter()).examine(raw, Terms(version, betas), 0.0).refusal
    return refusal.message if refusal else ""


def disagreement(row: dict[str, Any]) -> str:
    error, entry, strange = by_check(row)
    refusal = by_sandbox(row, entry)
    if strange and refusal.startswith("model: "):
        return ""  # a name that only a gateway may know, and the sandbox is none
    if bool(error) == bool(refusal):
        return ""
    return f"check: {error or 'takes it'} | sandbox: {refusal or 'takes it'}"
