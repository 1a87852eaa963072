"""What keeps watch: a dead man's switch that hears of a stopped daemon, and sinks that take nothing, in `status`."""

import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.installation import SOON, Installation
from tests.support.receiver import receiver

EVERY = 1.0


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.slow  # a silence takes its time
def test_a_stopped_daemon_pings_no_more_and_a_sink_that_takes_nothing_is_shown(batchd: Installation) -> None:
    with receiver() as beats:
        (batchd.home / "batchd.toml").write_text(
            f'[notify.sinks.beat]\nping = "{beats.url}"\nprivate = true\nevery = {EVERY}\n'
            '[notify.sinks.team]\nurl = "http://127.0.0.1:9/secret-path"\nprivate = true\nevents = ["job.finished"]\n'
        )
        batchd.drop("a.md", "Hello [sandbox: words 5]")
        process = batchd.start("run", "--sandbox")
        batchd.job("a")
        beats.wait_for(3, SOON)
        batchd.wait_until(lambda: batchd.status()["untold"])
        (untold,) = batchd.status()["untold"]
        assert set(untold) == {"sink", "waiting", "since", "reason"}
        assert (untold["sink"], untold["waiting"]) == ("team", 1)
        log = (batchd.home / ".log").read_text()
        assert "notice not delivered" in log
        assert "defect" not in log
        assert "secret-path" not in log + str(untold)

        process.send_signal(signal.SIGSTOP)
        batchd.wait_until(lambda: is_stopped(process.pid))
        time.sleep(EVERY)  # what had left by then is here
        heard = len(beats.got)
        time.sleep(2 * EVERY)  # the one test of a silence, whose length is promised
        assert len(beats.got) == heard, "a daemon that does nothing says that it lives"

        process.send_signal(signal.SIGCONT)
        beats.wait_for(heard + 1, SOON)
        assert batchd.stop(process) == 0
