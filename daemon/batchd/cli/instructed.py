"""Instructions as commands see them: those of a file that is checked, and those that keep files waiting."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from batchd.cli.console import moment, printable
from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.report import timestamp
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges import inbox
from batchd.journey.instructions import Waits, Wrong, prompt_of, standing_of
from batchd.model import Problem


def instructions_for(
    file: Path, prompt: Path | None, place: Path, rules: Rules, to: str | None = None
) -> PromptFile | list[Problem] | None:
    """Find what is to be done with a file, or what is wrong with that; None where nobody has said.

    Args:
        file: That is checked.
        prompt: What `--prompt` names.
        place: The inbox, within which the folders above the file's own count too.
        rules: By which it is checked.
        to: A folder of the inbox, as if the file lay in that.

    Raises:
        OSError: What `--prompt` names cannot be read.
    """
    if prompt is not None:
        return prompt_of(prompt.read_text("utf-8", "replace").removeprefix("\ufeff"), rules)
    root = place.resolve()
    folder = file.resolve().parent if to is None else (root / to.strip("/")).resolve()
    root = root if folder.is_relative_to(root) else folder
    inside = PurePosixPath(folder.relative_to(root))
    for relative in (inside, *inside.parents):
        if (candidate := inbox.look_at(root, relative / inbox.INSTRUCTIONS)) is None:
            continue
        standing = standing_of(root, relative, candidate, rules)
        if isinstance(standing, Wrong):
            where = f"in {inbox.INSTRUCTIONS}:"
            return [replace(each, message=f"{where} {each.message}") for each in standing.problems]
        return prompt_of(standing.text, rules) if standing else None
    return None


def said_of(waits: Waits) -> str:
    """Say which files wait for instructions to be put right, and what is wrong with those."""
    first, more = waits.problems[0], len(waits.problems) - 1
    folder = "the inbox" if waits.folder == PurePosixPath() else str(waits.folder)
    files = f"{waits.files:,} file{'s wait' if waits.files != 1 else ' waits'}"
    where = f" line {first.line}" if first.line else ""
    field = f"{first.field}: " if first.field else ""
    others = f" (and {more:,} more)" if more else ""
    told = f"{inbox.INSTRUCTIONS}{where}: {field}{first.message}{others}"
    return printable(f"{folder}: {files} since {moment(waits.changed_at)}: {told}")


def waits_as_data(waits: Waits) -> dict[str, object]:
    """Tell the same in the words of `batchd status --json`."""
    return {
        "folder": printable(str(waits.folder)),
        "files": waits.files,
        "since": timestamp(waits.changed_at),
        "errors": list(waits.problems),
    }
