"""Sums and means."""

import itertools
import time


def by_month(gauge):
    """Month to amount, as pairs in order."""
    months = {}
    for reading in gauge.readings:
        month = time.strftime('%Y-%m', time.localtime(reading.moment))
        if not months.has_key(month):
            months[month] = 0L
        months[month] += reading.amount
    pairs = months.items()
    pairs.sort()
    return pairs


def mean(amounts):
    """Rounded down, as the readings are."""
    return reduce(lambda a, b: a + b, amounts, 0) / max(len(amounts), 1)


def median(amounts):
    """The one in the middle."""
    ordered = sorted(amounts)
    return ordered[len(ordered) / 2] if ordered else None


def wettest(gauges):
    """Gauges by their sums, the wettest first; those without any last."""
    sums = dict((gauge.name, sum(r.amount for r in gauge.readings) or None) for gauge in gauges)
    names = sums.keys()
    names.sort(lambda a, b: cmp(sums[b], sums[a]) or cmp(a, b))
    return [(name, sums[name]) for name in names]


def smoothed(amounts, width=3):
    """Means of neighbours."""
    windows = [amounts[i:] for i in xrange(width)]
    return map(mean, itertools.izip(*windows))


def compare(one, other):
    """Months of both, with None where a gauge has none."""
    first, second = dict(by_month(one)), dict(by_month(other))
    months = first.keys() + filter(lambda month: month not in first, second.iterkeys())
    return [(month, first.get(month), second.get(month)) for month in sorted(months)]
