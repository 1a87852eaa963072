"""Trouble with an account, as the API tells of it: no request is at fault.

Sources: the error codes of the SDK 2.14 (`error.details.error_code`), the wordings that users of the API have shown.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Trouble(NamedTuple):
    """One kind of it."""

    status: int
    type: str
    message: str
    means: str
    code: str | None = None
    """`error.details.error_code`."""


def _refused(code: str, message: str, means: str) -> Trouble:
    return Trouble(400, "invalid_request_error", message, means, code)


TROUBLES: Mapping[str, Trouble] = {
    "spend_cap": Trouble(
        429,
        "rate_limit_error",
        "You have reached the monthly spend limit of your usage tier.",
        "the tier's spend cap is reached; no retry-after",
        "enforced_spend_limit_reached",
    ),
    "contract_spend_limit": Trouble(
        429,
        "rate_limit_error",
        "Your organization has reached the spend limit of its contract.",
        "the contract's spend limit is reached",
        "contract_spend_limit_reached",
    ),
    "ramp_limit": Trouble(
        429,
        "rate_limit_error",
        "Your organization's usage has increased too fast; please ramp up gradually.",
        "too much more than before, for now",
        "ramp_limit_exceeded",
    ),
    "spend_limit": Trouble(
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC.",
        "the organization's own spend limit is reached",
    ),
    "low_credit": Trouble(
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or"
        " purchase credits.",
        "nothing is left to pay with",
    ),
    "disabled_organization": Trouble(
        400, "invalid_request_error", "This organization has been disabled.", "the organization is disabled"
    ),
    "organization_on_hold": _refused(
        "organization_on_hold", "This organization is on hold.", "the organization is on hold"
    ),
    "cmek_key_disabled": _refused(
        "cmek_key_disabled", "The encryption key of this workspace is disabled.", "the customer's own key is disabled"
    ),
    "claude_code_key_creator_not_member": _refused(
        "claude_code_key_creator_not_member",
        "The creator of this key is no longer a member of the organization.",
        "the key's creator has left",
    ),
    "workspace_human_review_disabled": _refused(
        "workspace_human_review_disabled",
        "Human review is disabled for this workspace.",
        "the workspace allows no human review",
    ),
}
"""Every kind, by the name of its fault."""


def details_of(message: str) -> dict[str, object] | None:
    """`error.details` of the trouble that is worded so; None where it has none, or it is none of these."""
    code = next((trouble.code for trouble in TROUBLES.values() if trouble.message == message), None)
    return None if code is None else {"error_code": code}
