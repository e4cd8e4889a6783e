"""The server's chain of seals: does it still hold what this machine's companion keeps of it."""

from __future__ import annotations

import asyncio

from autopilot.cli.checks.finding import Finding, ok, problem
from autopilot.cli.home import Home
from autopilot.companion import seal_heads
from autopilot.ops.program import autopilot


async def kept(home: Home) -> list[Finding]:
    """A problem for each head that is lost; nothing where none was ever kept."""
    heads = await asyncio.to_thread(seal_heads.read, home.companion)
    lost = [one for one in heads if one.is_lost]
    if lost:
        return [
            problem(
                "seals",
                one.sentence(),
                f"{autopilot('audit verify')}; if you restored it yourself: {autopilot(f'audit accept {one.name}')}",
            )
            for one in lost
        ]
    current = [one for one in heads if one.lost_at is None]
    return [ok("seals", f"the chain held seal {one.seal_no}, kept here since {one.kept_at}") for one in current]
