"""For the tests of programs that use batchd, or the API: a stand-in that answers as a test says.

    with sandbox() as box:
        box.script("row-2", "billing")
        ...

pytest has it as the fixture `batchd_sandbox`. Nothing is charged, no key is needed, and nothing leaves the machine.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchd.testing.stand_in import StandIn, sandbox

__all__ = ["StandIn", "sandbox"]


def __getattr__(name: str) -> object:
    """Import a web server when a test asks for one: pytest imports this package in every run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from batchd.testing import stand_in  # noqa: PLC0415  see above

    return getattr(stand_in, name)
