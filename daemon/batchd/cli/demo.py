"""`batchd demo`: two sample jobs through the sandbox, start to finish, in seconds."""

import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from rich.console import Console
from rich.filesize import decimal as bytes_of
from rich.tree import Tree

from batchd.cli.console import cell, out, usd
from batchd.cli.exit_codes import DONE, FAILED
from batchd.cli.logs import set_up_logs
from batchd.settings import Api, Intake, Packing, Poll, Settings

_LONG: Final = """---
model: claude-sonnet-5-5
max_tokens: 300000
---
Write a complete handbook of beekeeping for beginners, in twenty chapters and at least 40,000 words.
"""
_SMALL: Final = 200
_FIRST_LINES: Final = 8
_FEW: Final = 3
"""How many files of a folder are named; the others are counted."""


def demo() -> int:
    """See it work, in seconds: no key, no cost, no network.

    A long document (300,000 tokens of output allowed, so batchd adds the beta
    that this needs) and 200 small requests go through the whole daemon,
    against the sandbox: a stand-in of the API that writes nonsense.
    Everything happens in a fresh folder below the system's temporary one;
    your own settings are not looked at.

    [bold]Example[/bold]
      batchd demo

    [bold]Exit codes[/bold] 0 both jobs are complete; 1 something failed.
    """
    set_up_logs(quiet=True)
    return anyio.run(_demo, out())


async def _demo(console: Console) -> int:
    from batchd.cli.serving import serve  # noqa: PLC0415  the SDK, which `batchd status` must not wait for

    home = await to_thread.run_sync(_laid_out)
    console.print(cell(f"Two files were dropped into {home / 'inbox'}"))
    console.print()
    settings = Settings(
        inbox=home / "inbox",
        outbox=home / "outbox",
        state=home / "state",
        intake=Intake(settle=0.2),
        batch=Packing(linger=0.3),
        poll=Poll(initial=0.5, max=5),
        api=Api(requests_per_minute=6000),
    )
    all_well = await serve(settings, once=True, in_sandbox=True, show=console)
    await to_thread.run_sync(_conclude, console, home / "outbox")
    return DONE if all_well else FAILED


def _laid_out() -> Path:
    home = Path(tempfile.mkdtemp(prefix="batchd-demo-"))
    inbox = home / "inbox"
    inbox.mkdir()
    (inbox / "beekeeping.md").write_text(_LONG, encoding="utf-8")
    lines = (json.dumps(_small(number)) for number in range(1, _SMALL + 1))
    (inbox / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home


def _small(number: int) -> dict[str, object]:
    question = f"In at least 60 words: what happens in a beehive in hour {number} of the season?"
    params = {"model": "claude-haiku-4-5", "max_tokens": 1000, "messages": [{"role": "user", "content": question}]}
    return {"custom_id": f"hour-{number:03}", "params": params}


def _conclude(console: Console, outbox: Path) -> None:
    """Print the tree of the outbox, and what it would have cost."""
    console.print()
    console.print(_tree(outbox, Tree(cell(str(outbox), "bold"))))
    document = outbox / "beekeeping" / "documents" / "beekeeping.md"
    if document.exists():
        console.print()
        console.print(cell(f"The first lines of {document.relative_to(outbox)}:", "bold"))
        with document.open(encoding="utf-8") as text:
            for line, _ in zip(text, range(_FIRST_LINES), strict=False):
                console.print(cell(f"  {line.rstrip()[:100]}", "dim"))
    batch, standard = Decimal(0), Decimal(0)
    for summary in outbox.glob("*/job.json"):
        job = json.loads(summary.read_bytes(), parse_float=Decimal)
        batch += job["cost_usd"] or 0
        standard += job["standard_cost_usd"] or 0
    console.print()
    charged, without = usd(batch, sandbox=True), usd(standard, sandbox=True)
    console.print(f"At Anthropic's prices these tokens would have cost {charged} in batches, {without} without.")
    console.print("This was the sandbox: its text means nothing, no model was asked, and no money was spent.")
    console.print("Next: set ANTHROPIC_API_KEY, see `batchd doctor`, and start with `batchd run`.")


def _tree(folder: Path, into: Tree) -> Tree:
    """Add the files of a folder, with their sizes; of many files only the first ones."""
    entries = sorted(folder.iterdir(), key=lambda entry: (entry.is_file(), entry.name))
    files = [entry for entry in entries if entry.is_file()]
    few = files if len(files) <= 2 * _FEW else files[:_FEW]
    for entry in entries:
        if entry.is_dir():
            _tree(entry, into.add(cell(f"{entry.name}/", "bold")))
    for file in few:
        into.add(cell(f"{file.name}  {bytes_of(file.stat().st_size)}"))
    if rest := files[len(few) :]:
        size = sum(file.stat().st_size for file in rest)
        into.add(cell(f"… and {len(rest):,} more  {bytes_of(size)}", "dim"))
    return into
