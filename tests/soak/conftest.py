"""The real API and runtime, as the SDK's tests have them."""

from __future__ import annotations

from tests.client.conftest import installation

__all__ = ["installation"]
