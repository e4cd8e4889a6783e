# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Web Push: what a user's browsers and home-screen apps are told while nobody looks."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = [
    "ActOnPush",
    "ChangePushSettings",
    "LookAt",
    "LookNoted",
    "PushFailure",
    "PushKeys",
    "PushKind",
    "PushNotification",
    "PushOption",
    "PushResult",
    "PushSettings",
    "PushState",
    "PushSubscription",
    "PushSubscriptionRemoved",
    "PushTried",
    "SubscribePush",
    "TryPush",
]


class PushFailure(StrEnum):
    """What keeps a notification from a push service."""

    STALE = "stale"
    """The subscription was made for another key of the server."""
    ENDED = "ended"
    """The push service says that it is over: it was removed."""
    REFUSED = "refused"
    """The push service refuses it."""
    BUSY = "busy"
    """The push service wants fewer."""
    UNREACHABLE = "unreachable"
    """The push service doesn't answer, or is not well."""
    FORBIDDEN_PLACE = "forbidden_place"
    """The endpoint leads somewhere that nothing is sent to."""


class PushKind(StrEnum):
    """What a notification is about."""

    APPROVAL = "approval"
    """Codex asks something."""
    APPROVAL_CLOSED = "approval_closed"
    """That was answered, or is asked no more: take the notification of the same tag away."""
    FAILURE = "failure"
    """A turn or worker failed."""
    TURN = "turn"
    """A turn is done."""
    REQUEST = "request"
    """What one asked for has ended."""
    TEST = "test"
    """It works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """What of one's own can be switched on and off."""

    approvals: bool
    """Questions that Codex asks a person."""
    failures: bool
    """Turns and workers that failed."""
    turns: bool
    """Turns that are done."""
    requests: bool
    """The end of what one has asked for oneself, stops above all."""
    team_machines: bool
    """Also of others' machines that one's teams share; without it of one's own machines only."""
    content: bool
    """Whether titles, commands and last words are said; without it only that there is something, and where."""
    quiet_hours: bool
    """Whether there are hours in which nothing comes."""
    quiet_from: str
    """When they begin, by the clock of `time_zone`: `22:00`."""
    quiet_to: str
    """When they end: `07:00`. The same as their beginning: they never do."""
    time_zone: str
    """By whose clock: a name of the IANA database, as `Europe/Berlin`."""
    quiet_approvals: bool
    """Whether questions come in those hours all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePushSettings:
    """Body that changes settings; what is missing stays as it is."""

    approvals: bool | None = None
    """Questions that Codex asks a person."""
    failures: bool | None = None
    """Turns and workers that failed."""
    turns: bool | None = None
    """Turns that are done."""
    requests: bool | None = None
    """The end of what one has asked for oneself."""
    team_machines: bool | None = None
    """Also of others' machines that one's teams share."""
    content: bool | None = None
    """Whether titles, commands and last words are said."""
    quiet_hours: bool | None = None
    """Whether there are hours in which nothing comes."""
    quiet_from: str | None = None
    """When they begin."""
    quiet_to: str | None = None
    """When they end."""
    time_zone: str | None = None
    """By whose clock; one that the server doesn't know is 422."""
    quiet_approvals: bool | None = None
    """Whether questions come in those hours all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushKeys:
    """What belongs to a browser's subscription: `PushSubscription.toJSON().keys`."""

    p256dh: str
    """Its public key, a point of P-256; base64url."""
    auth: str
    """Its secret of 16 bytes; base64url."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribePush:
    """Body that subscribes the device that asks: what `PushSubscription.toJSON()` says."""

    endpoint: str
    """Where its push service takes messages for it."""
    keys: PushKeys
    """How they are encrypted for it."""
    public_key: str | None = None
    """Public key of the server that it was made for (`applicationServerKey`), base64url. Where it is said and is
    another than the server has now, the answer is 409: subscribe anew.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscription:
    """A device that is told. It ends with the device's session."""

    subscription_id: str
    """Which one."""
    device_id: str
    """The device."""
    device_name: str
    """What the device is called."""
    current: bool
    """Whether it is the device that asks."""
    service: str
    """The host of its push service; the rest of the endpoint is a secret, and never told."""
    endpoint_sha256: str
    """Names the endpoint without telling it: SHA-256, in lower-case hex. So a browser finds out whether it is its own."""
    created_at: str
    """When it was made."""
    last_sent_at: str | None = None
    """When its push service took something last; null: never."""
    last_failure: str | None = None
    """Why the last try failed, in a word of `PushFailure`; null: it didn't. (`PushFailure`)"""
    stale: bool
    """True where the server's key was replaced since: nothing comes until the device subscribes anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushState:
    """All that a settings page needs."""

    public_key: str
    """The server's public key, for `applicationServerKey`; base64url."""
    subscriptions: tuple[PushSubscription, ...] = ()
    """One's own, the newest first."""
    settings: PushSettings
    """One's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryPush:
    """Body that asks for a test notification."""

    subscription_id: str | None = None
    """To this one alone; to all of one's own when missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What became of one test notification."""

    subscription_id: str
    """To which one."""
    device_name: str
    """What its device is called."""
    sent: bool
    """Whether its push service took it."""
    failure: str | None = None
    """Why not, where not. (`PushFailure`)"""
    status: int | None = None
    """The status that the push service answered; null: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTried:
    """What became of a test."""

    results: tuple[PushResult, ...] = ()
    """One for each subscription that it went to; none: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAt:
    """Body that says what the person has before their eyes now."""

    worker_ids: tuple[str, ...] = ()
    """These workers; none: nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookNoted:
    """Answer: of these workers nothing is sent meanwhile."""

    ok: bool
    """Always true."""
    expires_in: int
    """For how many seconds, unless it is said again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscriptionRemoved:
    """Answer: it is gone."""

    ok: bool
    """Always true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActOnPush:
    """Body with which a notification's button answers a question."""

    token: str
    """What came with the option: good once, for this session, for ten minutes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOption:
    """An answer that a notification may offer."""

    option_id: str
    """Of the approval."""
    label: str
    """As Codex calls it."""
    effect: str
    """What it amounts to. (`ApprovalEffect`)"""
    token: str
    """For `POST /api/push/actions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushNotification:
    """The JSON that arrives at a service worker, after its browser has decrypted it."""

    kind: str
    """What it is about. (`PushKind`)"""
    title: str
    """One line."""
    body: str
    """A few words; may be empty."""
    path: str
    """Where a tap leads to, on this server."""
    tag: str
    """A later notification of the same tag takes this one's place: one for each approval, one for each worker."""
    occurred_at: str
    """When it happened."""
    silent: bool
    """Whether it should make no sound."""
    worker_id: str | None = None
    """Of this worker."""
    approval_id: str | None = None
    """About this approval."""
    request_id: str | None = None
    """About this request."""
    options: tuple[PushOption, ...] = ()
    """Answers that may be given from the notification; none where it takes a look first."""
    options_until: str | None = None
    """Until when they may."""
