"""Why a policy said no, in words, and which rule it was."""

from __future__ import annotations

from autopilot.client.presenters.labels import sentence, spelled
from autopilot.client.timeline_records import Denial

PREFIX = "policy_denied."
REASONS = {
    "method": "A policy does not allow this kind of request",
    "lane": "A policy does not allow requests this way",
    "config": "A policy does not allow these settings",
    "folder": "A policy does not allow work in this folder",
    "model": "A policy does not allow this model",
    "sandbox": "A policy asks for a stricter sandbox",
    "network": "A policy does not allow the network",
    "approval_policy": "A policy asks for stricter approvals",
    "approval": "A policy says that others answer this",
    "budget_exhausted": "The budget is used up: no new turns until it starts anew",
}
DOCUMENTS = {
    "installation": "the installation's policy",
    "team": "the team's policy",
    "user": "your own policy",
}


def reason_words(reason_code: str) -> str:
    """What `policy_denied.…` means; an unknown one spelled."""
    short = reason_code.removeprefix(PREFIX)
    return REASONS.get(short) or sentence(f"refused by policy: {spelled(short)}" if short else "refused by policy")


def denial_words(denial: Denial) -> str:
    """Why it was refused: what the policy says itself, where it says something."""
    return sentence(denial.message) if denial.message else reason_words(denial.reason_code)


def rule_words(denial: Denial) -> str:
    """Which rule of which document; empty where nothing names one."""
    document = DOCUMENTS.get(denial.document or "", denial.document or "")
    version = f", version {denial.version}" if denial.version is not None and document else ""
    return " of ".join(part for part in (denial.rule_id or "", document) if part) + version
