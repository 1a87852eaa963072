"""Which sinks a notice goes to."""

from collections.abc import Iterable
from dataclasses import dataclass

from batchd.notice import Kind, Notice


@dataclass(frozen=True, slots=True)
class Route:
    """What a sink wants to be told of."""

    sink: str
    events: frozenset[Kind] | None = None
    """None for all but jobs that came to a good end."""
    folders: frozenset[str] = frozenset()
    """Top folders of the inbox; none for all that there is."""

    def wants(self, notice: Notice) -> bool:
        """Whether it is told of a notice. What a job names is told of all that the job meets."""
        if self.sink in notice.named:
            return True
        if self.folders and notice.queue not in self.folders:
            return False
        if self.events is None:
            return not (notice.kind is Kind.JOB_FINISHED and notice.data.get("state") == "done")
        return notice.kind in self.events


def sinks_for(notice: Notice, routes: Iterable[Route]) -> list[str]:
    """Name the sinks that a notice goes to."""
    return [route.sink for route in routes if route.wants(notice)]
