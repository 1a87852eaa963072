"""Reads the logs of rain gauges, keeps them, and sums them up."""

from errors import RainlogError, BadLine
from gauge import Gauge, Reading
from version import VERSION

__all__ = map(str, [u'RainlogError', u'BadLine', u'Gauge', u'Reading', u'VERSION'])
