"""A phone's Keychain for tests: it outlives the app, answers later, and can be locked, stuck or killed."""

from __future__ import annotations

import asyncio


class Keychain:
    """Keeps what was written, and every value that ever was."""

    def __init__(self):
        self.held = {}
        self.written = []
        self.refuses = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def get(self, key):
        await self._answer()
        return self.held.get(key)

    async def set(self, key, value):
        await self._answer()
        self.written.append((key, value))
        self.held[key] = value

    async def remove(self, key):
        await self._answer()
        self.held.pop(key, None)

    async def _answer(self):
        self.asked.set()
        await self.gate.wait()
        if self.refuses:
            raise OSError("errSecInteractionNotAllowed")
