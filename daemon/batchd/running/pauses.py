"""Pauses: what the API is too busy for just now waits together, and one at a time tries again."""

from dataclasses import dataclass

from batchd.decisions.batch.backoff import PATIENCE
from batchd.edges.clock import Clock


@dataclass(slots=True)
class _Pause:
    since: float
    until: float
    reason: str


class Pauses:
    """One pause a model: a limit that one has reached keeps no other back. Longer the longer it lasts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}

    @property
    def models(self) -> frozenset[str]:
        """Those that are paused."""
        return frozenset(self._pauses)

    def check(self, model: str) -> tuple[float, str]:
        """Say for how many seconds a model's messages wait, and what for; while it pauses, one at a time may try."""
        pause, now = self._pauses.get(model), self._clock.now()
        if pause is None:
            return 0.0, ""
        if now < pause.until:
            return pause.until - now, pause.reason
        pause.until = now + PATIENCE.delay(now - pause.since)
        return 0.0, ""

    def begin(self, model: str, reason: str, at_least: float) -> None:
        """Keep a model's messages back for a while, or for a while more.

        Args:
            model: Which.
            reason: Why, for people.
            at_least: Seconds that the server asks for.
        """
        now = self._clock.now()
        since = self._pauses[model].since if model in self._pauses else now
        self._pauses[model] = _Pause(since, now + max(PATIENCE.delay(now - since), at_least), reason)

    def end(self, model: str) -> None:
        """Let a model's messages go."""
        self._pauses.pop(model, None)
