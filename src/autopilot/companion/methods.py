"""What people may ask Codex for, method by method: of a thread or of the program, and what a repetition would do.

A pure table; `Execution` does what it says. What is not in it is refused: nothing is ever passed through because it
looks harmless. Source: docs/runtime-contract.md, "Methods".
"""

from __future__ import annotations

THREAD_READS = frozenset({"thread/read", "thread/turns/list", "thread/items/list", "thread/queue/list"})
"""Of a worker; they change nothing."""

PROGRAM_READS = frozenset(
    {
        "thread/list",
        "thread/loaded/list",
        "model/list",
        "permissionProfile/list",
        "skills/list",
        "mcpServerStatus/list",
        "account/rateLimits/read",
        "account/read",
    }
)
"""Of a machine, or of whichever worker's machine; they change nothing."""

READS = THREAD_READS | PROGRAM_READS
"""Done again where the answer was lost, and done of threads that can only be watched."""

THREAD_ACTS = {
    "thread/queue/add": "queued",
    "thread/queue/update": "changed_queue",
    "thread/queue/delete": "changed_queue",
    "thread/queue/reorder": "changed_queue",
    "thread/queue/start": "started_turn",
    "thread/name/set": "renamed_thread",
    "thread/archive": "archived_thread",
    "thread/unarchive": "unarchived_thread",
    "thread/compact/start": "started_compaction",
    "thread/settings/update": "changed_settings",
    "review/start": "started_review",
}
"""Of a worker, each one call -> what it meant, in our words."""

OWN_MESSAGE = frozenset({"turn/start", "turn/steer", "thread/queue/add"})
"""They carry the request's id as `clientUserMessageId`: Codex's history and queue tell whether they arrived."""
