"""What goes wrong on the way: as data in `plan.py`, what becomes of a call in the other rooms."""

from batchd.sandbox.faults.plan import KINDS, ROUTES, Fault, Faults

__all__ = ["KINDS", "ROUTES", "Fault", "Faults"]
