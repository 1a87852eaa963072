"""The command."""

import ConfigParser
import string
import sys
from optparse import OptionParser

import reader
import stats
from errors import RainlogError
from store import Store


def main(arguments=None):
    """Run, and return the exit code."""
    parser = OptionParser(usage='%prog [options] FILE...')
    parser.add_option('-c', '--config', metavar='FILE')
    parser.add_option('-i', '--interactive', action='store_true')
    options, paths = parser.parse_args(arguments)
    settings = dict(unit='mm', station='')
    if options.config:
        config = ConfigParser.SafeConfigParser()
        config.readfp(open(options.config))
        settings.update(config.items('rainlog'))
    if options.interactive and not paths:
        paths = string.split(raw_input('Which files? '))
    store = Store()
    try:
        for path in paths:
            store.save(reader.read_file(path))
    except (RainlogError, IOError), error:
        print >>sys.stderr, 'rainlog:', error
        return 1
    report(store, settings)
    return 0


def report(store, settings, out=sys.stdout):
    """Print what is known."""
    for gauge in store:
        print >>out, gauge.label().encode('utf-8')
        for month, amount in stats.by_month(gauge):
            print >>out, '  %s %8d.%02d' % (month, amount / 100, amount % 100),
            print >>out, settings['unit']
    print >>out, string.join([name.encode('utf-8') for name, _ in stats.wettest(store)], ', ')
