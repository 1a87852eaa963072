"""The parameters of a request, whatever its model: which there are, of what shape, in which range.

Shapes come from the SDK's types (`shapes`), and what these do not say from `part_rules`; here is what holds between the
parts of one parameter, and what a batch forbids (API.md). Only what the API surely refuses is refused.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from batchd.claude.catalogue import LONGEST_OUTPUT
from batchd.claude.part_rules import RULES
from batchd.claude.shapes import WORDS, Look, Path, Shapes, Walk, bound
from batchd.model import Wishes
from batchd.text.spelling import closest
from batchd.text.strictjson import MOST_FLAWS, Flaw, Json, shown

Check: TypeAlias = Callable[[Json, str], Iterator[Flaw]]
"""Takes a value and its path, and tells what is wrong with it."""

LONGEST_MODEL: Final = 256
"""Characters of a model's name."""
_MOST_MESSAGES: Final = 100_000


def look_at(key: str, value: Json, path: Path) -> Look:
    """Check one parameter; what it has to do with others, or with its model, is not asked here.

    Args:
        key: Its name.
        value: What the user gave it.
        path: Where it stands.
    """
    look = Look()
    walk = PARAMETERS.get(key)
    if walk is None:
        look.say(path, _NOT_OURS.get(key) or _unknown(key))
    else:
        walk(value, path, look)
        if key in WORDS and key not in _RULES:
            bound(value, path, look)
        if not look.flaws and (rule := _RULES.get(key)):
            rule(value, path, look)
    return look


def checked(key: str) -> Check:
    """The check of one parameter, for a setting of the same name."""

    def check(value: Json, path: str) -> Iterator[Flaw]:
        yield from islice(look_at(key, value, (None, path)).flaws, MOST_FLAWS)

    return check


def whole_number(value: Json, path: str, least: int = 1) -> Iterator[Flaw]:
    """Check a count, for which true and 1.0 will not do."""
    if type(value) is not int or value < least:
        yield Flaw(path, f"must be a whole number of at least {least:,}")


def text(value: Json, path: str) -> Iterator[Flaw]:
    """Check a string that says something."""
    if not isinstance(value, str) or not value or value.isspace():
        yield Flaw(path, "must be a text that is not empty")


def yes_or_no(value: Json, path: str) -> Iterator[Flaw]:
    """Check a switch."""
    if not isinstance(value, bool):
        yield Flaw(path, "must be true or false")


def mapping(value: Json, path: str) -> Iterator[Flaw]:
    """Check an object that must be there."""
    if not isinstance(value, dict):
        yield Flaw(path, "must be an object")


def _model(value: str, path: Path, look: Look) -> None:
    if not value or value.isspace():
        look.say(path, "must be a text that is not empty")
    elif len(value) > LONGEST_MODEL:
        look.say(path, f"a name of {len(value):,} characters; models have names of at most {LONGEST_MODEL}")


def _max_tokens(value: int, path: Path, look: Look) -> None:
    if value > LONGEST_OUTPUT:
        look.say(path, f"no model writes more than {LONGEST_OUTPUT:,} tokens at once; ask for that many or fewer")
    elif value == 0:
        look.say(path, "0 (only warm the cache) is not possible in a batch; use 1 or more")
    elif value < 0:
        look.say(path, "must be a whole number of at least 1")


def _messages(value: list[dict[str, Any]], path: Path, look: Look) -> None:
    if not value:
        look.say(path, "must be a list of at least one message")
    if len(value) > _MOST_MESSAGES:
        look.say(path, f"{len(value):,} messages; at most {_MOST_MESSAGES:,} are possible")
    last = len(value) - 1
    for index, message in enumerate(value):
        content = message.get("content")
        empty = content.isspace() or not content if isinstance(content, str) else not content
        if not empty or changes_settings(message):
            continue
        if index == last and message["role"] == "assistant" and content in ("", []):
            continue  # the API allows it there; whether a model takes a prefill at all is another question
        look.say(((path, index), "content"), "must be a text that is not empty, or a list of at least one block")


def changes_settings(message: Mapping[str, Any]) -> bool:
    """Whether a turn only changes the effort, or says until when an instruction holds (betas): it needs no content."""
    return message["role"] == "system" and bool(message.get("output_config") or message.get("clear_at"))


