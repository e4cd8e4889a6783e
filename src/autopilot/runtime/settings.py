"""The runtime's own settings: what an installation chooses, and limits and intervals that follow from the design."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from autopilot.ops.settings import Settings

Days = Annotated[int, msgspec.Meta(ge=1)]
Size = Annotated[int, msgspec.Meta(ge=65536)]


class RuntimeChoices(Settings, frozen=True, kw_only=True):
    """What an installation may choose, read from the environment (docs/settings.md)."""

    heartbeat_stale_after_ms: Annotated[int, msgspec.Meta(ge=1000)] = msgspec.field(
        name="AUTOPILOT_HEARTBEAT_STALE_AFTER_MS", default=120_000
    )
    """A worker not heard of for longer is shown as stale; so is a log without an event for so long."""
    machine_away_after_ms: Annotated[int, msgspec.Meta(ge=1000)] = msgspec.field(
        name="AUTOPILOT_MACHINE_AWAY_AFTER_MS", default=45_000
    )
    """A machine not heard of for longer is shown as away. Companions are heard every 30 s."""
    keep_previews_days: Days | None = msgspec.field(name="AUTOPILOT_KEEP_PREVIEWS_DAYS", default=None)
    """Previews of items completed longer ago, and diffs that were replaced, lose their payload; None: never."""
    keep_payloads_days: Days | None = msgspec.field(name="AUTOPILOT_KEEP_PAYLOADS_DAYS", default=None)
    """Older events lose their payload, all but its method; None: never."""
    keep_events_days: Days | None = msgspec.field(name="AUTOPILOT_KEEP_EVENTS_DAYS", default=None)
    """Older events are gone, and cursors below them stale; None: never."""
    max_artifact_bytes: Size = msgspec.field(name="AUTOPILOT_MAX_ARTIFACT_BYTES", default=64 * 1024 * 1024)
    """Of an artifact, no more is stored; what is missing is said."""
    max_worker_artifact_bytes: Size = msgspec.field(
        name="AUTOPILOT_MAX_WORKER_ARTIFACT_BYTES", default=1024 * 1024 * 1024
    )
    """Of all artifacts of a worker."""

    @property
    def away_after_ms(self) -> int:
        """After so long a silence a machine counts as away: never later than its workers are stale."""
        return min(self.machine_away_after_ms, self.heartbeat_stale_after_ms)


class RuntimeKeys(msgspec.Struct, frozen=True):
    """What a runtime is trusted with. Of a ring the first makes what is new; all are accepted."""

    digest: tuple[bytes, ...]
    """Key the digests that decide whether two events say the same."""
    delivery: tuple[bytes, ...]
    """32 bytes each; encrypt what must reach Codex exactly (the delivery table)."""
    seal: bytes
    """32 bytes, the secret half of an Ed25519 key; signs what proves that no log was altered."""

    def __repr__(self) -> str:
        return "RuntimeKeys(****)"


class RuntimeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits and intervals. Durations say their unit; sizes are bytes."""

    digest_key: bytes
    """Keys the digests that decide whether two events say the same."""
    older_digest_keys: tuple[bytes, ...] = ()
    """Digests of before are recognized by them; without them old repeats look different."""
    delivery_key: bytes
    """32 bytes; encrypts what must reach Codex exactly (the delivery table)."""
    older_delivery_keys: tuple[bytes, ...] = ()
    """What was sealed before opens with them."""
    seal_key: bytes
    """32 bytes, the secret half of an Ed25519 key; signs what proves that no log was altered."""
    keys_now: Callable[[], RuntimeKeys] | None = None
    """Asked at each use, instead of the keys above: for keys that are replaced while the runtime runs."""
    choices: RuntimeChoices = msgspec.field(default_factory=RuntimeChoices)
    max_body_bytes: int = 16 * 1024 * 1024
    max_event_bytes: int = 4 * 1024 * 1024
    max_batch_events: int = 1000
    max_depth: int = 128
    """How deep a payload may nest."""
    group_events: int = 1000
    """The most events of one group commit."""
    group_bytes: int = 8 * 1024 * 1024
    queued_events: int = 20_000
    """Beyond this many waiting events an append is refused with 503."""
    queued_bytes: int = 64 * 1024 * 1024
    stream_heartbeat_seconds: float = 14.0
    """A stream that was silent for so long gets a comment; the contract says at most 15 s."""
    ring_frames: int = 512
    """Frames a followed worker keeps in memory; a follower further behind reads the log."""
    ring_bytes: int = 2 * 1024 * 1024
    page_bytes: int = 1024 * 1024
    """About what one read of the log returns."""
    notify_interval_ms: int = 20
    poll_seconds: float = 5.0
    """How often followed workers are looked up without any wake-up, in case those were lost."""

    @property
    def keys(self) -> RuntimeKeys:
        """The keys as they are now."""
        if self.keys_now is not None:
            return self.keys_now()
        digest, delivery = (self.digest_key, *self.older_digest_keys), (self.delivery_key, *self.older_delivery_keys)
        return RuntimeKeys(digest, delivery, self.seal_key)

    def __repr__(self) -> str:
        return "RuntimeSettings(****)"
