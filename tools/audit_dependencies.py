"""Whether a locked dependency has a known vulnerability: asks pip-audit, which asks a public database.

Without a network nothing can be asked: then it says so and ends well, so that it may stand in any pipeline.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PIP_AUDIT = "pip-audit>=2.9,<3"
SECONDS = 120
UV = Path(sys.executable).with_name("uv")


AWAY = re.compile(
    r"connection|resolv|resolution|timed? ?out|no answer|network|dns|unreachable|proxy|registry", re.IGNORECASE
)
"""Words of not having reached anybody; whatever else goes wrong is a fault."""


def asked(lock: Path) -> list[dict[str, Any]] | str:
    """What is known of each dependency; or in words why nobody could say."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [str(UV), "tool", "run", "--from", PIP_AUDIT, "pip-audit", "--disable-pip", "--require-hashes"]
        command += ["--progress-spinner=off", "--format=json", f"--output={report}", f"--requirement={lock}"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return f"no answer within {SECONDS} s"
        try:
            return json.loads(report.read_text())["dependencies"]
        except (OSError, ValueError, KeyError):
            return (ended.stderr.strip().splitlines() or ["no answer"])[-1]


def main() -> int:
    """1 where there is a known vulnerability, each on a line of its own."""
    found = asked(Path(__file__).parents[1] / "requirements.lock")
    if isinstance(found, str):
        if AWAY.search(found):
            print(f"Dependencies were not audited, the database of vulnerabilities can't be asked from here: {found}")
            return 0
        print(f"Dependencies were not audited: {found}")
        return 1
    faults = [(each, fault) for each in found for fault in each.get("vulns", ())]
    for each, fault in faults:
        fixed = ", ".join(fault["fix_versions"]) or "nothing yet"
        print(f"{each['name']} {each['version']}: {fault['id']}, fixed by {fixed}")
    audited = [each for each in found if "vulns" in each]
    print(f"{len(audited)} of {len(found)} dependencies audited, {len(faults)} known vulnerabilities")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
