"""A process of ours that crashes leaves no image of its memory, in which its keys and tokens would lie.

On Linux it says so of itself alone: a limit would be inherited by Codex, whose commands are the user's, and does not
hold where crashes are piped to a program. Elsewhere there is only the limit.
"""

from __future__ import annotations

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4


def leave_none() -> None:
    """From now on; a program that this process executes begins anew. On Linux nobody else may look into it either."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
