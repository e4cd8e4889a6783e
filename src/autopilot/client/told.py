"""One kind of state that a stream tells whole at each opening, and then as it changes. Pure.

Owns which of two states of one thing is shown: the stream's order counts, but for one that is older by its own account;
an answer counts where nothing was told since it was *asked for*. What an opening tells is gathered apart, and takes the
place of what is shown when it is caught up. Moments are numbers that grow with whatever happens. Never holds more than
`most`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")
REMEMBERED_DROPS = 1000


@dataclass(slots=True)
class _Said(Generic[T]):
    value: T
    when: int
    is_ahead: bool = False
    """Whether an answer said it, and the stream has not said as much yet."""


class Told(Generic[K, T]):
    """What is shown of one kind, and what is being gathered."""

    def __init__(self, most: int, is_older: Callable[[T, T], bool], rank: Callable[[T], Any]) -> None:
        """`is_older(new, known)` by their own account; of more than `most` those of the lowest `rank` are let go."""
        self._most = most
        self._is_older = is_older
        self._rank = rank
        self._shown: dict[K, _Said[T]] = {}
        self._coming: dict[K, _Said[T]] | None = None
        self._named: set[K] = set()
        self._begun = 0
        self._drops: dict[K, int] = {}

    def values(self) -> Iterator[T]:
        """What is shown, in no order."""
        return (said.value for said in self._shown.values())

    def all(self) -> dict[K, T]:
        """What is shown and what is gathered."""
        both = self._shown | (self._coming or {})
        return {key: said.value for key, said in both.items()}

    def ahead(self) -> dict[K, T]:
        """What is shown because of an answer, which the stream has not said yet."""
        return {key: said.value for key, said in self._shown.items() if said.is_ahead}

    def get(self, key: K) -> T | None:
        """What is shown of one."""
        said = self._shown.get(key)
        return None if said is None else said.value

    def gather(self, now: int) -> None:
        """An opening begins: what is told from now on is gathered."""
        gathered: dict[K, _Said[T]] = {}
        self._coming, self._begun = gathered, now
        self._named.clear()

    def swap(self, *, whole: bool) -> frozenset[K]:
        """What was gathered is what is shown; the keys that were shown, and that the opening has not named.

        With `whole` these are shown no more.
        """
        if self._coming is None:
            return frozenset()
        unnamed = frozenset(self._shown).difference(self._named)
        before, self._shown, self._coming = self._shown, self._coming, None
        for key, said in before.items():
            known = self._shown.get(key)
            if known is None:
                if key in unnamed and not whole:
                    self._shown[key] = said
            elif said.when > self._begun and self._is_older(known.value, said.value):
                self._shown[key] = said  # an answer that came meanwhile, and is newer
        self._bound(self._shown)
        return unnamed

    def keep(self, key: K, value: T, now: int) -> None:
        """Show this one, which the opening has not named, all the same."""
        self._put(self._shown, key, value, now)

    def tell(self, key: K, value: T, now: int) -> bool:
        """The stream says this; whether what is shown is another."""
        target = self._shown if self._coming is None else self._coming
        if self._coming is not None:
            self._named.add(key)
        known = target.get(key)
        if known is not None and self._is_older(value, known.value):
            return False
        self._put(target, key, value, now)
        return target is self._shown and (known is None or known.value != value)

    def merge(self, key: K, value: T, asked: int, now: int) -> bool:
        """An answer says this, asked for at `asked`; whether what is shown is another."""
        if self._drops.get(key, -1) > asked:
            return False
        if self._coming is not None and asked >= self._begun:
            self._merge(self._coming, key, value, asked, now)
        return self._merge(self._shown, key, value, asked, now)

    def missing(self, keys: Container[K], asked: int, covers: Callable[[T], bool]) -> list[K]:
        """Those shown that an answer which `covers` them does not name, and that nothing was told of since."""
        return [
            key for key, said in self._shown.items() if key not in keys and said.when <= asked and covers(said.value)
        ]

    def drop(self, key: K, now: int) -> bool:
        """Show it no more; whether it was shown."""
        self._drops.pop(key, None)
        self._drops[key] = now
        if len(self._drops) > REMEMBERED_DROPS:
            del self._drops[next(iter(self._drops))]
        if self._coming is not None:
            self._coming.pop(key, None)
        return self._shown.pop(key, None) is not None

    def _merge(self, target: dict[K, _Said[T]], key: K, value: T, asked: int, now: int) -> bool:
        known = target.get(key)
        if known is not None and known.when > asked and not self._is_older(known.value, value):
            return False
        is_ahead = known is None or known.is_ahead or self._is_older(known.value, value)
        self._put(target, key, value, now, is_ahead=is_ahead)
        return known is None or known.value != value

    def _put(self, target: dict[K, _Said[T]], key: K, value: T, now: int, *, is_ahead: bool = False) -> None:
        target[key] = _Said(value, now, is_ahead)
        self._bound(target)

    def _bound(self, target: dict[K, _Said[T]]) -> None:
        while len(target) > self._most:
            del target[min(target, key=lambda key: self._rank(target[key].value))]
