"""Reading price tables, and what a new one would make of the past (docs/guide/budget.md)."""

from __future__ import annotations

import json
from datetime import date

import pytest

from autopilot.contract.errors import Unprocessable
from autopilot.runtime.price_table import Price, PriceTable, Repriced, read, repriced

WHOLE = """\
currency = "USD"

[[price]]
model = "gpt-5"
from = 2026-11-01
input = 1.25
cached_input = 0.125
output = 10

[[price]]
model = "gpt-5"
from = "2026-01-01"
input = 2.000001
cached_input = 0
output = 10000
"""
TODAY = date(2026, 11, 22)


def refusals(text, text_format="toml"):
    with pytest.raises(Unprocessable) as refused:
        read(text, text_format)
    assert refused.value.reason_code == "prices_invalid"
    return [(detail["path"], detail["line"]) for detail in refused.value.details]


def one(**said):
    """A table of one price, as JSON."""
    price = {"model": "m", "from": "2026-11-01", "input": 1, "cached_input": 1, "output": 1, **said}
    return json.dumps({"currency": "USD", "price": [{name: value for name, value in price.items() if value != ()}]})


def table(*prices, currency="USD"):
    """`(model, day of November, amount)`."""
    return PriceTable(
        currency, tuple(Price(model, date(2026, 11, day), cost, cost, cost) for model, day, cost in prices)
    )


def test_a_whole_table_is_read_exactly_and_sorted_by_model_and_day():
    assert read(WHOLE, "toml") == PriceTable(
        "USD",
        (
            Price("gpt-5", date(2026, 1, 1), 2_000_001, 0, 10_000_000_000),
            Price("gpt-5", date(2026, 11, 1), 1_250_000, 125_000, 10_000_000),
        ),
    )
    assert read(one(input=0.1, output=0.3), "json").prices[0].amounts == (100_000, 1_000_000, 300_000)
    assert read('currency = "EUR"', "toml") == PriceTable("EUR", ())


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", [("currency", None)]),
        ("currency = 'usd'\nprices = []", [("prices", 2), ("currency", 1)]),
        ("currency = 'USD'\n[price]\nmodel = 'm'", [("price", 2)]),
        (
            "currency = 'USD'\n[[price]]\nmodel = ''\ninput = -1\noutput = nan\nreasoning = 1",
            [
                ("price[0].reasoning", 6),
                ("price[0].model", 3),
                ("price[0].from", 2),
                ("price[0].input", 4),
                ("price[0].cached_input", 2),
                ("price[0].output", 5),
            ],
        ),
        (WHOLE + WHOLE[WHOLE.index("\n[[") : WHOLE.rindex("\n[[")], [("price[2]", 17)]),
        ("currency = 'USD'\nx = 1e99999999999999999999", [("", None)]),
        ("currency =", [("", 1)]),
    ],
)
def test_every_fault_is_told_with_its_place(text, faults):
    assert refusals(text) == faults


@pytest.mark.parametrize("amount", [0.0000001, 10_000.000001, 1e9, -0.01, "1.25", True, None, [], 1e-300])
def test_what_is_no_price_is_refused(amount):
    assert refusals(one(input=amount), "json") == [("price[0].input", None)]


@pytest.mark.parametrize("day", ["20261101", "2026-11-31", "", 20261101, "2026-11-01T00:00:00Z", None])
def test_what_is_no_day_is_refused(day):
    assert refusals(one(**{"from": day}), "json") == [("price[0].from", None)]
    assert refusals(WHOLE.replace("2026-11-01", "2026-11-01T00:00:00Z")) == [("price[0].from", 5)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (table(("a", 1, 5)), table(("a", 1, 5), ("a", 23, 6)), []),
        (table(("a", 1, 5)), table(("a", 1, 5), ("b", 1, 6)), []),
        (table(("a", 10, 5)), table(("a", 1, 7), ("a", 10, 5)), []),
        (table(("a", 23, 5)), table(("a", 24, 6), currency="EUR"), []),
        (table(("a", 1, 5)), table(("a", 1, 5), ("a", 10, 5), ("a", 22, 5)), []),
        (table(("a", 1, 5)), table(("a", 1, 5), ("a", 22, 6)), [("a", 22)]),
        (table(("a", 1, 5), ("b", 1, 5)), table(("a", 1, 6)), [("a", 1), ("b", 1)]),
        (table(("a", 1, 5)), table(("a", 2, 5)), [("a", 1)]),
        (table(("a", 1, 5)), table(("a", 1, 5), currency="EUR"), [("a", 1)]),
        (table(("a", 1, 5), ("a", 10, 6)), table(("a", 1, 5)), [("a", 10)]),
    ],
)
def test_a_table_that_changes_a_known_price_of_days_gone_by_is_known_as_one(before, after, found):
    assert repriced(before, after, TODAY) == [Repriced(model, date(2026, 11, day)) for model, day in found]
