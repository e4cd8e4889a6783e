# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Workers: what can be observed and administered, and what a reader is told about one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.spend import Spend

__all__ = [
    "Activity",
    "Backend",
    "BackendKind",
    "BackendState",
    "Control",
    "ConvexProjection",
    "CreateWorker",
    "CreatedWorker",
    "ExecutionMode",
    "Health",
    "HealthFact",
    "HeartbeatState",
    "LeaseInfo",
    "LeaseState",
    "MachineRef",
    "Owner",
    "ProjectionStatus",
    "Role",
    "SeqFact",
    "StopWorker",
    "StoppedWorker",
    "WorkerSnapshot",
    "WorkerStatus",
    "WorkerSummary",
]


class WorkerStatus(StrEnum):
    """Where a worker is in its life."""

    STARTING = "starting"
    """A hosted place is being provisioned for it."""
    RUNNING = "running"
    """Its log is open."""
    STOPPING = "stopping"
    """Stop was asked; its executor has not reported yet."""
    STOPPED = "stopped"
    """Its log is closed until a reattach."""
    FAILED = "failed"
    """Its place is gone for good."""


class HeartbeatState(StrEnum):
    """What the age of a worker's last heartbeat means."""

    FRESH = "fresh"
    """Heard lately."""
    STALE = "stale"
    """Not heard for longer than `heartbeat_stale_after_ms`."""
    MISSING = "missing"
    """Never heard, and started longer ago than that."""
    STOPPED = "stopped"
    """The worker is stopped."""
    FAILED = "failed"
    """The worker has failed."""


class Activity(StrEnum):
    """What the worker is doing, derived from its log."""

    IDLE = "idle"
    """No turn runs."""
    RUNNING = "running"
    """A turn runs."""
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    """A turn waits for a person's approval."""
    WAITING_FOR_INPUT = "waiting_for_input"
    """A turn waits for a person's words."""
    ERROR = "error"
    """The last turn ended in an error."""
    UNKNOWN = "unknown"
    """The log does not say."""


class Control(StrEnum):
    """What can be done with a worker's thread where it is executed."""

    FULL = "full"
    """Everything."""
    OBSERVE_ONLY = "observe_only"
    """Another program is its writer: it is followed from Codex's history, and can be adopted or forked."""


class ExecutionMode(StrEnum):
    """How the worker is executed."""

    DESKTOP = "desktop"
    """By the companion of a person's own computer."""
    HOSTED = "hosted"
    """By a companion in a place made for the purpose."""
    GATEWAY = "gateway"
    """Through a private-network gateway."""


class BackendKind(StrEnum):
    """The kind of place a worker runs in."""

    DESKTOP = "desktop"
    """A person's own computer."""
    LOCAL_SANDBOX = "local_sandbox"
    """A sandbox on the server's host."""
    DAYTONA = "daytona"
    """A Daytona sandbox."""
    CLOUDFLARE_SANDBOX = "cloudflare_sandbox"
    """A Cloudflare sandbox."""
    GKE = "gke"
    """A pod on GKE."""


class BackendState(StrEnum):
    """What is known of the place."""

    PROVISIONING = "provisioning"
    """Being made."""
    READY = "ready"
    """Usable."""
    DEGRADED = "degraded"
    """Usable with trouble; `reason` says which."""
    UNREACHABLE = "unreachable"
    """Not answering."""
    GONE = "gone"
    """Gone for good."""
    UNKNOWN = "unknown"
    """Not asked yet."""


class LeaseState(StrEnum):
    """What became of a worker's lease."""

    HELD = "held"
    """A machine holds it."""
    RELEASED = "released"
    """Its holder gave it back."""
    EXPIRED = "expired"
    """Its time ran out; the holder may come back."""
    NEVER = "never"
    """No machine ever held it."""


class Role(StrEnum):
    """What the asking principal may do with a worker or machine."""

    OWNER = "owner"
    """Everything."""
    OPERATOR = "operator"
    """Observe and administer."""
    VIEWER = "viewer"
    """Observe."""


