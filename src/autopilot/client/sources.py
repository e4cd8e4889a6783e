"""Where a follower's streams come from: the stream of a worker, the feed of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.calls import path_of
from autopilot.client.http import ByteStream, Http
from autopilot.client.sse import Frame


@dataclass(frozen=True, slots=True)
class StreamSource:
    """One event-stream endpoint with `cursor` and `tail_ms`."""

    http: Http
    operation: str
    path: str

    async def open(self, cursor: int | None, tail_ms: int | None) -> ByteStream:
        """Open it after `cursor`; with control frames, so that the reader knows where it stands."""
        query = {"cursor": cursor, "tail_ms": tail_ms, "frames": "control"}
        return await self.http.open(self.operation, self.path, query=query)


def worker_stream(http: Http, worker_id: str) -> StreamSource:
    """The events of one worker."""
    return StreamSource(http, "workers.stream", path_of("workers", worker_id, "stream"))


def machine_feed(http: Http, machine_id: str) -> StreamSource:
    """What others want of one machine."""
    return StreamSource(http, "machines.feed", path_of("machines", machine_id, "feed"))


def is_urgent_entry(frame: Frame) -> bool:
    """A feed entry that was sent ahead of its place, and comes again there."""
    return frame.event.startswith("codex.feed.")
