# -*- coding: utf-8 -*-
"""Gauges and their readings."""

import time
from types import StringTypes

from errors import BadLine, RainlogError


class Reading(object):
    """So much rain, in hundredths of a millimetre, at one moment."""

    __slots__ = ('moment', 'amount')

    def __init__(self, moment, amount):
        if not isinstance(amount, (int, long)):
            raise RainlogError, 'an amount must be whole, not %s' % `amount`
        self.moment = moment
        self.amount = amount

    def __cmp__(self, other):
        return cmp((self.moment, self.amount), (other.moment, other.amount))

    def __nonzero__(self):
        return self.amount <> 0

    def __getstate__(self):
        return self.moment, self.amount

    def __setstate__(self, state):
        self.moment, self.amount = state

    def millimetres(self):
        """The amount as it is told to people, rounded down."""
        return self.amount / 100


class Gauge(object):
    """A place where rain is measured."""

    def __init__(self, name, height=None):
        if not isinstance(name, StringTypes):
            raise RainlogError, 'a name must be text'
        if isinstance(name, str):
            name = name.decode('latin-1')
        self.name = name
        self.height = height
        self.readings = []

    def __eq__(self, other):
        return self.name == other.name

    def add(self, line, number=0):
        """Take a line such as `2009-06-30 14:00;135`."""
        try:
            when, amount = line.split(';')
            moment = time.mktime(time.strptime(when, '%Y-%m-%d %H:%M'))
            self.readings.append(Reading(moment, int(amount, 10)))
        except ValueError, error:
            raise BadLine, (number, line), None

    def label(self):
        """Name and height; the latter is often not known."""
        if self.height > 0:
            return u'%s (%d m ü. M.)' % (self.name, self.height)
        return self.name
