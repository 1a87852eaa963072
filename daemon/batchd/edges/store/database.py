"""The database beneath the store, as its rooms see it: a file of SQLite, or a server of PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from batchd.edges.store.statements import Row, Step

T = TypeVar("T")


class Database(Protocol):
    """The connections of one process: it reads only what is committed, and writes in groups."""

    @property
    def schema(self) -> int:
        """The version of the tables."""
        ...

    async def write(self, step: Step[T]) -> T:
        """Run a step and return once it is durable; no other step of any process runs at the same time.

        Args:
            step: The statements; they may run again if the database was not able to, so they must have no
                other effect.

        Raises:
            Unavailable: The database could not take it (disk full, locked, out of reach); nothing of it is stored.
            Violation: A constraint does not let it be.
        """
        ...

    async def rows(self, sql: str, *parameters: object) -> list[Row]:
        """Read rows by a SELECT.

        Raises:
            Unavailable: The database could not be read.
        """
        ...

    async def values(self, make: Callable[[Row], T], sql: str, *parameters: object) -> list[T]:
        """Read rows, however many, as what is made of them in a thread: nobody waits for that.

        Args:
            make: Makes a value of a row; it touches nothing else.
            sql: A SELECT.
            parameters: Its values.

        Raises:
            Unavailable: The database could not be read.
        """
        ...

    async def row(self, sql: str, *parameters: object) -> Row | None:
        """Read the first row of a SELECT, if there is one."""
        ...

    async def answers(self) -> None:
        """Ask the connection that reads for something that is always there.

        Raises:
            Unavailable: The database could not be read.
        """
        ...

    async def version_of_data(self) -> int:
        """A number that changes when another process has written: how a command wakes the daemon.

        Raises:
            Unavailable: The database could not be read.
        """
        ...

    async def number_from(self, table: str, least: int) -> None:
        """Have the next row of a table that numbers its rows itself get this id, or a higher one; twice does no harm.

        Raises:
            Unavailable: The database could not take it.
        """
        ...

    def still_held(self) -> None:
        """Make sure that no other process can have taken this one's place meanwhile: before a file of all is written.

        Raises:
            Unavailable: It may have.
        """
        ...

    async def in_hand(self) -> Mapping[int, Sequence[int]]:
        """The numbers of the batches that each of many workers has in hand, by its number in the timetable.

        Raises:
            Unavailable: The database could not be read.
        """
        ...

    async def flaws(self) -> list[str]:
        """Look the whole of it over, as far as a client can, and list the first things wrong with it."""
        ...

    async def give_back_log(self) -> bool:
        """Bring what a log holds into the tables, and cut it to nothing; whether that could be done.

        Raises:
            Unavailable: The disk refuses.
        """
        ...

    async def spare_others_the_log(self) -> None:
        """Bring into the tables what can be of a log: else whoever commits next may have to.

        Raises:
            Unavailable: The disk refuses.
        """
        ...

    async def give_back_pages(self, most: int) -> int:
        """Give empty pages back to the file system, and say how many are left.

        Raises:
            Unavailable: The disk refuses.
        """
        ...
