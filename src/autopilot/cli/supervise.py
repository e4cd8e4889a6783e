"""Keep processes running: start them, start them again when they die, stop them in order and in time.

Owns restarts and their backoff, and the bounded stop. Relies on each `Service` to start and stop itself. Never decides
what runs: `autopilot.cli.up` does. Why it is so: docs/decisions/0007-supervision.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from autopilot.ops.clock import Clock

log = structlog.get_logger("autopilot.supervisor")

FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 30.0
"""A service that ran this long has earned a first wait again."""


class Service(Protocol):
    """Something that runs until it is stopped, or dies."""

    name: str
    stop_within_seconds: float
    """How long a clean stop may take before it is ended without asking."""

    async def start(self) -> None:
        """Start it. May be called again after it died."""
        ...

    async def wait(self) -> int:
        """Return its exit code once it is gone; negative for a signal."""
        ...

    async def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        ...

    async def kill(self) -> None:
        """End it without asking."""
        ...


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start."""

    clock: Clock
    _wait_seconds: float = FIRST_WAIT_SECONDS
    _started_at: float = 0.0

    def started(self) -> None:
        """Note the time of a start."""
        self._started_at = self.clock.monotonic()

    def next_seconds(self) -> float:
        """The wait after a death: doubling, and short again after good health."""
        if self.clock.monotonic() - self._started_at >= HEALTHY_AFTER_SECONDS:
            self._wait_seconds = FIRST_WAIT_SECONDS
        wait_seconds = self._wait_seconds
        self._wait_seconds = min(self._wait_seconds * 2, LONGEST_WAIT_SECONDS)
        return wait_seconds


@dataclass(slots=True)
class Supervisor:
    """Runs services in the order they are added, and stops them in the reverse order."""

    clock: Clock
    on_death: Callable[[str, int], None] = lambda _name, _code: None
    """Told the name and exit code of a service that died and will be started again."""
    _kept: list[tuple[Service, asyncio.Task[None]]] = field(default_factory=list)
    _stopping: bool = False

    async def keep(self, service: Service, tasks: asyncio.TaskGroup) -> None:
        """Start `service`, and start it again whenever it dies.

        Raises:
            Exception: whatever the first start raised; nothing is kept then.
        """
        backoff = Backoff(self.clock)
        backoff.started()
        await service.start()
        self._kept.append((service, tasks.create_task(self._again(service, backoff), name=f"keep {service.name}")))

    async def _again(self, service: Service, backoff: Backoff) -> None:
        while True:
            code = await service.wait()
            if self._stopping:
                return
            wait_seconds = backoff.next_seconds()
            log.warning("service.died", service=service.name, exit_code=code, again_in_seconds=wait_seconds)
            try:
                self.on_death(service.name, code)
            except Exception:  # whoever was to be told has left: no reason to leave everything else to its end
                log.exception("service.death_not_told", service=service.name)
            await self.clock.sleep(wait_seconds)
            await self._restart(service, backoff)

    async def _restart(self, service: Service, backoff: Backoff) -> None:
        while True:
            backoff.started()
            try:
                await service.start()
            except Exception:  # a supervisor's business is to try again, whatever it was
                wait_seconds = backoff.next_seconds()
                log.exception("service.start_failed", service=service.name, again_in_seconds=wait_seconds)
                await self.clock.sleep(wait_seconds)
            else:
                log.info("service.restarted", service=service.name)
                return

    async def stop(self) -> None:
        """Stop everything, last started first; each within its own time, then without asking."""
        self._stopping = True
        while self._kept:
            service, task = self._kept.pop()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._stop(service)

    async def _stop(self, service: Service) -> None:
        try:
            async with asyncio.timeout(service.stop_within_seconds):
                await service.stop()
        except TimeoutError:
            log.warning("service.killed", service=service.name, after_seconds=service.stop_within_seconds)
            await service.kill()
        except Exception:  # those started before it are to be stopped all the same
            log.exception("service.killed", service=service.name)
            await service.kill()
