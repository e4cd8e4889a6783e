"""`autopilot audit heads | accept`: the heads of the chain of seals that this machine's companion keeps.

Reads the companion's file, whether it runs or not. Changes nothing, but that a person may accept that a head is lost.
"""

from __future__ import annotations

import asyncio
import os
import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home, home_for_up, running_home
from autopilot.cli.lan import only_here
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.companion import seal_heads
from autopilot.companion.codex.translate import timestamp
from autopilot.ops.program import autopilot
from autopilot.runtime.seal_chain import Head
from autopilot.runtime.seal_verify import Kept

HEAD = re.compile(r"[0-9]{1,18}:[0-9A-Fa-f]{64}")
PART_OF_HEAD = re.compile(r"[0-9]{1,18}:[0-9A-Fa-f]{1,64}")
HEADINGS = ("HEAD", "KEPT SINCE", "SHOWN BY", "STANDS")


async def heads(*, options: Options = DEFAULT) -> int:
    """Show the heads that this machine's companion keeps; exit code 1 where a chain was shown that lacks one."""
    terminal = Terminal(as_json=options.json)
    kept = await asyncio.to_thread(seal_heads.read, _home().companion)
    if options.json:
        terminal.result(kept)
    elif not kept:
        terminal.say("No head is kept here: no companion of this machine was shown a seal yet.")
    else:
        rows: list[tuple[str, ...]] = [(shown(one), one.kept_at, one.shown_by, standing_of(one)) for one in kept]
        print_table(terminal.out, HEADINGS, rows)
        for one in kept:
            if one.is_lost:
                terminal.say(f"{one.sentence()} Accept it by: {autopilot(f'audit accept {one.name}')}", markup=False)
    return Exit.FAILED if any(one.is_lost for one in kept) else Exit.OK


async def accept(
    head: Annotated[str, Parameter(help="The head that was lost, NUMBER:DIGEST, as audit heads and doctor print it.")],
    *,
    options: Options = DEFAULT,
) -> None:
    """Say that a head is lost by right: you restored a backup, or moved to another server. It stays on record."""
    terminal = Terminal(as_json=options.json)
    data, now = _home().companion, timestamp(datetime.now(UTC))
    lost = [one for one in await asyncio.to_thread(seal_heads.read, data) if one.is_lost]
    wanted = next((one for one in lost if head in {one.name, shown(one)}), None)
    if PART_OF_HEAD.fullmatch(head) is None:
        raise _no_head(head)
    if wanted is None:
        raise CommandFailed(f"No head {head} is lost here.", Exit.NOT_FOUND)
    await asyncio.to_thread(seal_heads.accept, data, wanted.name, now)
    if options.json:
        terminal.result({"head": wanted.name, "accepted_at": now})
    terminal.say(f"Seal {wanted.seal_no} is accepted as lost, and stays on record.")


def heads_of_companion(home: Home, public_url: str | None) -> tuple[list[Kept], list[seal_heads.Kept]]:
    """What this installation's chain is held to: all heads but those that a person has accepted as lost.

    Then those that another server showed, for whom the companion of this folder worked: they say nothing of this chain.
    """
    kept = [one for one in seal_heads.read(home.companion) if one.accepted_at is None]
    own = [one for one in kept if _is_of_here(one.shown_by, public_url)]
    return [
        Kept(f"this machine's companion since {one.kept_at} (shown by {one.shown_by})", as_head(one)) for one in own
    ], [one for one in kept if one not in own]


def _is_of_here(url: str, public_url: str | None) -> bool:
    """Whether a URL that a companion knew its server by is this installation's own."""
    return only_here(urlsplit(url).hostname or "") or (public_url is not None and url == public_url.rstrip("/"))


def as_head(kept: seal_heads.Kept) -> Head:
    """The same in the words of the chain."""
    return Head(kept.seal_no, bytes.fromhex(kept.digest))


def shown(kept: seal_heads.Kept) -> str:
    """A head as the table shows it: by the beginning of its digest."""
    return f"{kept.seal_no}:{kept.digest[:12]}"


def head_of(text: str) -> Head:
    """`NUMBER:DIGEST`, the digest whole: a part of one would be held to be another one, and the chain to be broken.

    Raises:
        CommandFailed: it is not that.
    """
    if HEAD.fullmatch(text) is None:
        raise _no_head(text)
    number, _, digest = text.partition(":")
    return Head(int(number), bytes.fromhex(digest))


def _no_head(text: str) -> CommandFailed:
    return CommandFailed(f"{text} is not a head: NUMBER:DIGEST, as an earlier run printed it whole.", Exit.USAGE)


def standing_of(kept: seal_heads.Kept) -> str:
    """What became of a head, in a word or two."""
    if kept.accepted_at is not None:
        return f"lost {kept.lost_at}, accepted {kept.accepted_at}"
    return "held" if kept.lost_at is None else f"lost {kept.lost_at}"


def _home() -> Home:
    here = running_home(os.environ)
    return home_for_up(os.environ) if here is None else here[0]
