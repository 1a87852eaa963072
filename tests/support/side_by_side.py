"""Worlds that have nothing to do with each other, played side by side: each spends most of its time waiting."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import anyio

from tests.support.house import House, house

AT_ONCE = 6
"""Worlds at one time; more would wait for the processor, while their clocks go on."""


class Played:
    """What came of each: a test of its own fails for each that failed."""

    def __init__(self, place: Path, speed: float, plays: Mapping[str, Callable[[House], Awaitable[None]]]) -> None:
        self._failed: dict[str, Exception] = {}
        anyio.run(self._play_all, place, speed, plays)

    def judge(self, name: str) -> None:
        """Raise what its play raised."""
        if name in self._failed:
            raise self._failed[name]

    async def _play_all(
        self, place: Path, speed: float, plays: Mapping[str, Callable[[House], Awaitable[None]]]
    ) -> None:
        turns = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for number, (name, play) in enumerate(plays.items()):
                tasks.start_soon(partial(self._play, place / str(number), speed, name, play, turns))

    async def _play(
        self,
        place: Path,
        speed: float,
        name: str,
        play: Callable[[House], Awaitable[None]],
        turns: anyio.CapacityLimiter,
    ) -> None:
        try:
            async with turns, house(place, speed=speed) as home:
                await play(home)
        except Exception as failed:  # noqa: BLE001  whatever it is, it is this play's alone
            self._failed[name] = failed
