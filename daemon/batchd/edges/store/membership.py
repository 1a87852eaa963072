"""What one of many workers has of the database beside the store: its slot, who else is there, and who sweeps."""

from typing import Protocol


class Membership(Protocol):
    """The place of this process among the workers of one database; it is lost with the connection that writes."""

    @property
    def token(self) -> str:
        """By which the server knows the connections of this process."""
        ...

    @property
    def slot(self) -> int:
        """Which of the workers it is, from 0."""
        ...

    async def now(self) -> float:
        """Unix seconds by the server's clock, which all workers live by."""
        ...

    async def sweeps(self) -> bool:
        """Take the lock of the one that takes, packs and delivers, for as long as this process lasts."""
        ...

    async def slots_held(self) -> frozenset[int]:
        """The slots whose workers are connected."""
        ...

    async def cut_off(self, token: str) -> None:
        """End the connections of a worker that was not heard for too long: from now on it commits nothing."""
        ...

    async def tell_sweeper(self) -> None:
        """Have the worker that sweeps look into the store."""
        ...

    def still_held(self) -> None:
        """Make sure that nobody can have given this process up.

        Raises:
            Unavailable: Somebody may have.
        """
        ...
