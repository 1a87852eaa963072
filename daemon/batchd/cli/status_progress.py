"""How far one job is, as `batchd status JOB` tells it to a person."""

from collections.abc import Mapping

from rich.console import Group, RenderableType

from batchd.cli.console import cell, duration
from batchd.edges.store.views.progress import Reason
from batchd.standing.progress import Far, Written


def as_lines(far: Far) -> RenderableType:
    """Tell how far a job is."""
    lines = [cell(f"{'took' if far.ended else 'for'} {duration(far.age)}")]
    lines += [cell(f"  {_step(each)}") for each in far.steps]
    lines += [cell(f"  request {each.of.number:,}: {_so_far(each)}") for each in far.written]
    lines += [cell(f"  {_failed(each)}", "yellow") for each in far.reasons]
    return Group(*lines)


def _step(told: Mapping[str, object]) -> str:
    name, state = told["step"], told["state"]
    if "join" in told:
        joined = f"joins {', '.join(map(str, told['join']))}" if isinstance(told["join"], list) else ""
        return f"{name}: {told['document'] if state == 'complete' else f'{state}, {joined}'}"
    if not told["requests"]:
        return f"{name}: {state}"
    return f"{name}: {told['complete']:,} of {told['requests']:,} complete" + (f", {state}" if state == "held" else "")


def _so_far(each: Written) -> str:
    said = [f"round {each.of.round + 1} of at most {each.of.round + each.of.rounds + 1}"]
    said.append(f"{each.words:,} of {each.words_wanted:,} words" if each.words_wanted else f"{each.words:,} words")
    if each.sections_wanted:
        said.append(f"{each.sections:,} of {each.sections_wanted:,} sections")
    return ", ".join(said)


def _failed(each: Reason) -> str:
    more = f" (and {each.count - 1:,} more alike)" if each.count > 1 else ""
    why = f": {each.reason}" if each.reason else ""
    return f"{each.verdict}: request {each.first:,}{why}{more}"
