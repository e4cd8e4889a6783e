"""`autopilot keys`: see the keys of this installation, and replace one while it runs.

Never prints a key. Works on the files of AUTOPILOT_HOME, whether the installation runs or not.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up, running_home
from autopilot.cli.key_rotation import ALONE, PURPOSES, VAPID, KeyFiles
from autopilot.cli.keys import KeySettings
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.ops.clock import SystemClock
from autopilot.ops.program import autopilot
from autopilot.ops.settings import load

Name = Annotated[
    Literal["digest", "delivery", "internal", "code", "seal", "vapid"],
    Parameter(help="As `autopilot keys list` calls it."),
]


async def keys(*, options: Options = DEFAULT) -> None:
    """List the keys of this installation: what for, since when, how many of before are accepted still."""
    terminal = Terminal(as_json=options.json)
    found = [_files(purpose).facts() for purpose in PURPOSES]
    if options.json:
        terminal.result([asdict(fact) for fact in found])
        return
    rows: list[tuple[str, ...]] = [
        (
            fact.name,
            fact.key or "-",
            fact.source,
            fact.since or "-",
            f"{fact.previous}" + (", a rotation is unfinished" if fact.coming else ""),
            fact.used_for,
        )
        for fact in found
    ]
    print_table(terminal.out, ("NAME", "KEY", "FROM", "SINCE", "OF BEFORE", "USED FOR"), rows)


async def rotate(name: Name, *, options: Options = DEFAULT) -> None:
    """Replace a key while everything runs; what the one before it made holds. Killed half-way: run it again."""
    terminal = Terminal(as_json=options.json)
    files = _files(name)
    with terminal.busy("replacing"):
        await files.rotate(SystemClock())
    _say(terminal, files, options)
    if name == VAPID:
        terminal.say("No device that was subscribed before gets a notification: subscribe each one anew.", markup=False)
    if name not in ALONE:
        forget_it = autopilot(f"keys forget {name}")
        terminal.say(f"The one before it is accepted still; `{forget_it}` ends that.", markup=False)


async def forget(name: Name, *, options: Options = DEFAULT) -> None:
    """Accept a key's predecessors no longer."""
    terminal = Terminal(as_json=options.json)
    files = _files(name)
    count = files.forget()
    if options.json:
        terminal.result(asdict(files.facts()))
    terminal.say(f"Forgotten: {count}.", markup=False)


def _say(terminal: Terminal, files: KeyFiles, options: Options) -> None:
    fact = files.facts()
    if options.json:
        terminal.result(asdict(fact))
    terminal.say(f"The {fact.name} key is {fact.key}, since {fact.since}.", markup=False)


def _files(purpose: str) -> KeyFiles:
    """Of the installation that runs, else of the one that `up` would start.

    Raises:
        CommandFailed: there is none.
    """
    running = running_home(os.environ)
    home = running[0] if running else home_for_up(os.environ)
    if not home.secrets.is_dir():
        raise CommandFailed(f"There is no installation in {home.path}: `{autopilot('up')}` makes one.", Exit.NOT_FOUND)
    return KeyFiles(home.secrets, purpose, load(KeySettings, os.environ))
