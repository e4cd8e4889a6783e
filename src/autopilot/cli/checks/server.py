"""The server: does it answer, does its clock agree with ours, does anything on the way hold its streams back."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from autopilot.cli.checks.finding import Finding, note, ok, problem, warning
from autopilot.client import RuntimeCodexClient
from autopilot.client.http import is_loopback, proxies_understood
from autopilot.contract.errors import AutopilotError, NetworkError, Unauthorized, from_response
from autopilot.ops.program import autopilot

ANSWER_SECONDS = 5.0
CLOCK_TOLERANCE_SECONDS = 5.0
FIRST_FRAME_SECONDS = 1.5
"""A stream's first frame comes at once; what takes longer was held back."""
PROBE_MS = 4000
"""How long the probing stream stays open: a buffering proxy delivers only at its end."""


async def answers(url: str) -> list[Finding]:
    """Whether the server is ready, and whether its clock agrees with ours."""
    here = is_loopback(url)
    try:
        with proxies_understood():
            client = httpx2.AsyncClient(timeout=ANSWER_SECONDS, trust_env=not here)
        async with client:
            response = await client.get(f"{url}/readyz")
    except NetworkError as error:
        return [problem("server", error.message, "set another proxy, or none")]
    except httpx2.HTTPError as error:
        away = f"{url} does not answer ({type(error).__name__})"
        return [problem("server", away, autopilot("up") if here else f"look whether it runs there{_way(url)}")]
    if "x-autopilot-contract" not in response.headers:
        other = f"what answers at {url} is no Autopilot (status {response.status_code})"
        return [problem("server", other, f"name another with --url, or look what is on the way{_way(url)}")]
    if response.status_code != httpx2.codes.OK:
        return [problem("server", f"{url} is not ready: {_missing(response)}", "look into its logs")]
    return [ok("server", f"{url} is ready"), *_clock(response.headers.get("date"))]


def _way(url: str) -> str:
    """The proxy that the environment names for `url`, as an addition to some advice."""
    proxy = getproxies().get(urlsplit(url).scheme)
    host = urlsplit(url).hostname or ""
    return f"; the way leads through a proxy of the environment, {proxy}" if proxy and not proxy_bypass(host) else ""


def _missing(response: httpx2.Response) -> str:
    """What a server that is not ready waits for, in its own words."""
    try:
        body = response.json()
    except ValueError:
        body = None
    error = from_response(response.status_code, body)
    missing = error.details[0].get("missing") if error.details else None
    return f"its {' and its '.join(missing)} can't be reached" if isinstance(missing, list) else error.message


def _clock(date: str | None) -> list[Finding]:
    try:
        at = parsedate_to_datetime(date or "")
        apart = abs((datetime.now(UTC) - at).total_seconds())
    except (TypeError, ValueError):  # none, or none that means a moment
        return []
    if apart > CLOCK_TOLERANCE_SECONDS:
        return [warning("clock", f"this machine's and the server's clock are {apart:.0f} s apart", "set them by NTP")]
    return [ok("clock", "agrees with the server's")]


async def streaming(client: RuntimeCodexClient) -> list[Finding]:
    """Whether a stream's first frame arrives at once, through whatever lies between."""
    try:
        workers = (await client.list_workers(limit=1)).workers
        if not workers:
            return [note("stream", "there is no worker yet whose stream could be tried")]
        return await first_frame(client, workers[0].worker_id)
    except Unauthorized as error:
        return [problem("sign-in", error.message, autopilot("login URL"))]
    except AutopilotError as error:
        return [problem("stream", error.message)]


async def first_frame(client: RuntimeCodexClient, worker_id: str) -> list[Finding]:
    """How long a stream's first frame takes.

    Raises:
        AutopilotError: there is no stream.
    """
    began = client.clock.monotonic()
    stream = await client.open_stream(worker_id, None, tail_ms=PROBE_MS)
    try:
        await stream.read()
    finally:
        await stream.aclose()
    took = client.clock.monotonic() - began
    if took > FIRST_FRAME_SECONDS:
        advice = "turn off buffering for text/event-stream in the proxy on the way; clients fall back to long polls"
        says = f"the first frame took {took:.1f} s: something on the way holds streams back"
        return [warning("stream", says, advice)]
    return [ok("stream", f"first frame after {took * 1000:.0f} ms: nothing on the way holds streams back")]
