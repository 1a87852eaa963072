"""What API and network throw, sorted by what to do about it. Facts: the API's page on errors."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import httpx2

from batchd.claude.account import about_money, trouble_with_account
from batchd.edges.api.connection import lost, trouble_of
from batchd.edges.api.no_success import StatusError, Unanswered
from batchd.edges.api.wording import kind_of, message_of, outline_of, told_of
from batchd.errors import Blame, Garbled, Gone, InDoubt, Parked, Refused, TooLarge, Unavailable, Unreachable

_OWN_FAULTS = frozenset({"api_error", "overloaded_error", "timeout_error"})
"""What the API itself says when it has failed: then it sends no answer, and charges for none."""
_NOT_TAKEN = frozenset({401, 402, 403, 404, 407, 429, 503, 529})
"""With these a server, or a proxy before it, says that it has not taken a request, whatever page goes along."""
_TOO_SLOW = "request_body_timeout"
"""`error_code` of a body that did not come in time: nothing was looked at."""
_LONGEST_RETRY_AFTER = 3600.0
"""Seconds; who asks for more is asked again all the same."""


@contextmanager
def reading() -> Iterator[None]:
    """Sort the errors of a call that changes nothing, or may be repeated without harm, and that carries no prompt.

    What the server says of itself is told, in words of our own list: it may repeat what came to it by another call.
    """
    with _asking(outline_of):
        yield


@contextmanager
def counting(sent: bytes) -> Iterator[None]:
    """Sort the errors of a call that changes nothing, but carries a prompt, which a server may repeat.

    Args:
        sent: Its body.
    """
    with _asking(lambda error: told_of(error, sent)):
        yield


@contextmanager
def _asking(told: Callable[[StatusError], str]) -> Iterator[None]:
    try:
        yield
    except StatusError as error:
        raise _read_trouble(error, told(error)) from error
    except Unanswered as error:
        raise trouble_of(error) from error
    except httpx2.HTTPError as error:
        raise lost(error) from error


@contextmanager
def sending(
    what: str, sort: Callable[[StatusError, str], Exception], sent: Callable[[], bytes | None]
) -> Iterator[None]:
    """Sort the errors of a call that costs money: whether it surely did nothing is what matters.

    Args:
        what: Is sent, for messages.
        sort: What the server said, all of it and as much as may be told.
        sent: Tells the body that was sent, where it is at hand.
    """
    try:
        yield
    except StatusError as error:
        raise sort(error, told_of(error, sent())) from error
    except Unanswered as error:
        trouble = trouble_of(error)
        if isinstance(trouble, Unreachable):
            raise trouble from error
        raise InDoubt(f"no answer to a {what} ({type(error.__cause__ or error).__name__})") from error
    except Garbled as error:
        raise InDoubt(f"the answer to a {what} cannot be read") from error
    except httpx2.HTTPError as error:
        raise InDoubt(f"no whole answer to a {what} ({type(error).__name__})") from error


def message_trouble(error: StatusError, told: str) -> Exception:
    """Sort what a server said to a single message: what was not taken, or failed by its own word, is not charged."""
    failed = error.status_code >= 500 and error.kind in _OWN_FAULTS  # noqa: PLR2004  the server's own
    if error.status_code not in _NOT_TAKEN and not failed:
        return create_trouble(error, told)
    found = _read_trouble(error, told)
    return _nothing_there("messages") if isinstance(found, Gone) else found


def _nothing_there(what: str) -> Parked:
    return Parked(f"no {what} at this address (404): see api.base_url", blame=Blame.ENDPOINT)


def create_trouble(error: StatusError, told: str) -> Exception:
    """Sort what a server said to a create: whether it surely made nothing is what matters."""
    match error.status_code:
        case 413:
            return TooLarge("the batch is too large for the API", "request_too_large")
        case 400 | 401 | 402 | 403 | 404 | 422 | 429 if isinstance(error.body, dict):
            found = _read_trouble(error, told)
            return _nothing_there("batches") if isinstance(found, Gone) else found
        case status:
            return InDoubt(f"no certain answer to a create (HTTP {status})")


def _read_trouble(error: StatusError, told: str) -> Exception:  # noqa: PLR0911  a table of statuses
    """Sort an error by its status and what is said of its cause.

    Args:
        error: What the server answered.
        told: The server's own sentence, as far as it may be shown.
    """
    kind = kind_of(error)
    if reason := trouble_with_account(None, message_of(error), error.code):
        blame = Blame.MONEY if about_money(reason) else Blame.KEY
        return Parked(f"{reason} ({error.status_code} {error.code or kind})", blame=blame)
    match error.status_code:
        case 401 | 403:
            return Parked(
                f"the API does not take the key ({error.status_code} {kind}){told}: check it with `batchd doctor`"
            )
        case 402:
            return Parked(f"the account cannot pay ({kind}){told}: see Billing in the Console", blame=Blame.MONEY)
        case 404:
            return Gone(f"not found ({kind}){told}")
        case 429 | 529:
            return Unavailable(f"the API is busy ({error.status_code} {kind}){told}", _retry_after(error.response))
        case 400 | 422 if error.code != _TOO_SLOW:
            said = message_of(error) or "refused without a reason"
            return Refused(said, kind, told or outline_of(error), shown=bool(told))
        case status:
            return Unavailable(f"the API answered HTTP {status}{told}", _retry_after(error.response))


def _retry_after(response: httpx2.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said)
    except ValueError:
        then, now = _moment(said), date_of(response)
        seconds = math.nan if then is None or now is None else then - now
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


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
