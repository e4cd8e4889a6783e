"""A search of the audit: what is looked for, what was found of it, and the older pages as somebody scrolls to them.

Owns what was found; a screen draws `view`. The last thing looked for counts. A failure leaves what was found, and says
so. So many lines at most are held: who wants more narrows it. Relies on the server for what fits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autopilot.client.audit import AuditPage
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.contract import AuditLine
from autopilot.contract.errors import AutopilotError

PAGE = 50
MOST_LINES = 1000
MOST_EMPTY_PAGES = 5
"""With words, a page may have few lines, or none, and go on."""
PAUSE_SECONDS = 0.3
"""After the last key."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for; empty: any."""

    text: str = ""
    action: str = ""
    outcome: str = ""
    surface: str = ""
    device_id: str = ""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Sought()


@dataclass(frozen=True, slots=True)
class FoundLines:
    """What was found of it."""

    sought: Sought = Sought()
    lines: tuple[AuditLine, ...] = ()
    """The latest first."""
    is_known: bool = False
    """Whether the server has said anything of it yet."""
    is_asking: bool = False
    next: str | None = None
    """Where older ones begin; None: these are all, or as many as are held."""
    is_cut: bool = False
    """Whether there are older ones that are not held."""
    error: AutopilotError | None = None


class AuditSearch(Observable[FoundLines]):
    """One search."""

    def __init__(self, client: RuntimeCodexClient) -> None:
        super().__init__()
        self._client = client
        self._found = FoundLines()
        self._number = 0

    async def look(self, sought: Sought | None = None) -> None:
        """Look from the latest on; `sought`: for this from now on. Never raises for what a server says."""
        is_other = sought is not None and sought != self._found.sought
        is_typed = is_other and sought is not None and sought.text != self._found.sought.text
        kept = FoundLines(sought=sought or Sought()) if is_other else self._found
        await self._ask(self._begin(kept), (), None, pause_seconds=PAUSE_SECONDS if is_typed else 0.0)

    async def older(self) -> None:
        """The next page, where there is one and none is on its way."""
        found = self._found
        if found.next is not None and not found.is_asking:
            await self._ask(self._begin(found), found.lines, found.next)

    def _begin(self, kept: FoundLines) -> int:
        self._number += 1
        self._become(replace(kept, is_asking=True, error=None))
        return self._number

    async def _ask(
        self, number: int, before: tuple[AuditLine, ...], cursor: str | None, *, pause_seconds: float = 0.0
    ) -> None:
        try:
            await self._client.clock.sleep(pause_seconds)
            if number != self._number:
                return
            page = await self._page(number, cursor)
        except AutopilotError as error:
            if number == self._number:
                self._become(replace(self._found, is_asking=False, error=error))
            return
        except BaseException:  # nobody waits for it any more
            if number == self._number:
                self._become(replace(self._found, is_asking=False))
            raise
        if number != self._number:
            return
        lines = (*before, *page.lines)[:MOST_LINES]
        is_full = len(lines) >= MOST_LINES and page.next is not None
        older = None if is_full else page.next
        self._become(FoundLines(self._found.sought, lines, is_known=True, next=older, is_cut=is_full))

    async def _page(self, number: int, cursor: str | None) -> AuditPage:
        """A page with something on it, as far as there is one nearby."""
        sought = self._found.sought
        for left in reversed(range(MOST_EMPTY_PAGES)):
            page = await self._client.audit(
                text=sought.text.strip() or None,
                action=sought.action or None,
                outcome=sought.outcome or None,
                surface=sought.surface or None,
                device_id=sought.device_id or None,
                limit=PAGE,
                before=cursor,
            )
            cursor = page.next
            if page.lines or cursor is None or not left or number != self._number:
                return page
        raise AssertionError("the last one is answered in any case")

    def _seen(self) -> FoundLines:
        return self._found

    def _become(self, found: FoundLines) -> None:
        self._found = found
        self._change()
