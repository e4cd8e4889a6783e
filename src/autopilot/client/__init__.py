"""The SDK, and the core of every screen without its pixels. Pure Python: the standard library and httpx2, no more.

Owns: the typed client, the event-stream parser, followers, sessions and token stores, the handshake, the timeline and
the store that screens read. Relies on `autopilot.contract`. Never imports a room of the servers: it runs on a phone.
Guide: docs/guide/sdk.md.
"""

from __future__ import annotations

from autopilot.client.acts import Act, ActView
from autopilot.client.acts_book import Acts
from autopilot.client.alerts import Alert
from autopilot.client.answers import AnswerBounds, AnswerTooLarge
from autopilot.client.app_core import AppCore, AppView
from autopilot.client.approvals import ApprovalPage, has_approval_ended
from autopilot.client.audit import AuditPage
from autopilot.client.backoff import Backoff, BackoffPolicy
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import Clock, SystemClock
from autopilot.client.connection import ConnectionState
from autopilot.client.everything import EverythingFollower
from autopilot.client.follower import Follower, FollowPolicy
from autopilot.client.handshake import Connected, HandshakeClient, HandshakeTimeout
from autopilot.client.keyring_store import KeyringTokenStore
from autopilot.client.overview import Overview, OverviewLimits
from autopilot.client.overview_store import OverviewStore, OverviewView
from autopilot.client.pairing import Approver, Invitation, Joiner
from autopilot.client.pairing_words import PairingTampered
from autopilot.client.session import Session, SessionState
from autopilot.client.store import WorkerStore, WorkerView
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.tokens import (
    Credentials,
    FileTokenStore,
    FixedToken,
    MemoryTokenStore,
    SignInAgain,
    StepUpSource,
    TokenSource,
    TokenStore,
)
from autopilot.client.workers import WorkerPage, has_ended

__all__ = [
    "Act",
    "ActView",
    "Acts",
    "Alert",
    "AnswerBounds",
    "AnswerTooLarge",
    "AppCore",
    "AppView",
    "ApprovalPage",
    "Approver",
    "AuditPage",
    "Backoff",
    "BackoffPolicy",
    "Clock",
    "Connected",
    "ConnectionState",
    "Credentials",
    "EverythingFollower",
    "FileTokenStore",
    "FixedToken",
    "FollowPolicy",
    "Follower",
    "HandshakeClient",
    "HandshakeTimeout",
    "Invitation",
    "Joiner",
    "KeyringTokenStore",
    "MemoryTokenStore",
    "Overview",
    "OverviewLimits",
    "OverviewStore",
    "OverviewView",
    "PairingTampered",
    "RuntimeCodexClient",
    "Session",
    "SessionState",
    "SignInAgain",
    "StepUpSource",
    "SystemClock",
    "Timeline",
    "TimelineLimits",
    "TokenSource",
    "TokenStore",
    "WorkerPage",
    "WorkerStore",
    "WorkerView",
    "has_approval_ended",
    "has_ended",
]