def _tools(value: list[dict[str, Any]], path: Path, look: Look) -> None:
    names: set[str] = set()
    for index, tool in enumerate(value):
        name = tool.get("name")
        if isinstance(name, str) and name in names:
            look.say(((path, index), "name"), f"another tool is called {shown(name)} too; rename one")
        elif isinstance(name, str):
            names.add(name)


def _stop_sequences(value: list[str], path: Path, look: Look) -> None:
    bound(value, path, look)
    for index, each in enumerate(value):
        if not each or each.isspace():
            look.say((path, index), "must be a text that is not empty")


def _servers(value: list[dict[str, Any]], path: Path, look: Look) -> None:
    names: set[str] = set()
    for index, server in enumerate(value):
        if server["name"] in names:
            look.say(((path, index), "name"), f"another server is called {shown(server['name'])} too; rename one")
        names.add(server["name"])


def _share(value: float, path: Path, look: Look) -> None:
    if not 0 <= value <= 1:
        look.say(path, "must be a number from 0 to 1")


def _top_k(value: int, path: Path, look: Look) -> None:
    if value < 0:
        look.say(path, "must be a whole number of at least 0")


def _stream(value: object, path: Path, look: Look) -> None:
    if value is not False:
        look.say(path, "a batch cannot be streamed; leave it out")


def _not_in_a_batch(value: object, path: Path, look: Look) -> None:
    if value is not None:
        look.say(path, "not possible in a batch; leave it out")


def _unknown(key: str) -> str:
    close = closest(key, PARAMETERS, 0.8)
    return f"the Messages API has no such parameter; {f'did you mean {close}?' if close else 'leave it out'}"


PARAMETERS: Final[Mapping[str, Walk]] = MappingProxyType(
    {
        **Shapes(RULES).parameters(),
        "stream": _stream,
        "speed": _not_in_a_batch,
        "fallbacks": _not_in_a_batch,
    }
)
"""Every parameter that has a meaning, by name; those of betas among them."""

_RULES: Final[Mapping[str, Callable[[Any, Path, Look], None]]] = MappingProxyType(
    {
        "model": _model,
        "max_tokens": _max_tokens,
        "messages": _messages,
        "tools": _tools,
        "stop_sequences": _stop_sequences,
        "mcp_servers": _servers,
        "temperature": _share,
        "top_p": _share,
        "top_k": _top_k,
    }
)
"""What holds within one parameter, where its shape is in order."""

_BESIDE: Final = "not a parameter: {0} stands beside params, or in the job's settings"
_OF_JOBS: Final = (
    "betas",
    "budget",
    "continue",
    "hours",
    "needed_by",
    "on_error",
    "priority",
    "results",
    "schema",
    *Wishes.__struct_fields__,
)
_NOT_OURS: Final = {
    "attach": "not a parameter: only the front matter of a .md or .txt file may attach files",
    "custom_id": "not a parameter: custom_id stands beside params",
    **{key: _BESIDE.format(key) for key in _OF_JOBS},
    "workspace_id": "a header, not a parameter: a whole batch has one workspace, that of the key",
    "user_profile_id": "a header, not a parameter, and batches have none",
    "anthropic_version": "a header, not a parameter: the program chooses it",
    "prompt": "the old Text Completions API; use messages",
    "max_tokens_to_sample": "the old Text Completions API; use max_tokens",
    "max_completion_tokens": "another vendor's parameter; use max_tokens",
    "max_output_tokens": "another vendor's parameter; use max_tokens",
    "response_format": 'another vendor\'s; use output_config: {"format": {"type": "json_schema", "schema": {…}}}',
    "effort": 'not a parameter of its own; use output_config: {"effort": "low"}',
    "reasoning_effort": 'another vendor\'s parameter; use output_config: {"effort": "low"}',
    "reasoning": 'another vendor\'s parameter; use output_config: {"effort": "low"}',
    "stop": "another vendor's parameter; use stop_sequences, a list",
    "functions": "another vendor's parameter; use tools",
    "function_call": "another vendor's parameter; use tool_choice",
    "parallel_tool_calls": 'another vendor\'s parameter; use tool_choice: {"disable_parallel_tool_use": true}',
    "input": "another vendor's parameter; use messages",
    "instructions": "another vendor's parameter; use system",
    "user": 'another vendor\'s parameter; use metadata: {"user_id": "…"}',
    **dict.fromkeys(
        ("n", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "store"),
        "another vendor's parameter, with no counterpart here; leave it out",
    ),
}
