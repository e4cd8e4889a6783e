"""What guesses may cost: tokens and cookies of nobody, counted by the network address that brings them.

An address over its limit gets one look at a time for secrets that were never seen here: guesses keep no more than one
connection to the database busy, while whoever brings a good secret from behind the same address is served as ever, and
a new one comes in between two guesses. Kept in this process, bounded. Never asks the database itself, never keeps a
secret, only its digest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from autopilot.api.limits import Limit
from autopilot.contract.errors import RateLimited

REMEMBERED = 20_000
"""Digests of secrets that were good when they were looked up last, those used last."""
BETWEEN_GUESSES_SECONDS = 1.0
Found = TypeVar("Found")


class Strangers:
    """Of one kind of secret."""

    def __init__(self, limit: Limit, reason_code: str) -> None:
        self._limit = limit
        self._reason_code = reason_code
        self._met: OrderedDict[bytes, None] = OrderedDict()
        self._looked_for: set[str] = set()  # addresses over their limit

    async def found(
        self, digest: bytes, address: Callable[[], str], find: Callable[[], Awaitable[Found | None]]
    ) -> Found | None:
        """What `find` finds of a secret with this digest, or None: it is nobody's.

        Raises:
            RateLimited: too many of this address were nobody's.
            Exception: whatever `find` raises.
        """
        if digest in self._met:
            found = await find()
            if found is None:
                self._met.pop(digest, None)
                self._limit.admit(address(), reason_code=self._reason_code)
        else:
            found = await self._of_a_stranger(address(), find)
        if found is not None:
            self._met[digest] = None
            self._met.move_to_end(digest)
            if len(self._met) > REMEMBERED:
                self._met.popitem(last=False)
        return found

    async def _of_a_stranger(self, address: str, find: Callable[[], Awaitable[Found | None]]) -> Found | None:
        wait_seconds = self._limit.wait_seconds(address)  # paid first: many at once are no way around it
        if wait_seconds:
            return await self._one_at_a_time(address, find, wait_seconds)
        is_nobodys = False
        try:
            found = await find()
            is_nobodys = found is None
        finally:
            if not is_nobodys:
                self._limit.give_back(address)
        return found

    async def _one_at_a_time(
        self, address: str, find: Callable[[], Awaitable[Found | None]], wait_seconds: float
    ) -> Found | None:
        if address in self._looked_for:
            raise self._refusal(BETWEEN_GUESSES_SECONDS)
        self._looked_for.add(address)
        try:
            found = await find()
        finally:
            self._looked_for.discard(address)
        if found is None:
            raise self._refusal(wait_seconds)
        return found

    def _refusal(self, wait_seconds: float) -> RateLimited:
        return RateLimited("too many requests", reason_code=self._reason_code, retry_after_seconds=wait_seconds)
