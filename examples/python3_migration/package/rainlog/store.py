"""Keeps gauges between two runs."""

import anydbm
import cPickle
import md5
import os


class Store(object):
    """A small database of gauges by name."""

    def __init__(self, path=None):
        self.path = path or os.path.join(os.getcwdu(), u'rainlog.db')
        self._database = anydbm.open(self.path.encode('utf-8'), 'c', 0600)

    def save(self, gauge):
        """Keep a gauge, with a digest of what is kept."""
        data = cPickle.dumps(gauge, 1)
        self._database[gauge.name.encode('utf-8')] = md5.new(data).hexdigest() + data

    def load(self, name):
        """The gauge of that name; KeyError where there is none."""
        stored = self._database[name.encode('utf-8')]
        digest, data = stored[:32], stored[32:]
        if digest <> md5.new(data).hexdigest():
            raise ValueError('the data of %s is damaged' % name.encode('utf-8'))
        return cPickle.loads(data)

    def names(self):
        """All names, in order."""
        return sorted(map(lambda key: key.decode('utf-8'), self._database.keys()))

    def next(self):
        """So that a store can be walked through."""
        return self._walk.next()

    def __iter__(self):
        self._walk = (self.load(name) for name in self.names())
        return self
