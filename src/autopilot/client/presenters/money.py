"""Money for people: whole millionths of a currency's unit, as a decimal number. Never a broken binary one."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MICROS = 10**6
FINE = 6
"""Decimals that lose nothing."""


def amount(micros: int, decimals: int = FINE, separator: str = "") -> str:
    """`1250000` as `1.250000`; with fewer decimals rounded, halves up."""
    value = (Decimal(micros) / MICROS).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return format(value, f"{separator}f")
