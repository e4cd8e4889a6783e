"""Which rooms keep tables, and where their migrations are. The names only: nothing of them is imported."""

from __future__ import annotations

from collections.abc import Mapping

ROOMS: Mapping[str, str] = {"runtime": "autopilot.runtime", "api": "autopilot.api"}
"""Postgres schema -> package with `migrations/*.sql` and `sql/*.sql`."""
