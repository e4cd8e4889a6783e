"""The audit and traces for people: what was done, to what, and each hop of a request in a few words. Pure.

Acts that nobody foresaw are spelled out of their own names.
"""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.presenters import receipts
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.people import Names, short
from autopilot.client.presenters.times import seconds_between
from autopilot.contract import AuditLine, Trace, TraceHop

ACTIONS = {
    "request": "Asked something of Codex",
    "stop": "Stopped a session",
    "approval_decided": "Answered a question",
    "answer_refused": "Answered against the policy",
    "decision_taken_back": "An answer was taken back",
    "policy_set": "Changed a policy",
    "prices_set": "Changed the price table",
    "machine_registered": "Registered a machine",
    "machine_shared": "Shared a machine",
    "machine_unshared": "Stopped sharing a machine",
    "account_deleted": "Deleted the account",
    "account_emptied": "A deleted account was emptied",
    "code_requested": "Asked for a code",
    "code_refused": "Gave a wrong code",
    "signed_in": "Signed in",
    "signed_out": "Signed out",
    "refresh_reused": "An old session token was used again",
    "token_minted": "Made a token",
    "sso_refused": "Sign-in by the provider was refused",
    "sso_linked": "Linked the provider's account",
    "admin_granted": "Made somebody an admin",
    "admin_revoked": "Made somebody no longer an admin",
    "owner_changed": "Handed over the installation",
    "owner_renamed": "Changed the owner's address",
    "device_renamed": "Renamed a device",
    "device_revoked": "Revoked a device",
    "device_confirmed": "Confirmed a device",
    "device_key_registered": "Registered a device's key",
    "passkey_registered": "Added a passkey",
    "passkey_renamed": "Renamed a passkey",
    "passkey_removed": "Removed a passkey",
    "passkey_refused": "A passkey was refused",
    "passkey_cloned": "A passkey seems to be copied",
    "recovery_begun": "Signed in without the passkey",
    "write_refused": "A write without a good signature",
    "pairing_started": "Began a pairing",
    "pairing_claimed": "Opened a pairing",
    "pairing_refused": "A pairing was refused",
    "pairing_guessed": "Somebody guessed at pairings",
    "pairing_contested": "Two opened the same pairing",
    "pairing_confirmed": "Confirmed a pairing",
    "pairing_declined": "Declined a pairing",
    "paired": "Paired a device",
    "stepped_up": "Proved who they are",
    "step_up_refused": "Failed to prove who they are",
    "guessing_noticed": "Guessing was noticed",
    "call_refused": "A call was refused",
    "team_created": "Made a team",
    "team_invited": "Invited somebody to a team",
    "team_invitation_withdrawn": "Withdrew an invitation",
    "team_joined": "Joined a team",
    "team_left": "Left a team",
    "team_member_removed": "Removed a member",
    "team_role_changed": "Changed a member's role",
    "team_deleted": "Deleted a team",
    "guest_invited": "Invited a guest",
    "guest_entered": "A guest came in",
    "guest_refused": "A guest was refused",
    "guest_revoked": "Showed a guest out",
    "push_subscribed": "Turned notifications on",
    "push_unsubscribed": "Turned notifications off",
    "push_ended": "Notifications of a device ended",
    "push_answered": "Answered from a notification",
}
SOURCES = {"receipt": "Receipt", "event": "Log", "approval": "Answer", "audit": "Audit"}
EVENTS = {
    "worker.request.received": "Received",
    "worker.request.delivered": "Delivered to the machine",
    "worker.request.acknowledged": "Taken up by Codex",
    "worker.response": "Answered",
    "worker.error": "Ended with an error",
    "worker.event": "Said by Codex",
    "worker.policy.denied": "Refused by policy",
    "worker.approval.requested": "Codex asks",
    "worker.approval.decided": "Decided",
    "worker.approval.applied": "Taken by Codex",
    "worker.approval.superseded": "Answered elsewhere",
    "worker.approval.expired": "Nobody answered in time",
    "worker.approval.closed": "Asked no more",
    "worker.started": "Session opened",
    "worker.stopped": "Session stopped",
}
MILLISECONDS = 1000
LONG_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """A hop of a trace."""

    words: str
    source: str
    after: str
    """How long after the first one: `+120 ms`."""
    hop: TraceHop


def action_words(action: str) -> str:
    """What was done; of an unknown act its own word."""
    return ACTIONS.get(action) or sentence(spelled(action))


def line_words(line: AuditLine) -> str:
    """What a line says was done: of a request what was asked."""
    method = line.detail.get("method")
    return receipts.asked(method) if line.action == "request" and isinstance(method, str) else action_words(line.action)


def outcome(line: AuditLine) -> Label:
    """What became of it."""
    return Label("Refused", "bad") if line.outcome == "refused" else Label("Done", "good")


def subject_words(subject: str | None, names: Names) -> str:
    """What it was done to: `Machine laptop`; empty for nothing."""
    if not subject:
        return ""
    kind, _, identifier = subject.partition(":")
    known = {"machine": names.machines, "device": names.devices}.get(kind, {}).get(identifier)
    if kind == "user" and identifier.isdigit():
        known = names.users.get(int(identifier))
    return f"{sentence(spelled(kind))} {known or short(identifier)}" if identifier else sentence(spelled(kind))


def steps(trace: Trace) -> list[Step]:
    """The hops in words, each with how long after the first it was."""
    if not trace.hops:
        return []
    began = trace.hops[0].at
    return [
        Step(_hop_words(hop), SOURCES.get(hop.source, hop.source), _after(began, hop.at), hop) for hop in trace.hops
    ]


def _hop_words(hop: TraceHop) -> str:
    match hop.source:
        case "receipt":
            asked = f": {receipts.asked(hop.method)}" if hop.method and hop.what == "accepted" else ""
            return f"{sentence(receipts.step(hop.what))}{asked}"
        case "event":
            return EVENTS.get(hop.what) or sentence(spelled(hop.what.removeprefix("worker.")))
        case "approval":
            return "Answered"
        case _:
            action, _, refused = hop.what.partition(" (")
            return action_words(action) + (f" ({refused}" if refused else "")


def _after(began: str, at: str) -> str:
    seconds = seconds_between(began, at)
    if not seconds:
        return "+0 ms"
    return f"+{seconds:.1f} s" if seconds >= LONG_SECONDS else f"+{seconds * MILLISECONDS:,.0f} ms"
