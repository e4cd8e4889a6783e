"""What a rendering knows besides its item: whose timeline it is, names of people and devices, how much is shown."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from autopilot.client.presenters.people import Names

NOBODY = Names()


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of one item is shown. What is left out is said, with a way to the whole."""

    head_lines: int = 12
    tail_lines: int = 12
    folded_lines: int = 150
    """Between head and tail, folded away."""
    characters: int = 24_000
    """Of one text, in all."""
    line_characters: int = 1500
    markdown_characters: int = 12_000
    files: int = 20
    diff_lines: int = 240
    """Of one file."""
    entries: int = 40
    """Of one list: steps of a plan, findings, facts."""


WHOLE = Caps(
    head_lines=20_000,
    tail_lines=0,
    folded_lines=0,
    characters=400_000,
    line_characters=20_000,
    files=200,
    diff_lines=8000,
)
"""On a page of its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """For one worker and one reader."""

    worker_id: str = ""
    names: Names = NOBODY
    caps: Caps = Caps()

    @property
    def base(self) -> str:
        """The path of the worker's screen."""
        return f"/w/{_quoted(self.worker_id)}"

    def artifact(self, artifact_id: str) -> str:
        """Where the whole of something is read."""
        return f"{self.base}/artifacts/{_quoted(artifact_id)}"

    def whole(self, seq: int) -> str | None:
        """Where one item is shown whole, by the event that changed it last; None where it is already."""
        return f"{self.base}/items/{seq}" if self.worker_id and self.caps != WHOLE else None

    def approval(self, approval_id: str) -> str:
        """Where an approval is answered."""
        return f"/inbox/{_quoted(approval_id)}"

    def trace(self, request_id: str) -> str:
        """Where every hop of a request is shown."""
        return f"/trace/{_quoted(request_id)}"


_LONGEST_ID = 255


def _quoted(identifier: str) -> str:
    return quote(identifier[:_LONGEST_ID], safe="", errors="replace")


PLAIN = Look()
