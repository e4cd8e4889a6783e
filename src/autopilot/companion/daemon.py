"""The companion's process: what it takes from its surroundings, until SIGTERM.

Owns the lock of the data folder, the choice of Codex and the client of the API. What runs then is `app.Companion`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from autopilot.client import FileTokenStore, RuntimeCodexClient
from autopilot.companion import demo, identity
from autopilot.companion.app import Companion
from autopilot.companion.codex import binary
from autopilot.companion.codex.process import Launch, child_environment
from autopilot.companion.settings import CompanionSettings
from autopilot.companion.sign_in import Say, signed_in
from autopilot.contract.errors import AutopilotError
from autopilot.ops.clock import Clock
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.log import current_traceparent

log = structlog.get_logger(__name__)


async def run(
    settings: CompanionSettings,
    clock: Clock,
    *,
    environ: Mapping[str, str] | None = None,
    say: Say = lambda _word: None,
) -> None:
    """The companion's process: until SIGTERM. `say` takes a word to whoever supervises it.

    Raises:
        CodexUnavailable: there is no Codex to run.
        RuntimeError: another companion runs in this data folder.
    """
    environ = os.environ if environ is None else environ
    async with stop_on_signals() as stopping, contextlib.AsyncExitStack() as stack:
        stack.enter_context(_only_one(settings.data))
        chosen = await binary.find(environ)
        log.info("codex.found", path=str(chosen.path), version=chosen.version, source=chosen.source)
        launch, defaults = await _launch(settings, chosen, environ)
        client = await stack.enter_async_context(_client(settings, clock, say))
        companion = Companion(settings, launch, client, clock, defaults)
        await companion.run(stopping)


async def _launch(
    settings: CompanionSettings, chosen: binary.CodexBinary, environ: Mapping[str, str]
) -> tuple[Launch, dict[str, Any]]:
    """How to start Codex, and what its threads are started with by default."""
    defaults: dict[str, Any] = {}
    codex_home = settings.codex_home
    arguments: tuple[str, ...] = ()
    if settings.demo_model_url:
        await asyncio.to_thread(demo.prepare, settings.home, settings.demo_model_url)
        await demo.begin_repository(settings.home)
        codex_home = demo.codex_home(settings.home)
        defaults = await demo.thread_defaults(chosen, settings.home, environ)
    launch = Launch(
        binary=chosen,
        codex_home=codex_home,
        run_dir=settings.home / "run",
        log_path=settings.home / "logs" / "codex.log",
        environ=child_environment(environ, codex_home, settings.home / "run" / "tmp"),
        arguments=arguments,
        mark=settings.demo_model_url or "",
    )
    return launch, defaults


@contextlib.asynccontextmanager
async def _client(settings: CompanionSettings, clock: Clock, say: Say) -> AsyncIterator[RuntimeCodexClient]:
    """The SDK's client, with the settings' token or the paired credentials."""
    store = FileTokenStore(settings.data / "credentials.json")
    machine_id = identity.load_or_create(settings.home).machine_id
    async with (
        signed_in(settings, store, machine_id, clock=clock, say=say) as (base_url, tokens),
        RuntimeCodexClient(base_url, tokens, surface="companion", clock=clock, trace=_trace) as client,
    ):
        yield client


def _trace() -> dict[str, str]:
    traceparent = current_traceparent()
    return {} if traceparent is None else {"traceparent": traceparent}


@contextlib.contextmanager
def _only_one(data: Path):  # noqa: ANN202  # a generator of nothing
    """Hold the data folder: two companions on one file would both be right, and both wrong."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AutopilotError(f"another companion runs in {data}") from error
        yield
