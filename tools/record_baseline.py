"""Record what a version of Codex says of its own protocol: `make record-baseline CODEX=/path/to/codex`.

Writes src/autopilot/companion/codex/baselines/<version>.json, which drift is judged by.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from autopilot.companion.codex import binary, drift, schema

FOLDER = Path(__file__).parents[1] / "src/autopilot/companion/codex/baselines"


async def record(program: Path) -> None:
    """Write the baseline of this program's version, and say how it differs from what was recorded before."""
    version = await binary.version_of(program)
    if version is None:
        sys.exit(f"{program} is not a Codex that can be run")
    seen = await schema.ask(binary.CodexBinary(program, version, "setting"))
    print(drift.judge(seen).sentence())
    path = FOLDER / f"{version}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(seen), indent=1) + b"\n")
    print(f"wrote {path}")


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
