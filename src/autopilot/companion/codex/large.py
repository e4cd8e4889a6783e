"""What is too large for an event: long texts keep head and tail, and the whole of each becomes an artifact. Pure.

Owns where content is cut, and the only place where it is: an event refers to what it leaves out (`artifacts` in its
payload), so that nothing is lost silently. Redacts before it cuts: half a credential would not be known for one.
Source: docs/protocol.md, "Artifacts".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from autopilot.contract import ArtifactMedia, ArtifactRef, encode, redaction
from autopilot.contract.redaction_stream import redact_piece

LONG_BYTES = 64 * 1024
"""A text up to this stays in its event."""
EVENT_BYTES = 1024 * 1024
"""What is left of an event's params has at most so many."""
STEPS = ((LONG_BYTES, 16 * 1024), (8 * 1024, 2 * 1024))
"""Texts over the first keep the second of head and of tail; the next step where that was not enough."""
MAX_TEXTS = 500
"""So many texts of one event become artifacts of their own; of more, all params become one."""
MAX_ARTIFACT_BYTES = 64 * 1024 * 1024
OUTLINE_BYTES, OUTLINE_HEAD_BYTES, OUTLINE_ENTRIES = 4096, 256, 500
"""Of params that are an artifact as a whole the event keeps the shape: texts up to the first (no path is longer), of
longer ones a beginning, of lists so many entries (of so many files no rule decides)."""

Pieces = dict[str, "Part"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What an event leaves out."""

    artifact_id: str
    content: bytes
    """UTF-8."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of a long text stays, and what refers to the whole."""

    text: str
    ref: ArtifactRef
    artifact: Artifact


@dataclass(frozen=True, slots=True)
class Cut:
    """Params that fit into an event."""

    params: Any
    refs: tuple[ArtifactRef, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

    @property
    def members(self) -> dict[str, Any]:
        """What the payload says besides them."""
        return {"artifacts": [encode(ref) for ref in self.refs]} if self.refs else {}


def cut(params: Any, about: Mapping[str, Any], *, at: str = "/params") -> Cut:
    """Make params fit. `about` stands for them where not even their outline does: whom they were about.

    The pointers of the references begin at the payload, where what is cut is `at`.
    """
    raw = bytes(params) if isinstance(params, msgspec.Raw) else msgspec.json.encode(params)
    if len(raw) <= LONG_BYTES:
        return Cut(params)
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:  # a number beyond any that we could write again
        return Cut(params) if len(raw) <= EVENT_BYTES else _whole(_redacted_text(raw), None, about, at)
    if redaction.may_hold_secret(raw):
        value = redaction.redact(value)
    for longest, kept in STEPS:
        made = _shorten(value, at, longest, kept)
        if made is not None and _size(made.params) <= EVENT_BYTES:
            return made
    return _whole(msgspec.json.encode(value), value, about, at)


def _redacted_text(raw: bytes) -> bytes:
    """JSON text that can't be taken apart, without the credentials in it."""
    return redact_piece(raw.decode(), last=True, is_json=True).text.encode()


def _shorten(value: Any, at: str, longest: int, kept: int) -> Cut | None:
    """Long texts become artifacts; None: there are too many."""
    parts: Pieces = {}
    shorter = _walk(value, at, longest, kept, parts)
    if len(parts) > MAX_TEXTS:
        return None
    found = parts.values()
    return Cut(shorter, tuple(part.ref for part in found), tuple(part.artifact for part in found))


def _walk(value: Any, path: str, longest: int, kept: int, parts: Pieces) -> Any:
    if isinstance(value, str):
        if len(value) * 4 <= longest or len(raw := value.encode()) <= longest or len(parts) > MAX_TEXTS:
            return value
        parts[path] = part = _part(raw, path, kept)
        return part.text
    if isinstance(value, dict):
        return {key: _walk(one, f"{path}/{escaped(key)}", longest, kept, parts) for key, one in value.items()}
    if isinstance(value, list):
        return [_walk(one, f"{path}/{number}", longest, kept, parts) for number, one in enumerate(value)]
    return value


def _part(raw: bytes, path: str, kept: int) -> Part:
    head, tail = raw[:kept].decode(errors="ignore"), raw[-kept:].decode(errors="ignore")
    head_bytes, tail_bytes = len(head.encode()), len(tail.encode())
    content, left_out = _bounded(raw)
    ref = _reference(content, path, ArtifactMedia.TEXT, head_bytes, tail_bytes, left_out)
    return Part(head + note(len(raw) - head_bytes - tail_bytes, ref.artifact_id) + tail, ref, _artifact(ref, content))


def note(size: int, artifact_id: str) -> str:
    """What stands between head and tail."""
    return f"\n… {size:,} bytes left out here: artifact {artifact_id} …\n"


def _whole(raw: bytes, value: Any, about: Mapping[str, Any], at: str) -> Cut:
    """All of it as one artifact."""
    content, left_out = _bounded(raw)
    ref = _reference(content, at, ArtifactMedia.JSON, 0, 0, left_out)
    told = {"truncated": {"bytes": len(raw), "limit": EVENT_BYTES}}
    outline = _outline(value)
    shown = outline if isinstance(outline, dict) and _size(outline) <= EVENT_BYTES else dict(about)
    return Cut(shown | told, (ref,), (_artifact(ref, content),))


def _outline(value: Any) -> Any:
    if isinstance(value, str):
        raw = value.encode()
        return value if len(raw) <= OUTLINE_BYTES else raw[:OUTLINE_HEAD_BYTES].decode(errors="ignore") + "\n…"
    if isinstance(value, dict):
        return {key: _outline(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_outline(one) for one in value[:OUTLINE_ENTRIES]]
    return value


def _bounded(raw: bytes) -> tuple[bytes, int]:
    """The content of an artifact, and how many bytes even that leaves out."""
    left_out = len(raw) - MAX_ARTIFACT_BYTES
    if left_out <= 0:
        return raw, 0
    half = MAX_ARTIFACT_BYTES // 2
    head, tail = raw[:half].decode(errors="ignore"), raw[-half:].decode(errors="ignore")
    return f"{head}\n… {left_out:,} bytes left out here: they were never stored …\n{tail}".encode(), left_out


def _reference(  # noqa: PLR0917 - what a reference says
    content: bytes, path: str, media_type: ArtifactMedia, head_bytes: int, tail_bytes: int, left_out: int
) -> ArtifactRef:
    digest = hashlib.sha256(content).hexdigest()
    return ArtifactRef(
        artifact_id=digest[:32],
        path=path[:1024],
        bytes=len(content),
        sha256=digest,
        media_type=media_type,
        head_bytes=head_bytes,
        tail_bytes=tail_bytes,
        left_out_bytes=left_out or None,
    )


def _artifact(ref: ArtifactRef, content: bytes) -> Artifact:
    return Artifact(ref.artifact_id, content)


def below(refs: Sequence[Mapping[str, Any]], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The references to what is below a path, each with the rest of its own."""
    for ref in refs:
        if str(ref.get("path")).startswith(f"{path}/"):
            yield str(ref["path"])[len(path) + 1 :], ref


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))


def escaped(key: str) -> str:
    """A key as a JSON Pointer has it."""
    return key.replace("~", "~0").replace("/", "~1")
