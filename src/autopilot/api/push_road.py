"""What is on its way to push services now: bounded in all, to each service, and for each user.

A push service that hangs, or somebody whose endpoints do, takes what is theirs and leaves the rest to the others.
Knows nothing of messages: who asks for room says where they go and whose they are.
"""

from __future__ import annotations

import asyncio
from collections import Counter

IN_ALL = 48
TO_A_SERVICE = 12
"""Four services that hang at once leave no room, three do; people have devices of two or three."""
OF_A_USER = 36
"""Whoever names places that hang, one after the other, leaves room as well."""


class Road:
    """Counts who is on it."""

    def __init__(self) -> None:
        self._services: Counter[str] = Counter()
        self._users: Counter[int] = Counter()
        self._freed = asyncio.Event()

    @property
    def full_services(self) -> list[str]:
        """To these nothing more may set out now."""
        return [service for service, count in self._services.items() if count >= TO_A_SERVICE]

    @property
    def full_users(self) -> list[int]:
        """Of these nothing more may."""
        return [user_id for user_id, count in self._users.items() if count >= OF_A_USER]

    @property
    def room(self) -> int:
        """How many may set out at once, wherever they go and whosever they are, but for those that are full."""
        services = (count for count in self._services.values() if count < TO_A_SERVICE)
        users = (count for count in self._users.values() if count < OF_A_USER)
        return min(
            IN_ALL - self._services.total(),
            TO_A_SERVICE - max(services, default=0),
            OF_A_USER - max(users, default=0),
        )

    def enter(self, service: str, user_id: int) -> None:
        """One sets out."""
        self._services[service] += 1
        self._users[user_id] += 1

    def leave(self, service: str, user_id: int) -> None:
        """It has come back."""
        was_full = self.room <= 0 or service in self.full_services or user_id in self.full_users
        self._services -= Counter((service,))
        self._users -= Counter((user_id,))
        if was_full:
            self._freed.set()

    async def freed(self) -> None:
        """Wait until there is room where there was none since this was last asked."""
        await self._freed.wait()
        self._freed.clear()
