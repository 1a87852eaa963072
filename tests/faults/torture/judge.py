"""Compares what lies in the folders and in the ledger with what an undisturbed run left there."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from batchd.edges.evidence import NAME as EVIDENCE
from batchd.edges.inbox import INSTRUCTIONS

from tests.faults.torture.scenario import Home

_BATCH = re.compile(rb"msgbatch_\w+")
_WHEN = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_SPOOL = "state/spool/"
_OF_ITS_RUN = ("received_at", "finished_at", "batches")


@dataclass(frozen=True, slots=True)
class JobLeft:
    """What one job has in the outbox."""

    summary: dict[str, Any]
    """`job.json`, without what differs from run to run."""
    results: list[tuple[str, str, str]]
    """custom_id, type and text of each line, sorted."""
    report: list[dict[str, Any]]
    files: dict[str, bytes]
    """The others by name, documents too."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a whole run has left."""

    jobs: dict[str, JobLeft]
    rejected: dict[str, bytes]
    litter: list[str]
    """What should not be there any more: files in the inbox, claims, spool, hidden names."""
    accepted: Counter[str]
    """How often the API took each request."""
    told: frozenset[str] = frozenset()
    """What stands in `events.jsonl`: which jobs have finished, which files were refused."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Why jobs that have not finished wait for a person, but for when."""


@dataclass(slots=True)
class Flaws:
    """What is wrong with a run."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __iadd__(self, more: "Flaws") -> Self:
        self.lost += more.lost
        self.doubled += more.doubled
        self.wrong += more.wrong
        return self

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        kinds = {"lost": self.lost, "doubled": self.doubled, "wrong": self.wrong}
        return "; ".join(f"{kind}: {', '.join(said)}" for kind, said in kinds.items() if said) or "none"


def look(home: Home, ledger: dict[str, Any], *, swept: bool = True) -> Left:
    """See what is there when no daemon works; a spool that no start has swept since may hold what nobody needs."""
    jobs = {
        str(summary.parent.relative_to(home.outbox)): _job(summary.parent) for summary in home.outbox.rglob("job.json")
    }
    refused = home.outbox / "rejected"
    return Left(
        jobs=jobs,
        rejected={str(file.relative_to(refused)): file.read_bytes() for file in _files(refused)},
        litter=sorted(_litter(home, jobs, swept=swept)),
        accepted=Counter(ledger["accepted"]),
        told=_told(home.outbox / "events.jsonl"),
        held=_held(home.outbox),
    )


def _held(outbox: Path) -> dict[str, str]:
    return {
        str(note.parent.relative_to(outbox)): _WHEN.sub("…", str(_parsed(note.read_bytes()).get("reason")))
        for note in outbox.rglob("held.json")
        if not (note.parent / "job.json").exists()
    }


def _told(file: Path) -> frozenset[str]:
    if not file.exists():
        return frozenset()
    events = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return frozenset(
        f"{event['type']} {event['data'].get('job') or event['data'].get('file')}"
        for event in events
        if event["type"] in {"batchd.job.finished", "batchd.file.rejected"}
    )


def compare(found: Left, expected: Left) -> Flaws:
    """Say what differs from the undisturbed run."""
    flaws = Flaws()
    flaws.lost += [f"job {name}" for name in expected.jobs if name not in found.jobs]
    flaws.doubled += [f"job {name}" for name in found.jobs if name not in expected.jobs]
    flaws.lost += [f"refusal {name}" for name in expected.rejected if name not in found.rejected]
    flaws.doubled += [f"refusal {name}" for name in found.rejected if name not in expected.rejected]
    flaws.wrong += [
        f"refusal {name} differs" for name, told in found.rejected.items() if told != expected.rejected.get(name, told)
    ]
    flaws.lost += [f"notice {each}" for each in sorted(expected.told - found.told)]
    more, less = found.accepted - expected.accepted, expected.accepted - found.accepted
    flaws.doubled += [f"request {digest[:8]} sent {count} times too often" for digest, count in more.items()]
    flaws.lost += [f"request {digest[:8]} sent {count} times too seldom" for digest, count in less.items()]
    for name in found.jobs.keys() & expected.jobs.keys():
        _compare_job(name, found.jobs[name], expected.jobs[name], flaws)
    # Whatever waits for a person keeps its requests in the spool.
    kept, spooled = (sorted(name for name in of.litter if name.startswith(_SPOOL)) for of in (expected, found))
    flaws.wrong += [f"{name} is left" for name in {*found.litter} - {*spooled[: len(kept)]}]
    if found.held != expected.held:
        flaws.wrong.append(f"held are {found.held}, not {expected.held}")
    return flaws


def compare_but_for(words: str, found: Left, expected: Left) -> Flaws:
    """Say what differs, but for files that were refused with these words: of those nothing is done, and all is told."""
    files = {
        name.removesuffix(".errors.json")
        for name, told in found.rejected.items()
        if name.endswith(".errors.json") and words.encode() in told
    }
    refused = {name.rpartition(".")[0] for name in files}
    if not refused:
        return compare(found, expected)
    flaws = compare(
        replace(
            found,
            rejected={},
            litter=[each for each in found.litter if not any(f"/{each}".endswith(f"/{name}") for name in refused)],
            held={name: reason for name, reason in found.held.items() if name not in refused},
        ),
        replace(
            expected,
            jobs={name: job for name, job in expected.jobs.items() if name not in refused},
            rejected={},
            accepted=expected.accepted & found.accepted,
            told=frozenset(each for each in expected.told if each.partition(" ")[2] not in refused)
            | {f"batchd.file.rejected {file}" for file in files},
        ),
    )
    flaws.doubled += [f"job {name} was refused and done" for name in refused & found.jobs.keys()]
    return flaws


def torn(home: Home, expected: Left, passed: set[str]) -> list[str]:
    """What stands half written under its final name just after a kill; every instant must pass this.

    Jobs that have passed it finished are not looked at again.
    """
    said: list[str] = []
    for name, job in expected.jobs.items():
        folder = home.outbox / name
        if name in passed:
            continue
        for inside, content in job.files.items():
            file = folder / inside
            if file.exists() and _content(file) != content:
                said.append(f"{name}/{inside} is not whole")
        if (folder / "job.json").exists():
            flaws = Flaws()
            _compare_job(name, _job(folder), job, flaws)
            passed.add(name)
            said += [f"{name} has its job.json too early: {flaws}"] if flaws else []
    return said


def _compare_job(name: str, found: JobLeft, expected: JobLeft, flaws: Flaws) -> None:
    mine, theirs = (Counter(custom_id for custom_id, _, _ in job.results) for job in (found, expected))
    flaws.lost += [f"result {custom_id} of {name}" for custom_id in theirs - mine]
    flaws.doubled += [f"result {custom_id} of {name}" for custom_id in mine - theirs]
    if mine == theirs and found.results != expected.results:
        flaws.wrong.append(f"results of {name} differ")
    if found.summary != expected.summary:
        flaws.wrong.append(f"job.json of {name} differs: {found.summary}")
    if found.report != expected.report:
        flaws.wrong.append(f"report of {name} differs")
    flaws.lost += [f"{name}/{file}" for file in expected.files if file not in found.files]
    flaws.wrong += [
        f"{name}/{file} differs" for file, content in found.files.items() if content != expected.files.get(file)
    ]


def _job(folder: Path) -> JobLeft:
    summary = _parsed((folder / "job.json").read_bytes())
    told = {"job.json", "results.jsonl", "report.jsonl"}
    inside = {str(file.relative_to(folder)): file for file in _files(folder)}
    return JobLeft(
        summary={key: value for key, value in summary.items() if key not in _OF_ITS_RUN},
        results=sorted(_result(line) for line in _lines(folder / "results.jsonl")),
        report=_lines(folder / "report.jsonl"),
        files={
            name: _content(file)
            for name, file in inside.items()
            if name not in told and not file.name.startswith(".") and not _is_job(folder, file)
        },
    )


def _content(file: Path) -> bytes:
    """What a file holds; of superseded answers without the API's own ids, which differ from run to run."""
    if file.name != "superseded.jsonl":
        return file.read_bytes()
    return "\n".join(map(str, map(_result, _lines(file)))).encode()


