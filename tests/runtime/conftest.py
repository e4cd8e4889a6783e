"""A running runtime over a real database, and the people who call it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import sharing_watch
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.runtime import DIGEST_KEY, OWNER


@pytest.fixture
def settings() -> RuntimeSettings:
    return RuntimeSettings(digest_key=DIGEST_KEY, delivery_key=b"d" * 32, seal_key=b"s" * 32, notify_interval_ms=1)


@pytest.fixture
async def runtime(database: str, settings: RuntimeSettings) -> AsyncIterator[Runtime]:
    """A runtime of this test alone, entered."""
    async with await build(settings, dsn=database) as built:
        yield built


@pytest.fixture
async def elsewhere(database: str, settings: RuntimeSettings) -> AsyncIterator[Runtime]:
    """Another process that hears nothing of this one: it has only what it looks at itself."""
    async with await build(settings, dsn=database) as other:
        for topic in (sharing_watch.TOPIC, "principal"):
            other.wakeups.subscribe(topic, lambda _key, _seq: None)
        yield other


@pytest.fixture
def owner() -> Claims:
    return OWNER
