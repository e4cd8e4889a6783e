"""What a price table says: a currency, and from which day on a model's tokens cost how much. Pure.

Amounts are whole millionths of the currency's unit for a million tokens, read from decimal numbers without ever being
broken ones. Owns which keys there are, and which prices of days gone by a new table would change.
Source: docs/guide/budget.md, "See what it costs".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from autopilot.runtime import document_text
from autopilot.runtime.document_text import Faults, only, tables
from autopilot.runtime.spend_counts import MAX_WORD

INVALID = "prices_invalid"
MICROS = 10**6
DECIMALS = 6
MOST = 10_000
"""Units of the currency for a million tokens. What is said to cost more is a slip of the pen."""

_KEYS = ("model", "from", "input", "cached_input", "output")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost from a day on, until its next price."""

    model: str
    first_day: date
    input_micros: int
    """Of tokens that were not in the cache."""
    cached_input_micros: int
    output_micros: int
    """Reasoning included."""

    @property
    def amounts(self) -> tuple[int, int, int]:
        """What it costs."""
        return (self.input_micros, self.cached_input_micros, self.output_micros)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One text, read."""

    currency: str
    prices: tuple[Price, ...]
    """By model and day."""


@dataclass(frozen=True, slots=True)
class Repriced:
    """A price of the past that would be another."""

    model: str
    first_day: date
    """The first day of which it is another."""


def read(text: str, text_format: str) -> PriceTable:
    """What `text` says. `text_format`: `toml` or `json`.

    Raises:
        Unprocessable: `prices_invalid`; see document_text.read.
    """
    return document_text.read(text, text_format, INVALID, _contents)


def repriced(before: PriceTable, after: PriceTable, today: date) -> list[Repriced]:
    """Which known prices of days up to `today` would be others: what was used by then would cost something else.

    A price where there was none takes nothing back, and is none of these.
    """
    old, new = _by_model(before.prices), _by_model(after.prices)
    found: list[Repriced] = []
    for model, prices in sorted(old.items()):
        days = {price.first_day for price in (*prices, *new.get(model, ())) if price.first_day <= today}
        for day in sorted(days):
            was, would_be = _on(prices, day), _on(new.get(model, ()), day)
            if was is None:
                continue
            if would_be is None or before.currency != after.currency or was.amounts != would_be.amounts:
                found.append(Repriced(model, day))
                break
    return found


def _by_model(prices: Iterable[Price]) -> dict[str, list[Price]]:
    found: dict[str, list[Price]] = defaultdict(list)
    for price in prices:
        found[price.model].append(price)
    return found


def _on(prices: Iterable[Price], day: date) -> Price | None:
    """The one that holds on this day."""
    begun = [price for price in prices if price.first_day <= day]
    return max(begun, key=lambda price: price.first_day, default=None)


def _contents(value: dict[str, Any], faults: Faults) -> PriceTable:
    only(value, "", ("currency", "price"), faults)
    currency = value.get("currency")
    if not isinstance(currency, str) or _CURRENCY.fullmatch(currency) is None:
        faults.add("currency", 'must be three capital letters: "USD"')
        currency = ""
    prices: dict[tuple[str, date], Price] = {}
    for index, table in tables(value, "price", "price", _KEYS, faults):
        price = _price(table, f"price[{index}]", faults)
        if price is None:
            continue
        if (price.model, price.first_day) in prices:
            faults.add(f"price[{index}]", f"is a second price of {price.model} from {price.first_day}")
        prices[price.model, price.first_day] = price
    return PriceTable(currency, tuple(prices[key] for key in sorted(prices)))


def _price(table: dict[str, Any], path: str, faults: Faults) -> Price | None:
    model = table.get("model")
    if not isinstance(model, str) or not 1 <= len(model) <= MAX_WORD or not model.isprintable():
        faults.add(f"{path}.model", f"must be a model's whole name, of 1 to {MAX_WORD} printable characters")
        model = None
    first_day = _day(table.get("from"))
    if first_day is None:
        faults.add(f"{path}.from", "must be the first day that it holds for: 2026-11-22")
    amounts = [_micros(table, name, path, faults) for name in ("input", "cached_input", "output")]
    return None if model is None or first_day is None else Price(model, first_day, *amounts)


def _day(value: object) -> date | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        return None


def _micros(table: dict[str, Any], name: str, path: str, faults: Faults) -> int:
    said = table.get(name)
    amount = Decimal(said) if isinstance(said, int) and not isinstance(said, bool) else said
    if not isinstance(amount, Decimal) or not amount.is_finite() or not 0 <= amount <= MOST:
        faults.add(f"{path}.{name}", f"must be what a million tokens cost: a number from 0 to {MOST}, as 1.25")
        return 0
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or not -DECIMALS <= exponent <= DECIMALS:
        faults.add(f"{path}.{name}", f"must have at most {DECIMALS} decimals")
        return 0
    return int(amount * MICROS)
