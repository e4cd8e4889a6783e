"""Codex: is it there, can it reach a model, does it still speak the protocol that we know."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from autopilot.cli.checks.finding import Finding, note, ok, problem, warning
from autopilot.cli.demo import codex_here
from autopilot.cli.home import Home
from autopilot.companion import standing
from autopilot.companion.codex.binary import OLDEST, numbers
from autopilot.companion.codex.drift import check as compared
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.ops.program import autopilot


async def codex(environ: Mapping[str, str], home: Home) -> list[Finding]:
    """Everything about the Codex of this machine."""
    found = await codex_here(environ)
    if found is None:
        return [problem("Codex", "none was found", "install Codex, or: pip install 'autopilot-codex[codex]'")]
    version = ok("Codex", f"{found.words} ({found.binary.path})")
    if found.has_model:
        signed_in = ok("Codex login", "somebody is signed in, or another model provider is set up")
    else:
        signed_in = note("Codex login", f"not signed in: {autopilot('up')} plays its demo", "codex login")
    try:
        difference = await compared(found.binary, home.companion)
    except CodexUnavailable as error:
        return [version, signed_in, _untold(found.binary.version, error)]
    return [version, signed_in, _protocol(difference.verdict, difference.sentence())]


def _untold(version: str, error: CodexUnavailable) -> Finding:
    """A Codex that does not say what it speaks: too old, or something else is wrong with it."""
    oldest = ".".join(map(str, OLDEST))
    if numbers(version) < OLDEST:
        advice = "update it, or unset AUTOPILOT_CODEX to have the pinned one"
        return problem("protocol", f"Codex {version} is too old: {oldest} is the oldest that is supported", advice)
    return warning("protocol", f"Codex did not tell its schema: {error}")


def _protocol(verdict: str, words: str) -> Finding:
    """What became of Codex's protocol, and what can be done about it."""
    if verdict == "breaking":
        return problem("protocol", words, "use the pinned Codex (pip install 'autopilot-codex[codex]') until we follow")
    if verdict == "unchecked":
        return note("protocol", words, "install the same Codex here, and restart the companion, to have it compared")
    if verdict == "unknown_questions":
        return warning("protocol", words, "answer in Codex itself what is shown as unsupported")
    return ok("protocol", words)


async def companion(home: Home) -> list[Finding]:
    """Which Codex the companion of this installation works on, and which threads others own."""
    status = await asyncio.to_thread(standing.read, home.companion)
    if status is None or not status.is_alive:
        return [note("companion", "does not run")]
    if status.codex.server == "none":
        return [problem("companion", status.codex.message, f"its words are in {home.logs}")]
    owners, drift = status.owners, status.drift
    works = [ok("companion", status.codex.message)]
    if drift is not None and drift.verdict not in {"same", "additive"}:
        works.append(_protocol(drift.verdict, drift.message))
    if not owners.held_by_machines and not owners.held_by_programs:
        return works
    advice = "ask for thread/resume to adopt a thread once it is let go of, or for thread/fork"
    return [*works, note("owners", owners.message, advice)]
