"""Merging waits while a flood of rows comes."""

from revocast.sdk.downpour import Downpour


def test_a_merge_waits_while_thousands_of_rows_a_second_come_and_no_longer() -> None:
    downpour = Downpour()
    assert not downpour.lasts(0, 0, 10.0)
    assert downpour.lasts(40_000, 40_000, 11.0)
    assert downpour.lasts(80_000, 80_000, 12.0)
    assert not downpour.lasts(80_100, 80_100, 13.0)


def test_what_comes_slowly_puts_nothing_off() -> None:
    downpour = Downpour()
    assert not any(downpour.lasts(4000 * second, 40_000, float(second)) for second in range(20))


def test_at_half_a_million_entries_a_merge_waits_no_longer() -> None:
    downpour = Downpour()
    downpour.lasts(0, 0, 0.0)
    assert downpour.lasts(500_000, 500_000, 1.0)
    assert not downpour.lasts(600_000, 600_000, 2.0)


def test_a_new_table_puts_nothing_off() -> None:
    downpour = Downpour()
    downpour.lasts(500_000, 500_000, 0.0)
    assert not downpour.lasts(1000, 1000, 1.0)
