"""Results that lack lines."""

from batchd.decisions.batch.shortfall import HOUR, READINGS, Shortfall, after_reading


def test_only_readings_that_agree_for_an_hour_are_final() -> None:
    seen = None
    for minute in range(60):
        seen = after_reading(seen, 4, minute * 60.0)
        assert not seen.final(minute * 60.0)
    assert after_reading(seen, 4, HOUR).final(HOUR)


def test_a_reading_that_brought_more_begins_anew() -> None:
    seen = after_reading(Shortfall(4, 0.0, 9), 3, HOUR)
    assert seen == Shortfall(3, HOUR, 1)
    assert not seen.final(HOUR + 1)


def test_a_machine_that_slept_has_not_read() -> None:
    slept = after_reading(Shortfall(4, 0.0, 1), 4, 10 * HOUR)
    assert slept.readings < READINGS
    assert not slept.final(10 * HOUR)


def test_a_restart_keeps_the_hour_and_reads_again() -> None:
    seen = Shortfall(4, 0.0, 0)
    for reading in range(1, READINGS + 1):
        seen = after_reading(seen, 4, HOUR + reading)
        assert seen.final(HOUR + reading) == (reading == READINGS)
