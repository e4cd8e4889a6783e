"""A browser for the whole run; the app is served to it by each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from tests.browser import screens


@pytest.fixture(scope="session")
async def launched(anyio_backend: str) -> AsyncIterator[Browser]:
    async with screens.browser() as made:
        yield made
