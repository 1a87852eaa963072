"""The parameters of a message, once they are checked: what the program builds on, with its types (docs: Messages API).

A key that is not named here may be there as well, and is passed on as it is.
"""

from typing import TypeAlias, TypedDict, cast

from batchd.text.strictjson import Json, decode

Block: TypeAlias = dict[str, Json]
"""Of content, a tool, or a breakpoint."""


class Turn(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str | list[Block]


class Thinking(TypedDict, total=False):
    """How a model is to think."""

    type: str
    budget_tokens: int


class Params(TypedDict, total=False):
    """Those of one message."""

    model: str
    max_tokens: int
    messages: list[Turn]
    system: str | list[Block]
    tools: list[Block]
    tool_choice: Block
    thinking: Thinking
    cache_control: Block
    output_config: Block


def params_of(body: bytes) -> Params:
    """Decode the parameters of a request that was checked.

    Raises:
        Malformed, Flawed: They are none.
    """
    return cast("Params", decode(body.decode())[0])
