"""A reduced flood; `python -m tests.attacks.hostile` has the whole one, and its price."""

from tests.attacks.hostile import flood_a_guard


def test_a_flood_of_hostile_records_changes_no_byte_of_a_guard_and_costs_less_than_genuine_ones() -> None:
    records = 3_000
    price = flood_a_guard(records, genuine_every=50)  # it compares the table after each genuine record
    assert sum(price.counts.values()) > records
    assert len(price.counts) == 15, "every kind of mutation, and two genuine ones"
    assert price.hostile / records < 2 * price.each("genuine, 1 rows")
    assert price.held < 24_000_000
