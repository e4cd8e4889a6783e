"""`python -m autopilot.companion.codex.scripted_model --port 0`: prints its base URL, then serves until stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from autopilot.companion.codex.scripted_model.server import ScriptedModel


async def serve(port: int) -> None:
    """Serve on loopback until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with ScriptedModel(port) as model:
        sys.stdout.write(f"{model.base_url}\n")
        sys.stdout.flush()
        await stopping.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A model that plays scripts, for demos and tests.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 chooses a free one")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
