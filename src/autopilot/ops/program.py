"""How this program is called here, for sentences that tell a person what to type next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def autopilot(arguments: str = "") -> str:
    """`autopilot <arguments>` as it works in this terminal: in a checkout it is `.venv/bin/autopilot`."""
    script = Path(sys.executable).with_name("autopilot")
    return f"{_called(script)} {arguments}".rstrip()


def _called(script: Path) -> str:
    """By its name where the shell finds this very program, else by its path, from here where it lies below."""
    found = shutil.which("autopilot")
    if not script.exists() or (found is not None and os.path.samefile(found, script)):  # noqa: PTH121  a name found, not a path of ours
        return "autopilot"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))
