"""Writes the manual pages from the commands themselves: `python -m release.manpages FOLDER`.

One for batchd and one for each command; one that has commands of its own tells them on its page. Nothing of a page is
said here: names, sentences, options and exit codes are those of `--help`.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from batchd.cli.commands import COMMANDS, NAME, command_line
from typer.main import get_command

_TITLE: Final = re.compile(r"^\[bold\](.+?)\[/bold\] *\n?", re.MULTILINE)
_HEADINGS: Final = {"Exit codes": "EXIT STATUS"}
_PLAIN: Final = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", '"': "\\(dq"})
"""What roff would read or draw as something else (groff_char(7))."""
_SEE: Final = "settings of batchd.toml are told in docs/settings.md, what may be dropped in docs/formats.md"


def pages() -> dict[str, str]:
    """Return the pages by the names of their files."""
    group: Any = get_command(command_line(COMMANDS))
    context = _context(group, None, NAME)
    commands: Mapping[str, Any] = group.commands
    found = {f"{NAME}.1": "\n".join(_of_the_program(group, context, commands)) + "\n"}
    for name, command in commands.items():
        found[f"{NAME}-{name}.1"] = "\n".join(_of_a_command(command, _context(command, context, name), name)) + "\n"
    return found


def _of_the_program(group: Any, context: Any, commands: Mapping[str, Any]) -> Iterator[str]:  # noqa: ANN401  typer keeps its types to itself
    yield from _head(NAME, "files in, long documents out, through Claude's Message Batches API")
    yield ".SH SYNOPSIS"
    yield f".B {NAME}"
    yield "[\\fIOPTION\\fR] \\fICOMMAND\\fR [\\fIARGUMENT\\fR]..."
    yield ".SH DESCRIPTION"
    yield from _prose(group.help)
    yield ".SH COMMANDS"
    for name, command in commands.items():
        yield ".TP"
        yield f"\\fB{NAME}\\-{_escaped(name)}\\fR(1)"
        yield _text(_summary(command))
    yield from _options(group, context)
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {NAME}\\-{_escaped(name)} (1)" for name in sorted(commands)).replace(",\n", "\n")
    yield ".PP"
    yield _text(f"{_SEE[0].upper()}{_SEE[1:]}.")


def _of_a_command(command: Any, context: Any, name: str) -> Iterator[str]:  # noqa: ANN401  typer keeps its types to itself
    called = f"{NAME} {name}"
    yield from _head(f"{NAME}-{name}", _summary(command).rstrip("."))
    yield ".SH SYNOPSIS"
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield from _synopsis(command, context, called)
    for each, below in inner.items():
        yield from _synopsis(below, _context(below, context, each), f"{called} {each}")
        yield ".br"
    yield ".SH DESCRIPTION"
    yield from _prose(command.help)
    for each, below in inner.items():
        within = _context(below, context, each)
        yield f".SH {_escaped(each.upper())}"
        yield from _prose(below.help, under=".SS")
        yield from _options(below, within, under=".SS")
    if not inner:
        yield from _options(command, context)
    yield ".SH SEE ALSO"
    yield f".BR {NAME} (1)"


def _context(command: Any, parent: Any, name: str) -> Any:  # noqa: ANN401  typer keeps its types to itself
    return command.make_context(name, [], parent=parent, resilient_parsing=True)


def _summary(command: Any) -> str:  # noqa: ANN401  typer keeps its types to itself
    return str(command.help).split("\n\n", maxsplit=1)[0]


def _head(name: str, about: str) -> Iterator[str]:
    yield ".\\\" Written by `make man` from the commands' own help."
    yield f'.TH {_escaped(name.upper())} 1 "" {NAME} "User Commands"'
    yield ".nh"
    yield ".SH NAME"
    yield f"{_escaped(name)} \\- {_escaped(' '.join(about.split()))}"


def _synopsis(command: Any, context: Any, called: str) -> Iterator[str]:  # noqa: ANN401  typer keeps its types to itself
    yield f".B {_escaped(called)}"
    words = ["[\\fIOPTION\\fR]..."]
    for each in command.get_params(context):
        if each.param_type_name == "argument":
            named = str(each.metavar or each.name.upper())
            words.append(f"\\fI{_escaped(named)}\\fR")
    yield " ".join(words)


def _options(command: Any, context: Any, under: str = ".SH") -> Iterator[str]:  # noqa: ANN401  typer keeps its types to itself
    arguments = [each for each in command.get_params(context) if each.param_type_name == "argument" and each.help]
    options = [each for each in command.get_params(context) if each.param_type_name == "option" and not each.hidden]
    if arguments:
        yield f"{under} ARGUMENTS"
    for each in arguments:
        yield ".TP"
        yield f"\\fI{_escaped(str(each.metavar or each.name.upper()))}\\fR"
        yield _text(each.help)
    yield f"{under} OPTIONS"
    for each in options:
        yield ".TP"
        value = "" if each.is_flag else f" \\fI{_escaped(str(each.metavar or each.name.upper()))}\\fR"
        yield ", ".join(
            f"\\fB{_escaped(flag)}\\fR{value}" for flag in sorted((*each.opts, *each.secondary_opts), key=len)
        )
        yield _text(" ".join(word for word in (each.help, _default(each)) if word))


def _default(option: Any) -> str:  # noqa: ANN401  typer keeps its types to itself
    if option.is_flag or not option.show_default or option.default in (None, ""):
        return ""
    return f"Default: {getattr(option.default, 'value', option.default)}"


def _prose(help_text: str, under: str = ".SH") -> Iterator[str]:
    """Lay out a help: its paragraphs, its titles as headings, what is indented as it stands."""
    first = True
    for paragraph in str(help_text).strip("\n").split("\n\n"):
        title = _TITLE.match(paragraph)
        if title:
            yield f"{under} {_escaped(_HEADINGS.get(title[1], title[1].upper()))}"
        elif not first:
            yield ".PP"
        first = False
        yield from _lines(paragraph[title.end() if title else 0 :])


def _lines(paragraph: str) -> Iterator[str]:
    shown = False
    for line in paragraph.splitlines():
        indented = line.startswith("  ")
        if indented != shown:
            yield from (".RS 4", ".nf") if indented else (".fi", ".RE")
            shown = indented
        if line.strip():
            yield _text(line.strip() if indented else line)
    if shown:
        yield from (".fi", ".RE")


def _text(line: str) -> str:
    """Write a line so that nothing of it is a request of roff."""
    plain = _escaped(re.sub(r"\[/?bold\]", "", " ".join(line.split()) if "\n" in line else line))
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _escaped(text: str) -> str:
    return (
        text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace('"', "\\(dq")
    )


def main(folder: Path) -> None:
    """Write them all, and remove those of commands that are gone."""
    folder.mkdir(exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for stray in folder.glob("*.1"):
        if stray.name not in wanted:
            stray.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
