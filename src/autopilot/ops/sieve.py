"""The sieve for secrets over much text at once: event by event, that of `contract.redaction` cost more than all else.

Looks for the same pieces of secrets, with a library that compares many of them at a time. Owns no rule: what it lets
pass `redaction.may_hold_secret` lets pass too (a property test holds them together), and whatever it stops is looked at
again. For servers only: the phone and the contract stay free of compiled libraries.
"""

from __future__ import annotations

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from autopilot.contract.redaction import ESCAPE, PIECES

WINDOW_BYTES = 64 * 1024
"""Searched at a time: what is found comes as a list, of which the first is enough."""
OVERLAP_BYTES = max(map(len, PIECES)) - 1

_search = BytesAhoCorasick([piece for piece in PIECES if piece != ESCAPE], matchkind=MatchKind.LeftmostFirst)
"""Without the escape, which is so short that no other piece could be told from its first three bytes."""


def may_hold_secret(raw: bytes) -> bool:
    """Whether JSON text, however much, needs a closer look; False is certain, True is not."""
    lowered = raw.lower()
    if b"\\" in lowered and ESCAPE in lowered:
        return True
    size = WINDOW_BYTES + OVERLAP_BYTES
    return any(
        _search.find_matches_as_indexes(lowered[begin : begin + size]) for begin in range(0, len(lowered), WINDOW_BYTES)
    )
