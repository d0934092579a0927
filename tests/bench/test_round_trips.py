"""What a lookup costs in a table ten times as long."""

from __future__ import annotations

from bench.speed import round_trips


def test_lookups_cost_the_same_in_a_table_ten_times_as_long() -> None:
    """Also with the rows of 100,000 records: `python -m bench.speed.round_trips`."""
    # In the short one, posting lists of common words already take more than one request.
    short_table, long_table = round_trips.measured(800), round_trips.measured(8_000)
    assert short_table.keys() == long_table.keys()
    for lookup, (requests, found) in short_table.items():
        of_the_index = requests - found
        more = 20 if lookup == "common and rare" else 6  # seeks for each of 20; longer pages
        requests, found = long_table[lookup]
        assert requests - found <= of_the_index + more, lookup
