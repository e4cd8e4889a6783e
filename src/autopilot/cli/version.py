"""`autopilot version`."""

from __future__ import annotations

import platform

from autopilot import __version__
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal


def version(*, options: Options = DEFAULT) -> None:
    """Print the version of this program and of the Python it runs on."""
    terminal = Terminal(as_json=options.json)
    if options.json:
        terminal.result({"version": __version__, "python": platform.python_version(), "platform": platform.platform()})
    terminal.say(f"autopilot {__version__} (Python {platform.python_version()})")
