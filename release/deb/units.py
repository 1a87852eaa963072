"""Writes the files of the service into the folder that becomes a package: `python -m release.deb.units ROOT`."""

import sys
from pathlib import Path

from batchd.cli.service import texts
from batchd.cli.service_plan import OF_A_PACKAGE, PAGE, planned
from batchd.edges.installing import write


def main(root: Path) -> None:
    """Write them as `batchd service install` would, for the command of the package."""
    mine = texts()
    for file in planned(OF_A_PACKAGE, mine, ("/usr/bin/batchd",), page=PAGE in mine):
        write(root / file.path.relative_to("/"), file.text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
