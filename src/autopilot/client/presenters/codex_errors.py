"""Errors that Codex reports, in words: its own names for them, and what a person can do."""

from __future__ import annotations

from autopilot.client.presenters.labels import sentence, spelled
from autopilot.client.timeline_items import Failure

WORDS = {
    "usageLimitExceeded": "The account's limit is used up",
    "contextWindowExceeded": "The conversation is too long for the model: compact it, or begin a new one",
    "serverOverloaded": "The model's servers are overloaded",
    "internalServerError": "The model's servers failed",
    "httpConnectionFailed": "The model can't be reached",
    "responseStreamConnectionFailed": "The model's answer could not be begun",
    "responseStreamDisconnected": "The model's answer broke off",
    "responseTooManyFailedAttempts": "The model did not answer, however often it was asked",
    "unauthorized": "Codex is not signed in",
    "badRequest": "The model refused the request",
    "sandboxError": "The sandbox failed",
    "cyberPolicy": "The model's maker refuses this",
    "threadRollbackFailed": "Going back failed",
}


def failure_words(item: Failure) -> str:
    """What went wrong; what Codex says itself, where it gives no name."""
    name = (item.reason or "").lstrip('{"').partition('"')[0]
    if name in WORDS:
        return WORDS[name]
    if name and name != "other" and name.isidentifier():
        return sentence(spelled(name))
    return item.message.partition("\n")[0][:200] or "Codex reported an error"
