"""What is measured, as metrics with labels: bounded in number, whatever there is, and no name of a job in them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]
Labels: TypeAlias = tuple[str, ...]
OTHER: Final = "other"
MOST_CHARGES: Final = 400
"""Series of costs by folder, model and lane; the smallest beyond are told together."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its series."""

    name: str
    """Of a counter without its `_total`."""
    kind: Kind
    help: str
    labels: Labels = ()
    samples: tuple[tuple[Labels, float], ...] = ()
    """Of a gauge or a counter."""
    buckets: tuple[tuple[Labels, tuple[tuple[str, float], ...], float], ...] = ()
    """Of a histogram: cumulated by upper bound, and the sum of what was observed."""


def gauge(name: str, about: str, value: float | None, **labels: str) -> Family:
    """A gauge of one series; of none where there is no value."""
    samples = () if value is None else ((tuple(labels.values()), float(value)),)
    return Family(name, "gauge", about, tuple(labels), samples)


def table(kind: Kind, name: str, about: str, labels: Labels, values: Mapping[Labels, float]) -> Family:
    """A metric with a series for each of some labels."""
    return Family(name, kind, about, labels, tuple(sorted((key, float(value)) for key, value in values.items())))


def histogram(
    name: str,
    about: str,
    label: str,
    bounds: Sequence[float],
    found: Mapping[str, tuple[Sequence[int], float]],
) -> Family:
    """A histogram for each value of one label, of counts that are cumulated: up to each bound, and all."""
    names = (*(f"{bound:g}" for bound in bounds), "+Inf")
    return Family(
        name,
        "histogram",
        about,
        (label,),
        buckets=tuple(
            ((value,), tuple(zip(names, map(float, counts), strict=True)), total)
            for value, (counts, total) in sorted(found.items())
        ),
    )


class Folders:
    """The folders that have a name in the metrics: the first ones by name, since there may be any number."""

    def __init__(self, known: Iterable[str], most: int) -> None:
        named = sorted({folder for folder in known if folder})
        self._named = frozenset(named[:most]) | {""}

    def __call__(self, folder: str) -> str:
        """What a folder is called."""
        return folder if folder in self._named else OTHER


def summed(
    values: Iterable[tuple[Labels, float]], renamed: Callable[[Labels], Labels] = lambda key: key
) -> dict[Labels, float]:
    """Add up what has the same labels once they are renamed."""
    sums: defaultdict[Labels, float] = defaultdict(float)
    for key, value in values:
        sums[renamed(key)] += value
    return dict(sums)


def bounded(values: Mapping[Labels, float], kept: frozenset[Labels]) -> dict[Labels, float]:
    """Add up all but some under `other` in each label."""
    return summed(values.items(), lambda key: key if key in kept else (OTHER,) * len(key))


def largest(values: Mapping[Labels, float], most: int = MOST_CHARGES) -> frozenset[Labels]:
    """The labels of the largest values."""
    return frozenset(sorted(values, key=lambda key: (-values[key], key))[:most])


def names(families: Iterable[Family]) -> Iterator[str]:
    """The names of all series, as a scrape has them."""
    for family in families:
        match family.kind:
            case "counter":
                yield f"{family.name}_total"
            case "histogram":
                yield from (f"{family.name}_{part}" for part in ("bucket", "count", "sum"))
            case _:
                yield family.name
