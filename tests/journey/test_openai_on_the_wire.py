"""Lines of another vendor's batch file, dropped as they are: what goes over the wire is exactly what they mean here."""

import base64
import json
from typing import Any

import pytest

from tests.support import media
from tests.support.house import House

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-5-5"
HI = [{"role": "user", "content": "Hi."}]
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FUNCTION = {"type": "function", "function": {"name": "f", "description": "d", "parameters": OBJECT}}
TOOL = {"name": "f", "description": "d", "input_schema": OBJECT}
PNG = media.png(9, 9)
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
PICTURE = {"type": "image", "source": media.base64_source("image/png", PNG)}
LINKED = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "b"}'}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": "Look it up."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "found"},
    {"role": "user", "content": "And?"},
]
TURNS = [
    {"role": "user", "content": "Look it up."},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": "b"}}]},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "found"},
            {"type": "text", "text": "And?"},
        ],
    },
]
SEEN = [{"type": "text", "text": "See."}, {"type": "image_url", "image_url": {"url": DATA}}]
FAR = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT}}
DROPPED = {
    "temperature": 0,
    "top_p": 0.5,
    "seed": 1,
    "user": "u",
    "store": True,
    "metadata": {},
    "service_tier": "flex",
}

CHAT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"max_completion_tokens": 70}, {"max_tokens": 70}),
    ({"stop": "x"}, {"stop_sequences": ["x"]}),
    ({"reasoning_effort": "none"}, {"output_config": {"effort": "low"}}),
    (
        {"model": "claude-haiku-4-5", "tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
        {
            "model": "claude-haiku-4-5",
            "tools": [TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
    ),
    (
        {"tools": [{**FUNCTION, "function": {**FUNCTION["function"], "strict": True}}]},  # type: ignore[dict-item]  # read
        {"tools": [{**TOOL, "strict": True}]},
    ),
    ({"messages": TALK, "tools": [FUNCTION]}, {"system": "Be brief.\n\nBe kind.", "messages": TURNS, "tools": [TOOL]}),
    (
        {"messages": [{"role": "user", "content": SEEN}]},
        {"messages": [{"role": "user", "content": [SEEN[0], PICTURE]}]},
    ),
    ({"messages": [{"role": "user", "content": FAR}]}, {"messages": [{"role": "user", "content": [LINKED]}]}),
    ({"response_format": FORM}, {"output_config": {"format": {"type": "json_schema", "schema": OBJECT}}}),
    ({"response_format": {"type": "json_object"}}, {}),
    (DROPPED, {}),
]
RESPONSES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"input": "Hi."}, {}),
    ({"input": HI, "instructions": "Be brief.", "max_output_tokens": 70}, {"system": "Be brief.", "max_tokens": 70}),
]


async def test_each_field_of_their_form_is_on_the_wire_as_what_it_means_here(home: House) -> None:
    base = {"model": "sonnet", "max_tokens": 60, "messages": HI}
    lines = [("/v1/chat/completions", {**base, **body}) for body, _ in CHAT]
    lines += [("/v1/responses", {"model": "sonnet", "max_output_tokens": 60, **body}) for body, _ in RESPONSES]
    wanted = [{"model": MODEL, "max_tokens": 60, "messages": HI, **params} for _, params in (*CHAT, *RESPONSES)]
    del lines[1][1]["max_tokens"]  # beside the other name of it
    (home.inbox / "theirs.jsonl").write_text(
        "".join(
            json.dumps({"custom_id": f"r{n}", "method": "POST", "url": url, "body": body}) + "\n"
            for n, (url, body) in enumerate(lines)
        )
    )
    await home.run()
    assert not (home.outbox / "rejected").exists(), (home.outbox / "rejected/theirs.jsonl.errors.json").read_text()
    bodies = [json.loads(body.read_bytes()) for body in (home.place / "sandbox" / "bodies").iterdir()]
    sent = [request["params"] for body in bodies for request in body["requests"]]
    assert sorted(map(canonical, sent)) == sorted(map(canonical, wanted))


def canonical(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)
