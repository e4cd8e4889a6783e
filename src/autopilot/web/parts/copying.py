"""What is there to be copied: a button beside an id, and commands for the machine of the installation.

Pure. Managing the installation is no browser's: docs/decisions/0031-the-installation-at-its-machine.md.
"""

from __future__ import annotations

import htpy as h

from autopilot.web.parts.icons import icon

AS_ADMIN = "AUTOPILOT_TOKEN=$(autopilot token --scope admin) "
"""For ten minutes, by whoever has the machine; docs/guide/sign-in.md."""
SET_POLICY = f"{AS_ADMIN}autopilot policy set --subject installation policy.toml"
SET_PRICES = f"{AS_ADMIN}autopilot prices set prices.toml"
READ_AUDIT = f"{AS_ADMIN}autopilot audit list"
GRANT_ADMIN = "autopilot admins grant ada@example.com"
OWNERS_CODE = "autopilot admins code"


def copy_button(label: str = "Copy") -> h.Element:
    """Copies what stands beside it."""
    return h.button(".copy", {"type": "button", "data-copy": "", "aria-label": label, "title": label})[icon("copy")]


def command(line: str) -> h.Element:
    """A command, to be copied."""
    return h.div(".command")[h.pre(tabindex="0", dir="ltr")[line], copy_button("Copy the command")]
