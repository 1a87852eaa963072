"""What API and network throw, sorted by what to do about it. Facts: the API's page on errors; the SDK's source."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import anthropic
import httpx2

from batchd.errors import Garbled, Gone, InDoubt, Parked, Refused, TooLarge, Unavailable

_SPEND_LIMIT = "You have reached your specified"
"""How the message of an organization's or workspace's own spend limit begins; it comes as a 400."""
_OWN_FAULTS = frozenset({500, 529})
_KIND = re.compile(r"[a-z_]{1,40}")
_LONGEST_RETRY_AFTER = 3600.0
"""Seconds; who asks for more is asked again all the same."""


@contextmanager
def reading() -> Iterator[None]:
    """Sort the errors of a call that changes nothing, or may be repeated without harm."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _read_trouble(error) from error
    except anthropic.APIConnectionError as error:
        raise Unavailable(f"the API did not answer ({type(error.__cause__ or error).__name__})") from error
    except httpx2.HTTPError as error:
        raise Unavailable(f"the connection was lost ({type(error).__name__})") from error
    except anthropic.AnthropicError as error:
        raise _no_credentials(error) from error


@contextmanager
def sending(what: str, sort: Callable[[anthropic.APIStatusError], Exception]) -> Iterator[None]:
    """Sort the errors of a call that costs money: whether it surely did nothing is what matters.

    Args:
        what: Is sent, for messages.
        sort: What the server said.
    """
    try:
        yield
    except anthropic.APIStatusError as error:
        raise sort(error) from error
    except anthropic.APIConnectionError as error:
        cause = error.__cause__
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
            raise Unavailable(f"the API cannot be reached ({type(cause).__name__})") from error
        raise InDoubt(f"no answer to a {what} ({type(cause or error).__name__})") from error
    except Garbled as error:
        raise InDoubt(f"the answer to a {what} cannot be read") from error
    except httpx2.HTTPError as error:
        raise InDoubt(f"no whole answer to a {what} ({type(error).__name__})") from error
    except anthropic.AnthropicError as error:
        raise _no_credentials(error) from error


def message_trouble(error: anthropic.APIStatusError) -> Exception:
    """Sort what a server said to a single message: an error that the API itself tells of is not charged.

    Args:
        error: As the SDK raises it.
    """
    if error.status_code in _OWN_FAULTS and error.type in {"api_error", "overloaded_error"}:
        return _read_trouble(error)
    return create_trouble(error)


def create_trouble(error: anthropic.APIStatusError) -> Exception:
    """Sort what a server said to a create: whether it surely made nothing is what matters.

    Args:
        error: As the SDK raises it.
    """
    match error.status_code:
        case 413:
            return TooLarge("the batch is too large for the API", "request_too_large")
        case 400 | 401 | 402 | 403 | 404 | 422 | 429 if isinstance(error.body, dict):
            found = _read_trouble(error)
            return Parked("no batches at this address (404): see api.base_url") if isinstance(found, Gone) else found
        case status if status in range(300, 400):
            return Parked(f"the API redirects elsewhere ({status}): see api.base_url")
        case status:
            return InDoubt(f"no certain answer to a create (HTTP {status})")


def _read_trouble(error: anthropic.APIStatusError) -> Exception:  # noqa: PLR0911  a table of statuses
    kind, said = _kind(error), _message(error)
    if error.error_code == "enforced_spend_limit_reached" or said.startswith(_SPEND_LIMIT):
        return Parked(f"the spend limit is reached ({kind}): raise it in the Console, or wait for the next month")
    match error.status_code:
        case 401 | 403:
            return Parked(f"the API does not take the key ({error.status_code} {kind}): check it with `batchd doctor`")
        case 402:
            return Parked(f"the account cannot pay ({kind}): see Billing in the Console")
        case 404:
            return Gone(f"not found ({kind})")
        case 429 | 529:
            return Unavailable(f"the API is busy ({error.status_code} {kind})", _retry_after(error.response))
        case 400 | 422:
            return Refused(said or "refused without a reason", kind)
        case status:
            return Unavailable(f"the API answered HTTP {status}", _retry_after(error.response))


def _kind(error: anthropic.APIStatusError) -> str:
    """Its `error.type`, which is shown and logged: only what looks like one, since a gateway may say anything there."""
    kind = str(error.type or "")
    return kind if _KIND.fullmatch(kind) else f"HTTP {error.status_code}"


def _message(error: anthropic.APIStatusError) -> str:
    """What the server said; gateways say it flat, or as `detail`."""
    if error.api_message:
        return str(error.api_message)
    body = error.body if isinstance(error.body, dict) else {}
    return next((str(body[key]) for key in ("message", "detail") if isinstance(body.get(key), str)), "")


def _retry_after(response: httpx2.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        then, now = _moment(said), date_of(response)
        seconds = math.nan if then is None or now is None else then - now
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _no_credentials(error: anthropic.AnthropicError) -> Parked:
    return Parked(f"no credentials for the API ({type(error).__name__}): set ANTHROPIC_API_KEY")


def date_of(response: httpx2.Response) -> float | None:
    """Read the server's time of an answer, in unix seconds; None where it does not say.

    Args:
        response: Any.
    """
    return _moment(response.headers.get("date", ""))


def _moment(said: str) -> float | None:
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError):
        return None
