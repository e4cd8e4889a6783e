"""`autopilot demo-model`: the scripted model that plays the demo."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.exits import Exit
from autopilot.cli.options import PORT
from autopilot.cli.serving.process import Supervised, begin
from autopilot.companion.codex.scripted_model import ScriptedModel
from autopilot.ops.lifecycle import stop_on_signals


async def demo_model(
    *, port: Annotated[int, Parameter(help="Port on 127.0.0.1.", validator=PORT)] = 0, supervised: Supervised = False
) -> int:
    """Run the scripted model that plays the demo."""
    begin("model", supervised=supervised)
    async with stop_on_signals() as stop, ScriptedModel(port):
        await stop.wait()
    return Exit.OK
