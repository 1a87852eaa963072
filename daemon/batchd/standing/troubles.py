"""What keeps single things from being done, as data."""

from batchd.decisions.report import timestamp
from batchd.trouble import Trouble


def trouble_as_data(kept: Trouble) -> dict[str, object]:
    """Tell what keeps one thing, in the words of `batchd status --json`."""
    thing = kept.thing
    return {
        "what": thing.work.undone,
        "of": thing.name,
        "since": timestamp(kept.since),
        "reason": kept.reason,
        "defect": kept.defect,
    }
