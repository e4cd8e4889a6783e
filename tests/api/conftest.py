"""The API, served for real on a port of its own, in front of a runtime of a few lines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.served import EchoRuntime, ServedApi, serving


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime()) as served:
        yield served
