"""What a companion passes on of Codex's counting, for tests of spend: payloads, and what stands in the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autopilot.runtime.app import Runtime

SOURCE = "autopilot-desktop"
MADE = 1_795_335_317.0
"""When the threads of these tests were made, and the clock of those who speak of them."""


def said(method: str, *, after_seconds: float = 0, **params: Any) -> dict[str, Any]:
    """A notification of Codex, as a companion passes it on."""
    occurred_at = datetime.fromtimestamp(MADE + after_seconds, UTC).isoformat()
    return {"source": SOURCE, "method": method, "params": params, "occurred_at": occurred_at}


def thread(
    thread_id: str = "t", *, model: str = "gpt-5", forked_from: str | None = None, **more: Any
) -> dict[str, Any]:
    """A thread that was just made."""
    described = {"id": thread_id, "model": model, "forkedFromId": forked_from, "createdAt": int(MADE)}
    return said("thread/started", thread=described, **more)


def turn(turn_id: str, thread_id: str = "t", **more: Any) -> dict[str, Any]:
    """A turn begins."""
    return said("turn/started", threadId=thread_id, turn={"id": turn_id}, **more)


def usage(
    total: int, last: int | None = None, *, turn_id: str = "turn-1", thread_id: str = "t", **more: Any
) -> dict[str, Any]:
    """A report: the thread's total so far, and what Codex calls the last of it (all of it, unless told)."""
    both = {"total": breakdown(total), "last": breakdown(total if last is None else last)}
    return said("thread/tokenUsage/updated", threadId=thread_id, turnId=turn_id, tokenUsage=both, **more)


def breakdown(tokens: int) -> dict[str, int]:
    """So many tokens, as Codex divides them."""
    return {
        "totalTokens": tokens,
        "inputTokens": tokens - tokens // 4,
        "cachedInputTokens": tokens // 2,
        "outputTokens": tokens // 4,
        "reasoningOutputTokens": tokens // 8,
    }


async def spent(runtime: Runtime, *by: str) -> dict[Any, int]:
    """Tokens by these columns of what was counted (`worker_id`, `thread_id`, `model`, `machine_id`, `day`)."""
    columns = ", ".join(by)
    rows = await runtime.pool.fetch(
        f"select {columns}, sum(total_tokens)::bigint as tokens "  # noqa: S608 - names of columns, by tests
        f"from spend_day join worker using (worker_no) group by {columns}"
    )
    return {tuple(row[:-1]) if len(by) > 1 else row[0]: row["tokens"] for row in rows}
