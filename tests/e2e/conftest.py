from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.e2e.installation import Up, running_up


@pytest.fixture(scope="session")
async def up(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """One installation for all tests that only look and ask."""
    async with running_up(tmp_path_factory.mktemp("installation") / "home") as running:
        yield running
