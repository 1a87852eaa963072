"""Metrics as Prometheus reads them. The library is an extra, imported where metrics are wanted."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batchd.decisions.figures import Family
from batchd.errors import Unusable

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def require() -> None:
    """Import the library.

    Raises:
        Unusable: It is not installed.
    """
    try:
        import prometheus_client  # noqa: F401, PLC0415  an extra, and slow
    except ImportError:
        raise Unusable("[metrics] needs prometheus-client: pip install 'batchd[metrics]'") from None


def text(families: Iterable[Family]) -> bytes:
    """Write metrics as text, with those of the process; it blocks for a few milliseconds."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415  as above

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_collector(tuple(families)))
    return generate_latest(registry)


def write(path: Path, families: Iterable[Family]) -> None:
    """Write metrics into a file, whole under its name; it blocks.

    Raises:
        OSError: It cannot be written.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector, write_to_textfile  # noqa: PLC0415  as above

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_collector(tuple(families)))
    write_to_textfile(str(path), registry)


def _collector(families: tuple[Family, ...]) -> "Collector":
    from prometheus_client.registry import Collector  # noqa: PLC0415  as above

    class Families(Collector):
        def collect(self) -> Iterator["Metric"]:
            return map(_metric, families)

    return Families()


def _metric(family: Family) -> "Metric":
    from prometheus_client.core import (  # noqa: PLC0415  as above
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, buckets, total in family.buckets:
            histogram.add_metric(labels, list(buckets), sum_value=total)
        return histogram
    made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = made(family.name, family.help, labels=family.labels)
    for labels, value in family.samples:
        metric.add_metric(labels, value)
    return metric
