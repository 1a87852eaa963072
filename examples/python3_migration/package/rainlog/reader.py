"""Finds logs, on the disk and at stations, and reads them."""

import os
import re
import urllib2
from StringIO import StringIO
from urlparse import urljoin

from gauge import Gauge

COMMENT = re.compile('[#;]')
NEWEST_FIRST = lambda (one, _), (other, __): cmp(other, one)


def read_file(path):
    """A gauge from a file, which is called like it."""
    name = os.path.splitext(os.path.basename(path))[0]
    return read(file(path, 'rU'), Gauge(name))


def read_station(url, names):
    """The gauges of a station, and what went wrong with others."""
    gauges, troubles = {}, {}
    for name in names:
        try:
            body = urllib2.urlopen(urljoin(url, urllib2.quote(name.encode('utf-8')) + '.log')).read()
        except urllib2.HTTPError, error:
            troubles[name] = error.code
        except (urllib2.URLError, IOError), error:
            troubles[name] = unicode(error)
        else:
            gauges[name] = read(StringIO(body), Gauge(name))
    return gauges, troubles


def read(lines, gauge):
    """Fill a gauge from the lines of a log."""
    for number, line in enumerate(lines):
        line = line.strip()
        if line and not COMMENT.match(line):
            gauge.add(line, number + 1)
    gauge.readings.sort()
    return gauge


def logs_below(folder):
    """The paths of all logs, the newest first."""
    found = []

    def visit(_, here, names):
        names.sort()
        for name in filter(lambda name: name.endswith('.log'), names):
            path = os.path.join(here, name)
            found.append((os.stat(path).st_mtime, path))

    os.path.walk(folder, visit, None)
    found.sort(NEWEST_FIRST)
    return [path for _, path in found]
