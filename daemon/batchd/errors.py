"""Errors, sorted by what to do about them.

The edges translate whatever the world throws into one of these, once; nobody else catches foreign errors.
No message here ever holds a prompt, an answer or a key.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from traceback import extract_tb
from typing import Self

from batchd.model import Problem

_HOME = Path(__file__).parent


def where(bug: BaseException) -> str:
    """File and line of a defect, in our own code if that was on the way, as `journey/packer.py:70`.

    It is all that may be told of a defect beside its type: its text could carry what users wrote.
    """
    frames = extract_tb(bug.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_HOME)]
    if ours:
        return f"{Path(ours[-1].filename).relative_to(_HOME)}:{ours[-1].lineno}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


def leaves(error: BaseException) -> Iterator[Exception]:
    """Unpack what task groups have wrapped; cancellations are no errors, and left out."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    elif isinstance(error, Exception):
        yield error


def worst_of(error: BaseException) -> Exception:
    """Choose what to tell of several errors: an unusable installation, a defect, or the first."""
    found = list(leaves(error)) or [RuntimeError()]
    unusable = (each for each in found if isinstance(each, Unusable))
    defect = (each for each in found if not isinstance(each, BatchdError | OSError))
    return next(unusable, None) or next(defect, None) or found[0]


class BatchdError(Exception):
    """Anything this program can say in one line."""


class Unusable(BatchdError):
    """The call or the settings are wrong: say so and exit 2."""


class Occupied(Unusable):
    """Another daemon works on this state folder."""


class Drifted(Unusable):
    """This daemon has other settings than those that all of its installation have agreed on."""


class Rejected(BatchdError):
    """The file is wrong: it goes to `rejected/` and costs nothing."""

    def __init__(self, problems: Sequence[Problem], count: int | None = None) -> None:
        """Keep what is wrong.

        Args:
            problems: What is wrong, in the order of the file; at most 1,000.
            count: How many there are in all.
        """
        super().__init__(problems[0].message if problems else "the file is wrong")
        self.problems = tuple(problems)
        self.count = len(problems) if count is None else count


class Refused(BatchdError):
    """The API understood and will never take this: surely nothing was created."""

    def __init__(
        self, said: str, kind: str = "invalid_request_error", sentence: str = "", *, shown: bool = False
    ) -> None:
        """Keep the API's reason.

        Args:
            said: What the API said. It may repeat the prompt: only the job's own folder may show it.
            kind: Its `error.type`.
            sentence: As much of it as may be shown anywhere, with a colon in front.
            shown: Whether it may be shown anywhere, since no prompt was sent.
        """
        super().__init__(f"the API refuses it ({kind}){sentence if shown else ''}")
        self.said = said
        self.kind = kind
        self.sentence = sentence


class TooLarge(Refused):
    """413: the batch must be smaller."""


class Gone(BatchdError):
    """404 for something we have the name of; seen to be transient, seconds after a create and after an end."""


class Unavailable(BatchdError):
    """Not now: surely nothing was done, and the same call is worth repeating later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep what the server asks for.

        Args:
            message: What happened, in one line.
            retry_after: Seconds the server asks us to wait, if it does.
        """
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(Unavailable):
    """No connection was made: surely nothing was sent."""


class Disconnected(Unavailable):
    """A connection was lost; what changes nothing may be repeated at once."""


class Late(Unavailable):
    """A create that did not leave before its deadline: none of its bytes did."""

    def __init__(self) -> None:
        super().__init__("the create came to leave too late, and did not")


class Blame(StrEnum):
    """What keeps everybody from sending."""

    KEY = "key"
    MONEY = "money"
    ENDPOINT = "endpoint"
    """There are no batches at that address."""
    REFUSED = "refused"
    """All batches alike are."""


class Parked(Unavailable):
    """Key or money: nobody's request is wrong, but a person has to act before anything goes on."""

    def __init__(self, message: str, retry_after: float | None = None, *, blame: Blame = Blame.KEY) -> None:
        """Keep what is to blame.

        Args:
            message: What happened, in one line.
            retry_after: Seconds the server asks us to wait, if it does.
            blame: What happened, in a word.
        """
        super().__init__(message, retry_after)
        self.blame = blame


class RefusedAlike(Parked):
    """Batches that share no request are refused alike: nothing is wrong with any request of theirs."""


class InDoubt(BatchdError):
    """The create may have made a batch, or not: look for it before anything is sent again."""


class Garbled(Unavailable):
    """The server's answer is not what the API promises; reads are worth repeating."""


class Defect(BatchdError):
    """A fault of this program that one thing met: that thing is parked, and no other is stopped."""

    @classmethod
    def of(cls, bug: Exception, met: str = "") -> Self:
        """Say what may be said of a bug: what it met, of which type it is, and where.

        Args:
            bug: As it was raised.
            met: Which thing, for people.
        """
        said = f"a defect of batchd ({type(bug).__name__} at {where(bug)}): please report it"
        return cls(f"{met}: {said}" if met else said)


class NotOurs(BatchdError):
    """The results carry another's ids: this batch was never ours."""
