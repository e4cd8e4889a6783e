"""Where fields stand: what to Flutter makes a field the one that it was, with its focus and what is being typed.

Seen in Chromium, with Flet 1.0.5: in a column or row what is the same control stays, whatever comes and goes beside
it; in a list also its number among what is visible has to stay; and everything around it has to be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flet as ft
from tests.ios.phone import SKIPPED, Phone

NUMBERED = (ft.ListView, ft.GridView)
"""What is in these is told apart by its number."""


@dataclass(frozen=True)
class Place:
    """One field, and each block around it, outermost first."""

    around: tuple[tuple[ft.BaseControl, str, int | None], ...]
    """The block, its property, and the number in it where that counts."""
    field: ft.CupertinoTextField

    def differs(self, other: Place) -> str:
        """How far within something is another; empty: nothing is."""
        if self.field is not other.field:
            return f"another {self.field.key}"
        if len(self.around) != len(other.around):
            return f"{self.field.key} is {len(other.around)} deep and was {len(self.around)}"
        for was, now in zip(self.around, other.around, strict=True):
            if was[0] is not now[0] or was[1:] != now[1:]:
                inside = " > ".join(f"{type(block).__name__}.{name}" for block, name, _ in self.around)
                return f"{self.field.key}: {type(was[0]).__name__}.{was[1]} of {inside} is another, or elsewhere"
        return ""


def places(held: Phone) -> dict[str, Place]:
    """The fields that one can type into, by their keys."""
    tops = [*(one for one in held.page._dialogs.controls if one.open), *held.page.views[-1:]]
    return {str(place.field.key): place for top in tops for place in _within(top, ())}


def _within(control: Any, around: tuple[tuple[ft.BaseControl, str, int | None], ...]) -> Iterator[Place]:
    if getattr(control, "visible", True) is False:
        return
    if isinstance(control, ft.CupertinoTextField):
        yield Place(around, control)
    for name in getattr(control, "__dataclass_fields__", {}):
        value = None if name in SKIPPED else getattr(control, name, None)
        inside = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ft.BaseControl)]
        shown = [one for one in inside if getattr(one, "visible", True) is not False]
        for number, one in enumerate(shown):
            yield from _within(one, (*around, (control, name, number if isinstance(control, NUMBERED) else None)))
