"""How a job file spells what was said of a request beside its params."""

from collections.abc import Mapping, Sequence

from batchd.claude.price import from_picodollars


def spelled(rounds: int, betas: Sequence[str], wishes: Mapping[str, object], budget: int | None) -> dict[str, object]:
    """Write the settings of a request as its line would have them, to be dropped again.

    Args:
        rounds: Which `continue` allows.
        betas: Of the API.
        wishes: As the store keeps them.
        budget: In picodollars.
    """
    said: dict[str, object] = {"continue": rounds}
    if betas:
        said["betas"] = list(betas)
    said |= wishes
    if budget is not None:
        said["budget"] = float(from_picodollars(budget))
    return said
