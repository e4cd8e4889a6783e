"""The peer for fan-out: nginx with nchan (Debian: nginx-light, libnginx-mod-nchan), one worker, on a loopback port."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")

CONFIG = """
load_module {module};
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  nchan_max_reserved_memory 256M;
  server {{
    listen 127.0.0.1:{port};
    location = /publish {{ nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 1000; }}
    location = /follow {{
      nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest;
    }}
  }}
}}
"""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Nchan:
    """A running nginx."""

    port: int
    pid: int


def missing() -> str | None:
    """The Debian packages that have to be installed first, or None."""
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin") or not MODULE.exists():
        return "nginx-light libnginx-mod-nchan"
    return None


async def listening(port: int) -> None:
    """Wait until something accepts connections on the port, 10 seconds at most."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


@asynccontextmanager
async def running() -> AsyncIterator[Nchan]:
    """Start nginx and end it again."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder, "nginx.conf")
        config.write_text(CONFIG.format(module=MODULE, folder=folder, port=port))
        process = await asyncio.create_subprocess_exec("/usr/sbin/nginx", "-c", str(config), "-p", folder)
        try:
            await listening(port)
            yield Nchan(port, process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
