"""What a machine that has more to do than it can takes from a promise in seconds."""

from __future__ import annotations

import re
from pathlib import Path


def withheld_ms() -> float:
    """So long, since it was switched on, somebody here waited for a processor: that is no time that anything took.

    A machine with more to do than it can says nothing of a promise in seconds; one that is quiet says all.
    """
    pressure = Path("/proc/pressure/cpu")
    found = re.search(r"^some .*total=(\d+)", pressure.read_text(), re.MULTILINE) if pressure.exists() else None
    return int(found[1]) / 1000 if found else 0.0
