"""Redaction of a long text that arrives in pieces: a credential that lies across a border is caught all the same.

Pure, and without a memory of its own: of each piece it takes what ends at a safe border and leaves the rest to come
again, at the head of the next one; what is carried over is a word, never content. The rule is `redaction`'s. Where a
border has to be forced (a megabyte without one separator) it rather redacts too much.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from autopilot.contract.redaction import REDACTED, is_secret_key, may_hold_secret, redact_text

OPEN, IN_TOKEN, IN_KEY, IN_STRING = "", "token", "key", "string"
"""Where a piece ended: nowhere in particular; or in a credential that goes on, of which nothing more is kept."""

LEAST_CHARACTERS = 16 * 1024
"""Of a piece that is not the last: a shorter one might not get anywhere."""
_LOOK_BACK = 8 * 1024
_MARKER = 256

_BEGIN = re.compile(r"-----BEGIN[ A-Z0-9]*PRIVATE KEY-----")
_END = re.compile(r"-----END[ A-Z0-9]*PRIVATE KEY-----")
_BEGUN_MARKER = re.compile(r"-----BEGIN[ A-Z0-9]*\Z")
_BEARER = re.compile(r"bearer\s*\Z", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9._~+/=-]*")
_SEPARATOR = re.compile(r"[^\w.~+/=-]")
_PREFIX = re.compile(
    r"eyJ|[srp]k[-_]|gh[pousr]_|github_pat_|glpat-|xox|AKIA|ASIA|AIza|ya29|hf_|npm_|pypi-|tskey-|dtn_"
    r"|ap[ar]t_|xapp-|whsec_|gsk_|xai-|pplx-|nvapi-|GOCSPX-|do[opr]_v1_|shp[acps]|dckr_pat_|lin_api_|figd_|ntn_|sbp_"
    r"|pscale_tkn_|PMAK-|NRAK-|AGE-SECRET-KEY-"
)
_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_MEMBER = re.compile(r'("(?P<key>(?:[^"\\]|\\.){1,120})"\s*:\s*")(?P<value>(?:[^"\\]|\\.)+)(?P<end>"|\\?\Z)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of one."""

    taken: int
    """Characters that are dealt with; those after them are to come again."""
    text: str
    """What may be kept of them."""
    inside: str
    """To be handed in with the next."""


def redact_piece(text: str, *, inside: str = OPEN, last: bool = False, is_json: bool = False) -> Piece:
    """Redact the next piece of a text, as `redact_text` redacts the whole of it.

    `last`: nothing follows, all of it is taken. Else `text` has at least `LEAST_CHARACTERS`. `is_json`: the whole is
    JSON text, and what its secret keys say goes as well.
    """
    start, inside = _leave(text, inside, last=last)
    if inside:
        return Piece(start, "", inside)
    rest = text[start:]
    if last:
        return Piece(len(text), _clean(rest, is_json=is_json), OPEN)
    end, inside = _border(rest, is_json=is_json)
    return Piece(start + end, _clean(rest[:end], is_json=is_json), inside)


def _leave(text: str, inside: str, *, last: bool) -> tuple[int, str]:
    """Where what goes on from the piece before ends, and what still goes on at the end of this one."""
    if inside == IN_TOKEN:
        end = _end_of(_RUN, text)
        return end, IN_TOKEN if end == len(text) and not last else OPEN
    if inside == IN_STRING:
        end = _end_of(_STRING, text)
        if text[end : end + 1] == '"':
            return end, OPEN
        return (len(text), OPEN) if last else (end, IN_STRING)
    if inside == IN_KEY:
        found = _END.search(text)
        if found is not None:
            return found.end(), OPEN
        return (len(text), OPEN) if last else (len(text) - _MARKER, IN_KEY)
    return 0, OPEN


def _border(text: str, *, is_json: bool) -> tuple[int, str]:
    """Where to end a piece, and in what."""
    limit = len(text)
    key = _open_key(text)
    if key == 0:
        return limit - _MARKER, IN_KEY
    if key is not None:
        limit = key
    member = _open_member(text[:limit]) if is_json else None
    if member == 0:
        return _whole_escapes(text[:limit]), IN_STRING
    if member is not None:
        limit = member
    for end in range(limit, max(0, limit - 8 * _LOOK_BACK), -1):
        if _is_safe(text, end):
            return end, OPEN
    return _forced(text, limit)


def _is_safe(text: str, end: int) -> bool:
    """Whether no credential can lie across this border."""
    before = text[end - 1]
    if _SEPARATOR.match(before) is None:
        return False
    near = text[max(0, end - _LOOK_BACK) : end]
    if before.isspace() and _BEARER.search(near) is not None:
        return False
    return before != " " or _BEGUN_MARKER.search(near) is None


def _forced(text: str, limit: int) -> tuple[int, str]:
    """A border inside an endless run of characters, any of which a credential might be made of."""
    near = max(1, limit - _LOOK_BACK)
    begun = [found.start() for found in _PREFIX.finditer(text, near, limit)]
    if begun:
        return begun[-1], OPEN
    return limit, IN_TOKEN if redact_text(text[:limit]).endswith(REDACTED) else OPEN


def _open_key(text: str) -> int | None:
    """Where a private key begins that does not end here."""
    at = 0
    while (begun := _BEGIN.search(text, at)) is not None:
        ended = _END.search(text, begun.end())
        if ended is None:
            return begun.start()
        at = ended.end()
    return None


def _open_member(text: str) -> int | None:
    """Where a member with a secret key begins whose value does not end here."""
    for found in _MEMBER.finditer(text, 0):
        if found["end"] != '"' and _is_secret(found["key"]):
            return found.start()
    return None


def _whole_escapes(text: str) -> int:
    """The end of a piece that ends inside a string, without the half of an escape."""
    backslashes = len(text) - len(text.rstrip("\\"))
    return len(text) - backslashes % 2


def _clean(text: str, *, is_json: bool) -> str:
    if not may_hold_secret(text.encode()):
        return text
    cleaned = redact_text(text)
    return _MEMBER.sub(_blank, cleaned) if is_json else cleaned


def _blank(found: re.Match[str]) -> str:
    if not _is_secret(found["key"]) or found["value"] == REDACTED:
        return found[0]
    return f"{found[1]}{REDACTED}{found['end']}"


def _is_secret(written: str) -> bool:
    """Whether a key is a telling one, as it is written in JSON text: an escape may spell any letter of it."""
    if "\\" not in written:
        return is_secret_key(written)
    try:
        return is_secret_key(json.loads(f'"{written}"', strict=False))
    except ValueError:
        return is_secret_key(written)


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return 0 if found is None else found.end()
