"""What is to be done with a file that is checked: what `--prompt` says, or the nearest `.batchd.md`."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from batchd.decisions.jobfile.reader import Rules
from batchd.decisions.rows.prompt_file import PromptFile
from batchd.edges import inbox
from batchd.journey.instructions import Wrong, prompt_of, standing_of
from batchd.model import Problem


def instructions_for(file: Path, prompt: Path | None, place: Path, rules: Rules) -> PromptFile | list[Problem] | None:
    """Find what is to be done with a file, or what is wrong with that; None where nobody has said.

    Args:
        file: That is checked.
        prompt: What `--prompt` names.
        place: The inbox, within which the folders above the file's own count too.
        rules: By which it is checked.

    Raises:
        OSError: What `--prompt` names cannot be read.
    """
    if prompt is not None:
        return prompt_of(prompt.read_text("utf-8", "replace").removeprefix("\ufeff"), rules)
    folder, root = file.resolve().parent, place.resolve()
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
