from distutils.core import setup

execfile('rainlog/version.py')

setup(
    name='rainlog',
    version=VERSION,
    description='Reads the logs of rain gauges and sums them up',
    packages=['rainlog'],
)
