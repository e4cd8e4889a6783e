"""The last released contract, kept under `proto/released/`, and whether the present one still honours it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from autopilot_schema import breaking, tree

KEPT = tree.PROTO / "released"
_PROTO = KEPT / "v1"
_OPENAPI = KEPT / "openapi.json"


def breaks(proto: Path = tree.PROTO, openapi: Path = tree.GENERATED / "openapi.json") -> list[str]:
    """One sentence for each thing in the given contract that would break a client of the released one."""
    with tempfile.TemporaryDirectory() as scratch:
        old, new = Path(scratch) / "old", Path(scratch) / "new"
        for root, source in ((old, _PROTO), (new, proto)):
            # buf refuses to read a folder below another workspace on its own
            shutil.copytree(source / "autopilot", root / "proto" / "autopilot")
            shutil.copyfile(tree.ROOT / "buf.yaml", root / "buf.yaml")
        done = tree.run("buf", "breaking", new, "--against", old)
        said = (done.stdout + done.stderr).replace(f"{new}/", "")
    found = said.splitlines() if done.returncode else []
    return found + breaking.breaks(json.loads(_OPENAPI.read_bytes()), json.loads(openapi.read_bytes()))


def keep() -> None:
    """Make the present contract the released one; part of a release, after `contract_version` was raised."""
    shutil.rmtree(_PROTO, ignore_errors=True)
    shutil.copytree(tree.PROTO / "autopilot", _PROTO / "autopilot")
    shutil.copyfile(tree.GENERATED / "openapi.json", _OPENAPI)
