"""`python -m autopilot.companion`: the companion by itself, set up by its environment."""

from __future__ import annotations

import asyncio
import os

from autopilot.companion.daemon import run
from autopilot.companion.settings import CompanionSettings
from autopilot.contract.redaction import redact
from autopilot.ops import core_dumps, log
from autopilot.ops.clock import SystemClock
from autopilot.ops.settings import load


def main() -> None:
    """Read the environment and run until SIGTERM."""
    core_dumps.leave_none()
    settings = load(CompanionSettings, os.environ)
    log.configure(level=settings.log_level, form=settings.log_format, redact=redact, process="companion")
    asyncio.run(run(settings, SystemClock()))


if __name__ == "__main__":
    main()
