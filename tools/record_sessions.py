"""Record what a version of Codex says in the scenarios of the tests: `make record-sessions CODEX=/path/to/codex`.

Writes tests/companion/recordings/<version>/<scenario>.jsonl, sanitised, and beside it what the companion makes of it
(<scenario>.golden): look at what changed before you commit it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from autopilot.companion.codex import binary
from autopilot.companion.codex.binary import CodexBinary
from autopilot.testing.recording import Row

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.companion.replay import GOLDEN, RECORDINGS, replayed  # noqa: E402  # of the folder put in front just now
from tests.companion.scenarios import SCENARIOS, record  # noqa: E402


async def main(program: Path, names: list[str]) -> None:
    """Record all scenarios, or those that are named."""
    version = await binary.version_of(program)
    if version is None:
        sys.exit(f"{program} is not a Codex that can be run")
    codex = CodexBinary(program, version, "setting")
    for name in names or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="autopilot-record-") as scratch:
            rows = await record(codex, SCENARIOS[name], Path(scratch))
        write(RECORDINGS / version / f"{name}.jsonl", rows, await replayed(rows))


def write(path: Path, rows: list[Row], golden: str) -> None:
    """The recording, and what came of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    path.with_suffix(GOLDEN).write_text(golden, "utf-8")
    print(f"wrote {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
