"""Which files of the tree are the client's wheel: the client core, and what it needs of the contract.

The build backend takes whole folders from elsewhere or none of them; what is left out is said here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOMS = ("client", "contract")
LEFT_OUT = frozenset({"contract/port.py", "contract/claims.py", "contract/openapi.py"})
"""How the API speaks to the runtime, and the API's own documentation: no client needs them."""


class ClientFiles(BuildHookInterface[Any]):
    """Maps the files of the tree into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the backend's shape
        """See the backend's documentation of build hooks."""
        tree = Path(self.root, "../../src/autopilot").resolve()
        files = [path for room in ROOMS for path in sorted((tree / room).rglob("*.py"))]
        names = {path: path.relative_to(tree).as_posix() for path in (tree / "__init__.py", *files)}
        build_data["force_include"] = {
            str(path): f"autopilot/{name}" for path, name in names.items() if name not in LEFT_OUT
        }
