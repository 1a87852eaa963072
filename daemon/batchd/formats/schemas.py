"""The JSON Schemas of all formats: `docs/schemas/`, as `python -m batchd.formats.schemas FOLDER` writes it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from batchd.formats import VERSION, commands, jobs, keeping

FORMATS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "job": jobs.Job,
    "held": jobs.Held,
    "errors": jobs.Errors,
    "ticket": jobs.Ticket,
    "report": jobs.Report,
    "rejects": jobs.Reject,
    "status": commands.Status,
    "check": commands.Check,
    "costs": commands.Costs,
    "doctor": commands.Doctor,
    "submit": commands.Submitted,
    "wait": commands.Waited,
    "cancel": commands.Cancelled,
    "retry": commands.Retried,
    "amend": commands.Amended,
    "release": commands.Released,
    "resolve": commands.Resolved,
    "pause": keeping.Paused,
    "resume": keeping.Resumed,
    "prune": keeping.Pruned,
    "notify": keeping.Notified,
}
"""By the name that stands in `schema`; lines of `report` and `rejects` are known by the name of their file."""


def schema_of(name: str) -> dict[str, object]:
    """Generate the JSON Schema of a format."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"batchd/{name}/{VERSION}"}
    return {**head, **msgspec.json.schema(FORMATS[name])}


def text_of(name: str) -> str:
    """Write it as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(schema_of(name)), indent=2).decode() + "\n"


def main(folder: Path) -> None:
    """Write all of them."""
    for name in FORMATS:
        (folder / f"{name}.json").write_text(text_of(name), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