def _is_job(folder: Path, file: Path) -> bool:
    """Whether it belongs to a job of a subfolder, which may share its name with a job."""
    within = file.relative_to(folder).parts[0] == "documents"
    return not within and not (file.parent / "results.jsonl").exists()


def _result(line: dict[str, Any]) -> tuple[str, str, str]:
    result = line.get("result", line)
    text = "".join(block.get("text", "") for block in result.get("message", {}).get("content", []))
    return line.get("custom_id", ""), result.get("type", str(result)), text


def _lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file; one that is missing beside `job.json` has none."""
    return [_parsed(line) for line in file.read_bytes().split(b"\n") if line] if file.exists() else []


def _parsed(raw: bytes) -> dict[str, Any]:
    """Read an object; the API names its batches otherwise in every run."""
    try:
        found: dict[str, Any] = json.loads(_BATCH.sub(b"msgbatch", raw))
    except ValueError:
        return {"not JSON": raw[:100]}
    return found


def _litter(home: Home, jobs: dict[str, JobLeft], *, swept: bool) -> Iterator[str]:
    yield from (f"inbox/{file.relative_to(home.inbox)}" for file in _files(home.inbox) if file.name != INSTRUCTIONS)
    for folder in (home.state / "claims", *([home.state / "spool"] if swept else ())):
        yield from (str(file.relative_to(home.place)) for file in _files(folder))
    hidden = (file for file in _files(home.outbox) if file.name.startswith(".") and file != home.outbox / EVIDENCE)
    yield from (str(file.relative_to(home.place)) for file in hidden)
    finished = {home.outbox / name for name in jobs}
    unfinished = {file.parent for file in home.outbox.rglob("request.*")} - finished
    yield from (f"unfinished {folder.relative_to(home.place)}" for folder in unfinished)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file()) if folder.exists() else iter(())
