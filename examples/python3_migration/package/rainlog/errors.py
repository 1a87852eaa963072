"""What can go wrong."""


class RainlogError(StandardError):
    """Anything that rainlog itself finds wrong."""


class BadLine(RainlogError):
    """A line of a log that cannot be understood."""

    def __init__(self, number, line):
        RainlogError.__init__(self, number, line)
        self.number = number
        self.line = line

    def __unicode__(self):
        return u'line %d: %s' % (self.number, self.line.decode('latin-1'))

    def __str__(self):
        return unicode(self).encode('utf-8')
