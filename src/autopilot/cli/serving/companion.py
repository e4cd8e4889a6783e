"""`autopilot companion`: the companion and Codex on this machine."""

from __future__ import annotations

import os

from autopilot.cli.child import tell_supervisor
from autopilot.cli.exits import Exit
from autopilot.cli.serving.process import Supervised, begin
from autopilot.companion import daemon
from autopilot.companion.settings import CompanionSettings
from autopilot.ops.clock import SystemClock
from autopilot.ops.settings import load


async def companion(*, supervised: Supervised = False) -> int:
    """Run the companion and Codex on this machine, for the API that its credentials are of."""
    begin("companion", supervised=supervised)
    await daemon.run(load(CompanionSettings, os.environ), SystemClock(), say=tell_supervisor(os.environ))
    return Exit.OK
