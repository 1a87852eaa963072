"""What is dropped into the inbox, and what goes wrong at the API meanwhile."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchd.sandbox import Fault
from batchd.settings import Settings, load_settings

from tests.support import media
from tests.support.bundles import drop as drop_bundle

KEY = "sk-ant-torture"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Files with prompts that no other request has, so that the ledger's hashes tell requests apart."""

    files: Mapping[str, bytes]
    """By their path below the inbox."""
    faults: Sequence[Fault] = ()
    duration: float = 4.0
    """Seconds that a batch takes."""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    inbox: Path | None = None
    """A folder on another file system, in which the inbox lies then."""
    bundles: Mapping[str, Mapping[str, bytes | str]] = field(default_factory=dict)
    """Folders, with what is in them by its path."""
    first: Mapping[str, Mapping[str, bytes | str]] = field(default_factory=dict)
    """Such folders again, of jobs that have finished before anything else is dropped."""

    def drop_all(self, inbox: Path) -> None:
        for name, content in self.files.items():
            drop(inbox, name, content)
        for name, contents in self.bundles.items():
            drop_bundle(inbox, name, contents)


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one daemon."""

    place: Path
    inbox: Path

    @property
    def outbox(self) -> Path:
        return self.place / "outbox"

    @property
    def state(self) -> Path:
        return self.place / "state"

    def settings(self, scenario: Scenario, url: str) -> Settings:
        flags: dict[str, dict[str, object]] = {
            # An answer takes the sandbox some milliseconds; on a busy machine, and at forty times the speed, a second.
            "api": {"base_url": url, "requests_per_minute": 100_000, "doubt": 60.0},
            "intake": {"settle": 0.0},
            "poll": {"initial": 2.0, "max": 20.0},
        }
        for table, values in scenario.settings.items():
            flags.setdefault(table, {}).update(values)
        places = {"inbox": str(self.inbox), "outbox": str(self.outbox), "state": str(self.state)}
        return load_settings({**places, **flags}, None)


def drop(inbox: Path, name: str, content: bytes) -> None:
    """Drop a file the fast and safe way: under a hidden name, then by its own."""
    file = inbox / name
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}.tmp")
    hidden.write_bytes(content)
    hidden.rename(file)


def jsonl(prompts: Sequence[str], model: str = "claude-haiku-4-5", max_tokens: int = 200) -> bytes:
    """A job file of these prompts."""
    lines = (
        {
            "custom_id": f"r{number}",
            "params": {"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": prompt}]},
        }
        for number, prompt in enumerate(prompts)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


FILES = json.dumps(
    {
        "custom_id": "port",
        "files": True,
        "params": {
            "model": "claude-haiku-4-5",
            "max_tokens": 900,
            "messages": [{"role": "user", "content": "[FILE: src/deep/a.py]\n[FILE: b.md]"}],
        },
    }
).encode()
"""An answer of files, which lie some folders deeper than anything else."""


def everything(inbox: Path | None = None) -> Scenario:
    """Small, and yet all of it: several jobs, shared batches, two sets of betas, a refusal, a subfolder, files, a
    retry, a create whose answer is lost, and a stream of results that is cut.
    """
    return Scenario(
        files={
            "words.jsonl": jsonl(["tide", "[sandbox: fail overloaded_error 1] wind", "[sandbox: unicode] rain"]),
            "essay.md": b"---\nmodel: claude-haiku-4-5\nmax_tokens: 120\n---\nAn essay on salt.\n",
            "plain.txt": b"A note on bread. [sandbox: words 60]",
            "port.json": FILES,
            "nightly/more.jsonl": jsonl(["moss", "fern"]),
            "long.jsonl": jsonl(["[sandbox: words 60000] A long one."], model="claude-opus-4-8", max_tokens=200_000),
            "broken.jsonl": b'{"custom_id": "a", "params": {"model": 3}}\nnot json\n',
        },
        faults=(Fault(route="create", kind="reset"), Fault(route="results", kind="cut", at=1500)),
        settings={"batch": {"max_requests": 5, "linger": 2.0}},
        inbox=inbox,
    )


def bundles(inbox: Path | None = None) -> Scenario:
    """Folders that are one job each: rows of which one is left out, pictures, one alone, and one that is refused."""
    asked = "---\nmodel: claude-haiku-4-5\nmax_tokens: 60\n"
    rows = f'{asked}on_error: skip\nattach: ["{{{{ photo }}}}"]\n---\nWhat has {{{{ subject }}}}?'
    pictures = {f"p/{n}.png": media.png(20 + n, 9) for n in range(3)}
    return Scenario(
        files={"beside.txt": b"A note on bread."},
        bundles={
            "rows.job": {"prompt.md": rows, "t.csv": "subject,photo\na cat,p/0.png\na dog,p/9.png\n", **pictures},
            "nightly/each.job": {"prompt.md": f"{asked}each: p/*\n---\nWhat is {{{{ stem }}}}?", **pictures},
            "once.job": {"prompt.md": f"{asked}---\nWhat are ![these](p/1.png)?", **pictures, "deep/down/x.txt": "x"},
            "wrong.job": {"prompt.md": f"{asked}---\nWho is {{{{ x }}}}?", "deep/y.txt": "y", **pictures},
        },
        settings={"batch": {"max_requests": 5, "linger": 2.0}},
        inbox=inbox,
    )


def rows(inbox: Path | None = None) -> Scenario:
    """Tables, objects and texts, in folders that know what to ask, one below the other; one table is refused."""
    asked = b"---\nmodel: claude-haiku-4-5\nmax_tokens: 60\n---\n"
    return Scenario(
        files={
            "q/.batchd.md": asked + b"What has {{ subject }}?",
            "q/deep/.batchd.md": asked + b'Who knows {{ row["the thing"] }}? {{ file }}',
            "q/t.csv": b'\xef\xbb\xbfsubject;n\r\na cat;007\r\n[sandbox: unicode] a dog; x \r\n"two\nlines";=1\r\n',
            "q/o.jsonl": b'{"subject": "[sandbox: fail overloaded_error 1] a cow", "k": 1.50}\n{"subject": null}\n',
            "q/deep/t.tsv": b"the thing\tid\nsalt\t1\nbread\t2\n",
            "q/wrong.csv": b"subjct\na horse\n",
            "q/note.txt": b"A note on tides.",
            "beside.txt": b"A note on bread.",
        },
        settings={"batch": {"max_requests": 3, "linger": 2.0}},
        inbox=inbox,
    )


def amendments(inbox: Path | None = None) -> Scenario:
    """Jobs that are put right: rows left out, an answer asked anew, a new row, a chapter; one amendment is refused."""
    skip = "---\nmodel: claude-haiku-4-5\nmax_tokens: 60\non_error: skip\nid: id\n---\nWhat has {{ subject }}?"
    asked = skip.replace("on_error: skip\n", "amends: JOB\nadd: true\n")
    steps = "  list: {prompt: list.md, schema: list.json}\n  parts: {prompt: part.md, each: list.parts}\n"
    right = {"custom_id": "parts/2", "params": {"messages": [{"role": "user", "content": "The second part, please."}]}}
    return Scenario(
        files={"beside.txt": b"A note on bread."},
        first={
            "t.job": {
                "prompt.md": skip,
                "t.csv": "id,subject\n1,a cat\n2\n3,[sandbox: refuse] a dog\n,a cow\n5,a hen\n",
            },
            "u.job": {"prompt.md": skip, "u.csv": "id,subject\n1,salt\n2\n"},
            "book.job": {
                "prompt.md": f"{_STEPS}{steps}  all: {{join: parts, write: all.md}}\n---\n",
                "list.md": 'List two. [sandbox: json {"parts": ["one", "two"]}]',
                "list.json": json.dumps(_PARTS),
                "part.md": "Part {{ item }}. {% if item == 'two' %}[sandbox: refuse]{% endif %}",
            },
        },
        bundles={
            "again.job": {
                "prompt.md": asked.replace("JOB", "t"),
                "r.csv": "id,subject\n9,a new one\n2,a mouse\n3,a good dog\n4,a late cow\n",
            },
            "wrong.job": {
                "prompt.md": asked.replace("JOB", "u"),
                "r.csv": "id,subject\n1,complete already\n2,pepper\n",
            },
            "chapter.job": {"prompt.md": "---\namends: book\n---\n", "r.jsonl": json.dumps(right) + "\n"},
        },
        settings={"batch": {"max_requests": 3, "linger": 2.0}},
        inbox=inbox,
    )


def duplicates(inbox: Path | None = None) -> Scenario:
    """What was sent is saved again: it waits, and what is beside it, or lies elsewhere, is sent."""
    asked = "---\nmodel: claude-haiku-4-5\nmax_tokens: 60\n---\n"
    rows: Mapping[str, bytes | str] = {"prompt.md": f"{asked}What has {{{{ n }}}}?", "t.csv": "n\na cat\na dog\n"}
    once = {**rows, "t.csv": "n\na cow\na hen\n"}
    return Scenario(
        files={"beside.txt": b"A note on bread."},
        first={"d.job": rows, "nightly/e.job": once},
        bundles={
            "d.job": rows,
            "nightly/e.job": once,
            "e.job": {**rows, "t.csv": "n\na mouse\n"},
            "weekly/d.job": {**rows, "t.csv": "n\na horse\n"},
        },
        settings={"batch": {"max_requests": 3, "linger": 2.0}, "intake": {"settle": 0.0, "duplicate_window": 1e6}},
        inbox=inbox,
    )


_STEPS = "---\nmodel: claude-haiku-4-5\nmax_tokens: 200\nbudget: 5\nsteps:\n"
_PARTS = {"type": "object", "properties": {"parts": {"type": "array", "items": {"type": "string"}}}}
"""A list of texts."""


def books(inbox: Path | None = None) -> Scenario:
    """Jobs of several steps: an outline, its chapters and the book; parts that are asked one after the other."""
    titles = ("salt", "[sandbox: fail overloaded_error 1] rye", "[sandbox: unicode] oats")
    chapters = [{"title": title} for title in titles]
    listed = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    schema = {
        "type": "object",
        "properties": {"chapters": {"type": "array", "items": listed}},
        "required": ["chapters"],
    }
    join = "  chapters: {prompt: chapter.md, each: outline.chapters}\n  book: {join: chapters, write: book.md}\n"
    line = "  parts: {prompt: part.md, each: list.parts}\n  all: {join: parts}\n  note: {prompt: note.md}\n"
    return Scenario(
        files={"beside.txt": b"A note on bread."},
        bundles={
            "bread.job": {
                "prompt.md": f"{_STEPS}  outline: {{prompt: outline.md, schema: outline.json}}\n{join}---\n",
                "outline.md": f"Outline bread. [sandbox: json {json.dumps({'chapters': chapters})}]",
                "outline.json": json.dumps(schema),
                "chapter.md": "On {{ title }}, after {{ steps.outline }}.",
            },
            "nightly/line.job": {
                "prompt.md": f"{_STEPS}  list: {{prompt: list.md, schema: list.json}}\n{line}---\n",
                "list.md": 'List the parts. [sandbox: json {"parts": ["one", "two"]}]',
                "list.json": json.dumps(_PARTS),
                "part.md": "Part {{ item }}. {% if previous.text %}It was: {{ previous.text }}{% endif %}",
                "note.md": "A note on {{ steps.all }} [sandbox: words 40]",
            },
        },
        settings={"batch": {"max_requests": 5, "linger": 2.0}},
        inbox=inbox,
    )
