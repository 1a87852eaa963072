"""Money in the database: whole picodollars, so that SQL's sums are exact."""

from decimal import Decimal

_PICO = Decimal(10) ** 12
"""The dearest token costs 0.00005 USD and the cheapest cached one a few billionths: all are whole picodollars."""


def to_picodollars(usd: Decimal | None) -> int | None:
    """Turn an amount into what is stored.

    Args:
        usd: The amount; None where it is not known.
    """
    return None if usd is None else int((usd * _PICO).to_integral_value())


def from_picodollars(stored: int) -> Decimal:
    """Turn what is stored into an amount in USD.

    Args:
        stored: Picodollars.
    """
    return Decimal(stored) / _PICO
