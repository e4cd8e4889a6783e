"""A server with the web app in this process, a real Codex on the scripted model, and its owner's browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Locator, Page
from tests.browser.screens import LOOKS, Visit, visiting
from tests.companion.installation import Installation, installed
from tests.companion.launching import keep_schema, make_codex_home, make_launch, make_project

from autopilot.api import tokens
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.companion.codex.binary import CodexBinary
from autopilot.testing.model import ScriptedModel
from autopilot.testing.postgres import TestCluster
from autopilot.web.visitors import COOKIE


@dataclass
class CodexDesk:
    """The owner at a browser; a test starts the companion when it is due."""

    installation: Installation
    visit: Visit
    cluster: TestCluster
    root: Path

    @property
    def page(self) -> Page:
        return self.visit.page

    def timeline(self) -> Locator:
        return self.page.get_by_role("feed", name="Timeline")

    @asynccontextmanager
    async def before(self) -> AsyncIterator[Installation]:
        """Another installation on the same Codex: what happens in it this one knows nothing of."""
        here, other = self.installation, self.root / "before"
        other.mkdir()
        launch = make_launch(other, here.launch.codex_home, here.launch.binary)
        async with self.cluster.database() as dsn, installed(dsn, other, launch, here.model, here.project) as made:
            yield made


@asynccontextmanager
async def codex_desk(
    cluster: TestCluster,
    root: Path,
    codex: CodexBinary,
    schema: Path,
    launched: Browser,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[CodexDesk]:
    """Everything but the companion, which the installation starts; the web app waits by `clock`."""
    keep_schema(root, schema)
    async with ScriptedModel() as model, cluster.database() as dsn:
        launch = make_launch(root, make_codex_home(root, model), codex)
        async with (
            installed(dsn, root, launch, model, make_project(root), with_web=True, web_clock=clock) as made,
            visiting(launched, made.served.url, *LOOKS[0]) as visit,
        ):
            session = await tokens.mint(made.served.pool, scopes=("observe", "administer"), surface="web", name="Phone")
            cookie = await made.served.app.state.api.browsers.keep(session.token)
            await visit.context.add_cookies([{"name": COOKIE, "value": cookie, "url": made.served.url}])
            yield CodexDesk(made, visit, cluster, root)
