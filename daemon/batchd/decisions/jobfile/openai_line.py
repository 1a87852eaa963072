"""A line of OpenAI's Batch API as a request of ours: what changes the meaning is refused, the rest is told and dropped.

Sources: OpenAI's reference of Chat Completions, Responses and the batch input file; Anthropic's page on OpenAI SDK
compatibility, whose silence about dropped fields is not kept here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from batchd.decisions.jobfile.openai_turns import UNKNOWN, Converted, add_system, put_messages, put_tools
from batchd.text.strictjson import Json, member

CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
_OF_THEIRS: Final = frozenset({"method", "url", "body"})

_DROPPED: Final = frozenset(
    {"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}
    | {"user", "store", "metadata", "service_tier", "prediction", "stream_options", "safety_identifier", "verbosity"}
    | {"prompt_cache_key", "truncation", "include", "background"}
)
_REFUSED: Final[Mapping[str, str]] = {
    "n": "several answers to one request are not possible; send the request as often as you want answers",
    "stream": "a batch cannot be streamed; leave it out",
    "audio": "Claude answers in text alone; leave it out",
    "functions": "the older form of tools; say it as tools",
    "function_call": "the older form of tool_choice; say it as tool_choice",
    "web_search_options": "not convertible; use Claude's web search tool in a request of its own form",
    "previous_response_id": "an answer that another vendor keeps; write the conversation out",
    "conversation": "a conversation that another vendor keeps; write it out",
    "prompt": "a prompt that another vendor keeps; write it out",
}
_HARMLESS: Final[Mapping[str, tuple[Json, ...]]] = {"n": (1, None), "stream": (False, None)}
_EFFORTS: Final[Mapping[str, str]] = {
    "none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh",
}  # fmt: skip


def is_theirs(value: Json) -> bool:
    """Whether a line was meant as one of OpenAI's batch input, however wrong."""
    return isinstance(value, dict) and not _OF_THEIRS.isdisjoint(value.keys())


def convert(line: Mapping[str, Json]) -> Converted:
    """Convert a line; the model's name stays as it is.

    Args:
        line: One of theirs.
    """
    done = Converted()
    for key in line.keys() - {"custom_id", *_OF_THEIRS}:
        done.say(member("", key), "no field of such a line; leave it out")
    if line.get("method", "POST") != "POST":
        done.say("method", 'must be "POST"')
    url, body = line.get("url", CHAT), line.get("body")
    known = _FIELDS.get(url) if isinstance(url, str) else None
    if known is None:
        done.say("url", f"only {CHAT} and {RESPONSES} can be converted")
    elif not isinstance(body, dict):
        done.say("body", "must be an object")
    else:
        _convert_body(body, known, done)
    return done


def _convert_body(body: Mapping[str, Json], known: "Mapping[str, _Field]", done: Converted) -> None:
    for key in _in_order(body, known):
        value, place = body[key], member("body", key)
        if key in known:
            if value is not None:
                known[key](value, place, done)
        elif key in _DROPPED:
            if value is not None and value is not False:
                done.drop(place)
        elif key not in _REFUSED:
            done.say(place, UNKNOWN)
        elif value not in _HARMLESS.get(key, (None,)):
            done.say(place, _REFUSED[key])
    if "tools" not in done.params and done.tool_choice.get("type") in {None, "auto", "none"}:
        done.tool_choice = {}
    if done.tool_choice:
        done.params["tool_choice"] = done.tool_choice


def _in_order(body: Mapping[str, Json], known: Iterable[str]) -> list[str]:
    """The keys that are known in the order in which they build on each other, and all others behind them."""
    first = [key for key in known if key in body]
    return [*first, *(key for key in body if key not in first)]


_Field = Callable[[Json, str, Converted], None]


def _as(name: str) -> _Field:
    def put(value: Json, _place: str, done: Converted) -> None:
        done.params[name] = value

    return put


def _stop(value: Json, _place: str, done: Converted) -> None:
    done.params["stop_sequences"] = [value] if isinstance(value, str) else value


def _effort(value: Json, place: str, done: Converted) -> None:
    if isinstance(value, str) and value in _EFFORTS:
        done.params["output_config"] = {"effort": _EFFORTS[value]}
    elif value is not None:
        done.say(place, f"must be one of {', '.join(_EFFORTS)}")


def _reasoning(value: Json, place: str, done: Converted) -> None:
    if not isinstance(value, dict):
        done.say(place, "must be an object")
        return
    _effort(value.get("effort"), f"{place}.effort", done)
    for key in value.keys() - {"effort"}:
        done.drop(member(place, key))


def _modalities(value: Json, place: str, done: Converted) -> None:
    if value != ["text"]:
        done.say(place, 'Claude answers in text alone: ["text"]')


def _response_format(value: Json, place: str, done: Converted) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "json_object":
        done.expects_json = True
        done.drop(place, "json_object is no parameter here: the answer is expected to be JSON (expect.json)")
    elif isinstance(value, dict) and kind == "json_schema":
        wrapped, inside = value.get("json_schema"), f"{place}.json_schema"
        wrapped, inside = (wrapped, inside) if isinstance(wrapped, dict) else (value, place)
        done.schema, done.schema_at = wrapped.get("schema"), f"{inside}.schema"
        if not isinstance(done.schema, dict):
            done.say(place, "holds no schema")
    elif kind != "text":
        done.say(place, "must be of type text, json_object or json_schema")


def _text(value: Json, place: str, done: Converted) -> None:
    if not isinstance(value, dict):
        done.say(place, "must be an object")
        return
    if value.get("format") is not None:
        _response_format(value["format"], f"{place}.format", done)
    for key in value.keys() - {"format"}:
        done.drop(member(place, key))


def _tool_choice(value: Json, place: str, done: Converted) -> None:
    if value in ("auto", "none"):
        done.tool_choice = {"type": value}
    elif value == "required":
        done.tool_choice = {"type": "any"}
    elif isinstance(value, dict) and value.get("type") == "function":
        function = value.get("function", value)
        name = function.get("name") if isinstance(function, dict) else None
        done.tool_choice = {"type": "tool", "name": name}
    else:
        done.say(place, "must be auto, none, required, or a function by its name")


def _parallel(value: Json, _place: str, done: Converted) -> None:
    done.tool_choice = done.tool_choice or {"type": "auto"}
    if value is False and done.tool_choice["type"] != "none":
        done.tool_choice["disable_parallel_tool_use"] = True


def _system(value: Json, place: str, done: Converted) -> None:
    if isinstance(value, str):
        add_system(value, done)
    else:
        done.say(place, "must be a text")


def _input(value: Json, place: str, done: Converted) -> None:
    if isinstance(value, str):
        done.params["messages"] = [{"role": "user", "content": value}]
    else:
        put_messages(value, place, done)


_FIELDS: Final[Mapping[str, Mapping[str, _Field]]] = {
    CHAT: {
        "model": _as("model"),
        "messages": put_messages,
        "max_tokens": _as("max_tokens"),
        "max_completion_tokens": _as("max_tokens"),
        "stop": _stop,
        "reasoning_effort": _effort,
        "response_format": _response_format,
        "tools": put_tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": _parallel,
        "modalities": _modalities,
    },
    RESPONSES: {
        "model": _as("model"),
        "instructions": _system,
        "input": _input,
        "max_output_tokens": _as("max_tokens"),
        "reasoning": _reasoning,
        "text": _text,
        "tools": put_tools,
        "tool_choice": _tool_choice,
        "parallel_tool_calls": _parallel,
    },
}
"""What becomes of each field, in the order in which they build on each other."""