class ProjectionStatus(StrEnum):
    """How far the projection to Convex has come."""

    IN_SYNC = "in_sync"
    """It shows the latest event."""
    LAGGING = "lagging"
    """It is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeqFact:
    """A fact read from the log, with the event it is true for."""

    value: str
    """The value."""
    seq: int
    """The event that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who owns something: exactly one of `user_id` and `guest_scope` is set."""

    user_id: int | None = None
    """The user."""
    guest_scope: str | None = None
    """The guest."""
    team_id: str | None = None
    """The team that shares it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRef:
    """The machine a worker belongs to."""

    machine_id: str
    """Which one."""
    name: str
    """What its owner calls it."""
    last_heard_at: str | None = None
    """When the server last heard of its companion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The place a worker runs in. Informational: nothing may depend on `kind`; unknown values are shown as they are."""

    kind: str
    """The kind of place. (`BackendKind`)"""
    display_name: str
    """What people call it."""
    region: str | None = None
    """Where on earth."""
    state: str
    """What is known of it. (`BackendState`)"""
    reason: str | None = None
    """Why it is in this state."""
    checked_at: str | None = None
    """When that was found out."""
    selected_by: str | None = None
    """Who or what chose this place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """Who may execute for a worker."""

    machine_id: str | None = None
    """The holder, or the last one."""
    generation: int | None = None
    """A higher generation fences every lower one."""
    expires_at: str | None = None
    """When it ends unless renewed, by the server's clock."""
    state: str
    """What became of it. (`LeaseState`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFact:
    """One of the four facts of Health."""

    state: str
    """A word for people and programs: `ok`, `stale`, `down`, `unknown`, …."""
    as_of: str | None = None
    """When this was true."""
    detail: dict[str, Any] | None = None
    """What else is known, by name: `version`, `since`, `age_ms`, …."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Four facts, never merged into one light."""

    api: HealthFact
    """The API that answered."""
    machine: HealthFact
    """The machine's companion: when it was last heard."""
    codex: HealthFact
    """Codex: its process, its version, since when."""
    data: HealthFact
    """The log: the age of its last event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvexProjection:
    """How far the projection to Convex has come for one worker."""

    document_id: str | None = None
    """The document it writes."""
    last_runtime_seq: int
    """The last event it shows."""
    lag_events: int
    """How many events it is behind."""
    status: str
    """What that means. (`ProjectionStatus`)"""
    projection_version: int
    """Version of the projection's code."""
    last_projected_at: str | None = None
    """When it last wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSnapshot:
    """Everything a reader is told about one worker, true at `latest_seq`."""

    worker_id: str
    """Which worker."""
    status: str
    """Where it is in its life. (`WorkerStatus`)"""
    latest_seq: int
    """Its last event; 0 when there is none."""
    workspace_ref: str | None = None
    """A label for its folder; never an authority."""
    codex_home_ref: str | None = None
    """A label for its Codex home."""
    adapter: str | None = None
    """Who made it: `desktop_bridge` for a desktop's companion."""
    metadata: dict[str, Any]
    """What its maker said about it."""
    started_at: str | None = None
    """When its log was last opened."""
    stopped_at: str | None = None
    """When its log was closed; null while it is open."""
    updated_at: str
    """When its log last changed."""
    last_heartbeat_at: str | None = None
    """When its executor was last heard."""
    heartbeat_age_ms: int | None = None
    """Milliseconds since the later of `started_at` and `last_heartbeat_at`."""
    heartbeat_stale_after_ms: int
    """The age above which a heartbeat is stale."""
    heartbeat_state: str
    """What the age means. (`HeartbeatState`)"""
    title: SeqFact | None = None
    """The thread's title."""
    preview: SeqFact | None = None
    """The last words worth showing in a list."""
    cwd: SeqFact | None = None
    """The folder Codex works in."""
    model: SeqFact | None = None
    """The model in use."""
    activity: SeqFact | None = None
    """What it is doing, one of Activity."""
    control: SeqFact | None = None
    """What can be done with its thread, one of Control; null: nothing is known to stand in the way."""
    machine: MachineRef | None = None
    """The machine it belongs to."""
    execution_mode: str
    """How it is executed. (`ExecutionMode`)"""
    backend: Backend | None = None
    """The place it runs in."""
    lease: LeaseInfo
    """Who may execute for it."""
    health: Health
    """Four facts."""
    pending_approvals: int
    """How many of Codex's questions wait for a person."""
    spend: Spend | None = None
    """What it has cost; null until Codex reported something."""
    owner: Owner | None = None
    """Who owns it."""
    role: str | None = None
    """What the asking principal may do with it. (`Role`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSummary:
    """A snapshot, and how far its projection has come: an item of the list."""

    worker_id: str
    """Which worker."""
    status: str
    """Where it is in its life. (`WorkerStatus`)"""
    latest_seq: int
    """Its last event; 0 when there is none."""
    workspace_ref: str | None = None
    """A label for its folder; never an authority."""
    codex_home_ref: str | None = None
    """A label for its Codex home."""
    adapter: str | None = None
    """Who made it: `desktop_bridge` for a desktop's companion."""
    metadata: dict[str, Any]
    """What its maker said about it."""
    started_at: str | None = None
    """When its log was last opened."""
    stopped_at: str | None = None
    """When its log was closed; null while it is open."""
    updated_at: str
    """When its log last changed."""
    last_heartbeat_at: str | None = None
    """When its executor was last heard."""
    heartbeat_age_ms: int | None = None
    """Milliseconds since the later of `started_at` and `last_heartbeat_at`."""
    heartbeat_stale_after_ms: int
    """The age above which a heartbeat is stale."""
    heartbeat_state: str
    """What the age means. (`HeartbeatState`)"""
    title: SeqFact | None = None
    """The thread's title."""
    preview: SeqFact | None = None
    """The last words worth showing in a list."""
    cwd: SeqFact | None = None
    """The folder Codex works in."""
    model: SeqFact | None = None
    """The model in use."""
    activity: SeqFact | None = None
    """What it is doing, one of Activity."""
    control: SeqFact | None = None
    """What can be done with its thread, one of Control; null: nothing is known to stand in the way."""
    machine: MachineRef | None = None
    """The machine it belongs to."""
    execution_mode: str
    """How it is executed. (`ExecutionMode`)"""
    backend: Backend | None = None
    """The place it runs in."""
    lease: LeaseInfo
    """Who may execute for it."""
    health: Health
    """Four facts."""
    pending_approvals: int
    """How many of Codex's questions wait for a person."""
    spend: Spend | None = None
    """What it has cost; null until Codex reported something."""
    owner: Owner | None = None
    """Who owns it."""
    role: str | None = None
    """What the asking principal may do with it. (`Role`)"""
    convex_projection: ConvexProjection | None = None
    """How far the projection has come; null when the projection is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWorker:
    """Body of a create: makes a worker, or reattaches to one that is stopped."""

    worker_id: str | None = None
    """Which worker; made by the server when missing. An SDK always sends it, so that repeating is safe."""
    workspace_ref: str | None = None
    """A label for its folder; never an authority."""
    codex_home_ref: str | None = None
    """A label for its Codex home."""
    adapter: str | None = None
    """Who makes it."""
    metadata: dict[str, Any] | None = None
    """What its maker says about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedWorker:
    """Answer to a create."""

    workerId: str
    """Which worker."""
    status: str
    """Where it is in its life now. (`WorkerStatus`)"""
    latestSeq: int
    """Its last event."""
    idempotentReplay: bool
    """True when it was open already and nothing was appended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorker:
    """Body of a stop."""

    reason: str | None = None
    """Why, for people."""
    force: bool | None = None
    """Close the log at once, without waiting for the executor; recorded as `verified: false`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedWorker:
    """Answer to a stop."""

    worker_id: str
    """Which worker."""
    status: str
    """`stopping` or `stopped`. (`WorkerStatus`)"""
    idempotent_replay: bool
    """True when it was stopped already and nothing was appended."""
    machine_unreachable: bool | None = None
    """True when the executor has not been heard: the stop is done first when its machine returns."""
    request_id: str | None = None
    """The stop's own request: its receipt tells what becomes of it. Missing where no machine is asked."""
