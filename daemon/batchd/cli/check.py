"""`batchd check`: validate and price files offline, by the same rules as the daemon."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from batchd.cli import check_view
from batchd.cli.console import cell, data, hush_libraries, out
from batchd.cli.estimate import read_history
from batchd.cli.examining import Finding, as_data, examine
from batchd.cli.exit_codes import DONE, FAILED, WRONG_CALL, complain
from batchd.cli.instructed import instructions_for
from batchd.cli.options import Chosen, takes_settings
from batchd.decisions.report import rehearsal
from batchd.edges import disk
from batchd.edges.clock import Clock
from batchd.formats import signed
from batchd.journey.reading import rules_of


@takes_settings
def check(  # noqa: PLR0913  its flags
    chosen: Chosen,
    *,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Job files, and folders NAME.job, as they would be dropped.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    prompt: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask this of the files, whatever their folder says.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="As if they lay in this folder of the inbox.", show_default=False),
    ] = None,
    show: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Print the Nth request as it would be sent.", show_default=False),
    ] = None,
) -> int:
    """Validate and price files offline: nothing is spent, or touched.

    What a .batchd.md in the folder of a file says holds here too, and in the
    inbox that of the nearest folder above.

    Every error is shown with its line and field, by the rules by which the
    daemon rejects a file. The cost is shown three times: the worst case, which
    the daemon reserves (a token for each byte of input, every answer as long
    as it may be, every round of its continuation); an estimate (four bytes a
    token, every answer as long as its max_tokens, none continued), with what
    that saves against the synchronous price; and, where at least 20 similar
    requests were answered before, what they cost.

    [bold]Examples[/bold]
      batchd check questions.jsonl handbook.md
      batchd check --json questions.jsonl | jq '.files[].worst_case_usd'
      batchd check --prompt classify.md --show 1 tickets.csv

    [bold]Exit codes[/bold] 0 every file would be taken; 1 one would be
    rejected; 2 one cannot be read.
    """
    hush_libraries()
    settings = chosen.settings()
    rules = replace(rules_of(settings), now=Clock().now())
    findings: list[Finding] = []
    unreadable = 0
    with check_view.progress() as progressed:
        for file in files:
            try:
                said = instructions_for(file, prompt, settings.inbox, rules, to)
                findings.append(examine(file, rules, progressed, said, show))
            except OSError as error:
                complain(f"{file}: {_reason(error)}")
                unreadable += 1
    if show is not None and not unreadable:
        return _print_request(findings, show)
    kinds = dict.fromkeys(kind for finding in findings for kind in finding.estimate.kinds)
    history = read_history(settings, kinds)
    if as_json:
        told = [as_data(each, history) for each in findings]
        out().print(data({**signed("check"), **rehearsal(sandbox=history.sandbox), "files": told}), soft_wrap=True)
    else:
        for finding in findings:
            check_view.show(finding, history)
        if len(findings) > 1:
            out().print(cell(check_view.in_all(findings, sandbox=history.sandbox), "bold"))
    return WRONG_CALL if unreadable else DONE if all(each.ok for each in findings) else FAILED


def _print_request(findings: Sequence[Finding], number: int) -> int:
    for finding in findings:
        for problem in finding.reading.problems:
            complain(f"{finding.file}: line {problem.line}: {problem.message}")
        if (entry := finding.shown) is None:
            complain(f"{finding.file}: there is no request {number:,}")
        else:
            request = {"custom_id": entry.custom_id, "params": msgspec.Raw(entry.params)}
            out().print(msgspec.json.format(msgspec.json.encode(request)).decode(), soft_wrap=True, markup=False)
    return DONE if all(each.ok and each.shown for each in findings) else FAILED


def _reason(error: OSError) -> str:
    if error.errno in disk.NOT_REGULAR:
        return "only regular files can be checked"
    return f"cannot be read: {error.strerror}"
