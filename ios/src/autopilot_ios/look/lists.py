"""A list whose controls outlive its changes: what did not change is neither built nor sent again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import flet as ft

M = TypeVar("M")


class Kept(Generic[M]):
    """Controls by key, each made of a model; made anew only when its model is another."""

    def __init__(self, render: Callable[[M], ft.Control]) -> None:
        self._render = render
        self._kept: dict[Hashable, tuple[M, ft.Control]] = {}

    def of(self, models: Iterable[tuple[Hashable, M]]) -> list[ft.Control]:
        """The controls of these, in order; those of others are forgotten."""
        kept: dict[Hashable, tuple[M, ft.Control]] = {}
        for key, model in models:
            known = self._kept.get(key)
            kept[key] = known if known is not None and known[0] == model else (model, self._render(model))
        self._kept = kept
        return [control for _model, control in kept.values()]
