"""Trouble with the account (the key, its money, a hold): no request is at fault, and each will do once it is over.

Sources: the error codes of the SDK (`error.details.error_code`), and wordings that users of the API have shown; it says
most of this as a 400 `invalid_request_error`, as if a request were wrong.
"""

import re
from collections.abc import Mapping
from typing import Final

_SPENT: Final = "the spend limit is reached: raise it in the Console, or wait for the next month"

_CODES: Final[Mapping[str, str]] = {
    "enforced_spend_limit_reached": _SPENT,
    "contract_spend_limit_reached": "the spend limit is reached that your contract sets: ask Anthropic's sales team",
    "organization_on_hold": "the organization is on hold: see the Console",
    "cmek_key_disabled": "the workspace's own encryption key is disabled: enable it again",
    "claude_code_key_creator_not_member": "the creator of the key has left the organization: make a new key",
    "workspace_human_review_disabled": "the workspace does not allow human review: see its settings in the Console",
}
"""What is said of each `error_code` that is about the account."""

_WORDINGS: Final = (
    (re.compile(r"^You have reached your specified\b"), _SPENT),
    (re.compile(r"\bcredit balance is too low\b", re.IGNORECASE), "no credit is left: see Billing in the Console"),
    (
        re.compile(r"\borganization has been disabled\b", re.IGNORECASE),
        "the organization is disabled: see the Console",
    ),
)
"""What comes with no code of its own."""

_TYPES: Final[Mapping[str, str]] = {
    "billing_error": "the account cannot pay: see Billing in the Console",
    "authentication_error": "the API does not take the key: check it with `batchd doctor`",
}
"""Types of a single request's error that no other request of the account would be spared.

`permission_error` is none of them: it may be about the model that one request asks for.
"""


_OF_MONEY: Final = ("spend limit", "credit", "cannot pay")


def about_money(trouble: str) -> bool:
    """Whether what `trouble_with_account` says is about money."""
    return any(words in trouble for words in _OF_MONEY)


def trouble_with_account(kind: str | None, message: str | None, code: str | None = None) -> str | None:
    """Say what is wrong with the account, and what to do; None where an error is about something else.

    Args:
        kind: `error.type` of a single request's error; None for a call, whose status says it.
        message: `error.message`.
        code: `error.details.error_code`.
    """
    if code is not None and code in _CODES:
        return _CODES[code]
    return next((told for wording, told in _WORDINGS if wording.search(message or "")), _TYPES.get(kind or ""))
