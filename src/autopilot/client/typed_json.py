"""JSON that a person typed: only what can be sent on as it was meant. Pure."""

from __future__ import annotations

import json
import math
from typing import Any


def read(text: str) -> Any:
    """The value.

    Raises:
        json.JSONDecodeError: it is no JSON.
        ValueError, RecursionError: it has a number that JSON lacks or that no program holds, or is nested too deep.
    """
    return json.loads(text, parse_constant=_refused, parse_float=_finite)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is beyond all numbers")
    return number
