# -*- coding: utf-8 -*-
import unittest
from StringIO import StringIO

from rainlog import BadLine, Gauge
from rainlog import reader, stats

LOG = """# a comment
2009-06-30 14:00;135
2009-06-30 13:00;10
2009-07-01 00:00;250
"""


class TestRainlog(unittest.TestCase):
    def setUp(self):
        self.gauge = reader.read(StringIO(LOG), Gauge('Z\xfcrich', 408))

    def test_reads_in_order(self):
        self.assertEquals([10, 135, 250], [r.amount for r in self.gauge.readings])

    def test_sums_by_month(self):
        self.assertEquals([('2009-06', 145L), ('2009-07', 250L)], stats.by_month(self.gauge))

    def test_rounds_down(self):
        self.assertEquals(131, stats.mean([10, 135, 250]))
        self.assertEquals([72, 192], stats.smoothed([10, 135, 250], 2))
        self.assertEquals(1, self.gauge.readings[1].millimetres())

    def test_gauges_without_rain_come_last(self):
        self.assertEquals([(u'Z\xfcrich', 395), ('dry', None)], stats.wettest([Gauge('dry'), self.gauge]))

    def test_labels(self):
        self.assertEquals(u'Zürich (408 m ü. M.)', self.gauge.label())
        self.assertEquals(u'dry', Gauge('dry').label())

    def test_tells_the_line(self):
        try:
            reader.read(['\n', 'nonsense'], self.gauge)
        except BadLine, error:
            self.assertEquals(2, error.number)
            self.assert_('nonsense' in str(error))
        else:
            self.fail('nonsense was taken')


if __name__ == '__main__':
    unittest.main()
