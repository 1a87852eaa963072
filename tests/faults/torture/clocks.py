"""Sets the machine's clock forward and back between a kill and the next start: no wait may follow it, nothing expire.

While it runs, the daemon's clock does not follow the machine's (`tests/edges/test_clock.py`); a start takes it as it
is.
"""

import random
import time
from collections.abc import Iterable

from tests.faults.torture.edge_steps import StepBlow
from tests.faults.torture.judge import Flaws, compare, torn
from tests.faults.torture.stage import Stage, Undisturbed
from tests.faults.torture.table import Row

HOUR, DAY = 3_600.0, 86_400.0
JUMPS = (-30 * DAY, -2 * DAY, -HOUR, -300.0, -1.0, 1.0, 300.0, HOUR, 2 * DAY, 30 * DAY)


def set_clocks(  # noqa: PLR0913  a form with all it needs
    stage: Stage, undisturbed: Undisturbed, steps: Iterable[int], row: Row, *, seed: int, until: float
) -> Row:
    """Kill it at each of these steps, twice, and start it on another clock each time; then judge."""
    luck = random.Random(seed)  # noqa: S311  no secret
    for step in steps:
        if time.monotonic() > until:
            row.note = "time was up"
            break
        first, second, third = luck.choice((0.0, *JUMPS)), luck.choice(JUMPS), luck.choice((0.0, *JUMPS))
        with stage.play() as play:
            flaws = Flaws()
            for blow, ahead in ((StepBlow(step), first), (StepBlow(luck.randint(1, len(undisturbed.steps))), second)):
                play.run(blow, ahead=ahead)
                flaws.wrong += torn(play.home, undisturbed.left, set())
            ended = play.run(ahead=third)
            if ended.status != 0:
                flaws.lost.append(f"the last run did not end ({ended.status})")
            flaws += compare(play.left(), undisturbed.left)
            play.keep = bool(flaws)
            row.add(
                flaws,
                ended,
                f"SIGKILL at step {step}, {first:+.0f} s, {second:+.0f} s, {third:+.0f} s, see {play.place}",
            )
    return row
