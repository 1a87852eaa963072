"""What programs read: each format by its name and version. Within a version fields are only added."""

from typing import Final

VERSION: Final = 1


def signed(name: str) -> dict[str, object]:
    """What stands first in an object of a format: which one it is, such as `batchd/job/1`."""
    return {"schema": f"batchd/{name}/{VERSION}"}
