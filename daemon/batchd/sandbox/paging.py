"""Pages of a list, as all lists of the API have them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.datastructures import QueryParams

from batchd.sandbox.errors import ApiError

_T = TypeVar("_T")

_MOST = 1000
_USUAL = 20


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: int
    after: str | None
    """Only what comes after this id, nearest first."""
    before: str | None
    """Only what comes before this id, nearest last."""

    def cut(self, found: Sequence[_T]) -> tuple[Sequence[_T], bool]:
        """The page itself, and whether there is more beyond it.

        Args:
            found: What lies between the two ids, in order; beyond one more than the limit it may be incomplete.
        """
        more = len(found) > self.limit
        return (found[-self.limit :] if self.before else found[: self.limit]), more


def read(query: QueryParams) -> Page:
    """What a call asks for.

    Raises:
        ApiError: 400, for what makes no sense.
    """
    try:
        limit = int(query.get("limit", _USUAL))
    except ValueError:
        raise ApiError(400, "limit: Input should be a valid integer, unable to parse string as an integer") from None
    if limit < 1:
        raise ApiError(400, "limit: Input should be greater than or equal to 1")
    if limit > _MOST:
        raise ApiError(400, f"limit: Input should be less than or equal to {_MOST}")
    page = Page(limit, query.get("after_id") or None, query.get("before_id") or None)
    if page.after and page.before:
        raise ApiError(400, "after_id and before_id cannot be used together")
    return page


def show(items: Sequence[dict[str, object]], *, more: bool) -> dict[str, object]:
    """The page as the API shows it.

    Args:
        items: What is on it, each with an `id`.
        more: Whether there is more beyond it.
    """
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"data": items, "has_more": more, "first_id": first, "last_id": last}
