"""`batchd completion`: what makes a shell complete commands, their options, and the names of jobs."""

import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Annotated, Any, Final, cast

import typer
from typer.main import get_command

from batchd.cli.exit_codes import DONE
from batchd.errors import Unusable

_OF_JOBS: Final = frozenset({"job", "jobs"})
"""What a parameter is called that is the name of a job."""

_BASH: Final = Template("""\
# batchd, completed by bash: eval "$$(batchd completion bash)"
_batchd() {
    local current=$${COMP_WORDS[COMP_CWORD]} name
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($$(compgen -W "$commands" -- "$$current"))
    elif [[ $$current == -* ]]; then
        case $${COMP_WORDS[1]} in
$options
        esac
    else
        case $${COMP_WORDS[1]} in
            $of_jobs)
                compopt +o default
                while IFS= read -r name; do
                    COMPREPLY+=("$$(printf %q "$$name")")
                done < <(batchd completion jobs -- "$$current" 2>/dev/null)
                ;;
        esac
    fi
}
complete -o default -F _batchd batchd
""")

_ZSH: Final = Template("""\
#compdef batchd
# batchd, completed by zsh: eval "$$(batchd completion zsh)"
_batchd() {
    local -a found
    if ((CURRENT == 2)); then
        found=(
$described
        )
        _describe command found
    elif [[ $$words[CURRENT] == -* ]]; then
        case $$words[2] in
$options
        esac
    else
        case $$words[2] in
            $of_jobs)
                found=("$${(@f)$$(batchd completion jobs -- "$$words[CURRENT]" 2>/dev/null)}")
                compadd -- $${found:#}
                ;;
            *) _files ;;
        esac
    fi
}
compdef _batchd batchd
""")


@dataclass(frozen=True, slots=True)
class _Command:
    """What of a command can be completed."""

    name: str
    summary: str
    options: tuple[str, ...]
    of_jobs: bool


def completion(
    *, shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish", help="Whose completion is printed.")]
) -> int:
    """Print what makes a shell complete commands, options and names of jobs.

    The names are those of the jobs that the settings of the folder lead to;
    where they may not be read, there are none.

    [bold]Examples[/bold]
      eval "$(batchd completion bash)"
      batchd completion fish > ~/.config/fish/completions/batchd.fish

    [bold]Exit codes[/bold] 0 printed; 2 wrong call.
    """
    if shell not in _WRITTEN:
        raise Unusable(f"{shell!r} is no shell that is known here: say {', '.join(_WRITTEN)}")
    # Plainly: what a shell reads must not be wrapped.
    sys.stdout.write(_WRITTEN[shell](_commands()))
    return DONE


def _commands() -> list[_Command]:
    from batchd.cli.commands import COMMANDS, command_line  # noqa: PLC0415  it imports this module

    # typer keeps the type of its commands to itself.
    group = cast("Any", get_command(command_line(COMMANDS)))
    return [_command(name, group.commands[name]) for name in COMMANDS]


def _command(name: str, found: Any) -> _Command:  # noqa: ANN401  as above
    context = found.make_context(name, [], resilient_parsing=True)
    parameters = found.get_params(context)
    options = [option for each in parameters for option in each.opts if option.startswith("--")]
    summary = (found.help or "").strip().splitlines()[0].rstrip(".")
    return _Command(name, summary, tuple(options), any(each.name in _OF_JOBS for each in parameters))


def _of_jobs(commands: Iterable[_Command]) -> list[str]:
    return [each.name for each in commands if each.of_jobs]


def _bash(commands: list[_Command]) -> str:
    options = "\n".join(
        f'            {each.name}) COMPREPLY=($(compgen -W "{" ".join(each.options)}" -- "$current")) ;;'
        for each in commands
    )
    names = " ".join(each.name for each in commands)
    return _BASH.substitute(commands=names, options=options, of_jobs="|".join(_of_jobs(commands)))


def _zsh(commands: list[_Command]) -> str:
    described = "\n".join(f"            {shlex.quote(f'{each.name}:{each.summary}')}" for each in commands)
    options = "\n".join(f"            {each.name}) compadd -- {' '.join(each.options)} ;;" for each in commands)
    return _ZSH.substitute(described=described, options=options, of_jobs="|".join(_of_jobs(commands)))


def _fish(commands: list[_Command]) -> str:
    lines = ["# batchd, completed by fish: ~/.config/fish/completions/batchd.fish", "complete -c batchd -f"]
    for each in commands:
        summary = shlex.quote(each.summary)
        lines.append(f"complete -c batchd -n __fish_use_subcommand -a {each.name} -d {summary}")
        for option in each.options:
            of = f"'__fish_seen_subcommand_from {each.name}'"
            lines.append(f"complete -c batchd -n {of} -l {option.removeprefix('--')}")
    seen = f"'__fish_seen_subcommand_from {' '.join(_of_jobs(commands))}'"
    lines.append(f"complete -c batchd -n {seen} -a '(batchd completion jobs -- (commandline -ct) 2>/dev/null)'")
    rest = " ".join(each.name for each in commands if not each.of_jobs)
    lines.append(f"complete -c batchd -n '__fish_seen_subcommand_from {rest}' -F")
    return "\n".join(lines) + "\n"


_WRITTEN: Final[Mapping[str, Callable[[list[_Command]], str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
