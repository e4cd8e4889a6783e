"""What a rendering knows besides its item: whose timeline it is, names of people and devices, how much is shown."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from autopilot.client.presenters.cuts import SHORT, WHOLE, Caps
from autopilot.client.presenters.people import Names

NOBODY = Names()


@dataclass(frozen=True, slots=True)
class Look:
    """For one worker and one reader."""

    worker_id: str = ""
    names: Names = NOBODY
    caps: Caps = SHORT

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
