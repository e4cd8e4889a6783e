"""The companion's settings. The six OPENAGENTS_RUNTIME_SYNC_* names are given; they override paired credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from autopilot.ops.settings import ProcessSettings, Secret

DEFAULT_BASE_URL = "http://127.0.0.1:8787"


class CompanionSettings(ProcessSettings, frozen=True, kw_only=True):
    """What the companion needs to know; every part has a default that fits `autopilot up`."""

    base_url: str | None = msgspec.field(name="OPENAGENTS_RUNTIME_SYNC_BASE_URL", default=None)
    """The API; None: the one of the paired credentials, else `DEFAULT_BASE_URL`."""
    token: Secret | None = msgspec.field(name="OPENAGENTS_RUNTIME_SYNC_TOKEN", default=None)
    """A token with the scope `execute`; None: the paired credentials."""
    workspace_ref: str | None = msgspec.field(name="OPENAGENTS_RUNTIME_SYNC_WORKSPACE_REF", default=None)
    """The workspace of every worker; None: `desktop://<cwd>` of its thread."""
    codex_home_ref: str | None = msgspec.field(name="OPENAGENTS_RUNTIME_SYNC_CODEX_HOME_REF", default=None)
    """None: `file://<codex home>`."""
    worker_prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~-]{1,60}$")] = msgspec.field(
        name="OPENAGENTS_RUNTIME_SYNC_WORKER_PREFIX", default="desktopw"
    )
    heartbeat_ms: Annotated[int, msgspec.Meta(ge=1000)] = msgspec.field(
        name="OPENAGENTS_RUNTIME_SYNC_HEARTBEAT_MS", default=30_000
    )
    codex: Path | None = msgspec.field(name="AUTOPILOT_CODEX", default=None)
    """The Codex to run; None: the user's own on PATH, else the pinned one."""
    codex_home: Path = msgspec.field(name="CODEX_HOME", default_factory=lambda: Path.home() / ".codex")
    join_shared_codex: bool = msgspec.field(name="AUTOPILOT_JOIN_SHARED_CODEX", default=True)
    """Whether to work on the user's shared Codex daemon where one runs; false: always on an app-server of our own."""
    approval_ttl_ms: Annotated[int, msgspec.Meta(ge=1000, le=604_800_000)] | None = msgspec.field(
        name="AUTOPILOT_APPROVAL_TTL_MS", default=None
    )
    """How long a question of our own Codex waits for a person before it is refused; None: a day, less in the demo."""
    demo_model_url: str | None = msgspec.field(name="AUTOPILOT_DEMO_MODEL_URL", default=None)
    """Base URL of the scripted model: run the demo instead of the user's Codex set-up."""

    @property
    def data(self) -> Path:
        """The companion's own folder."""
        return self.home / "companion"

    @property
    def heartbeat_seconds(self) -> float:
        """How often the machine says that it lives."""
        return self.heartbeat_ms / 1000
