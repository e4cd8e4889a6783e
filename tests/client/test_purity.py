"""The SDK runs where there is nothing but Python and httpx2: on a phone."""

from __future__ import annotations

import subprocess
import sys

SERVERS = ["msgspec", "asyncpg", "structlog", "starlette", "uvicorn", "keyring", "cryptography", "rich", "cyclopts"]
SCRIPT = """
import sys
{block}
import importlib, pathlib
import autopilot.client, autopilot.client.log, autopilot.contract
import autopilot.client.presenters as presenters
home = pathlib.Path(presenters.__file__).parent
for path in home.rglob("*.py"):
    name = ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__")
    importlib.import_module(f"autopilot.client.presenters.{{name}}" if name != "__init__" else presenters.__name__)
from autopilot.contract import Envelope, decode
rooms = sorted(name for name in sys.modules if name.startswith("autopilot."))
print([room for room in rooms if room.split(".")[1] not in ("client", "contract")])
sites = {{
    name.partition(".")[0] for name, module in sys.modules.items()
    if "site-packages" in (getattr(module, "__file__", None) or "") and not name.startswith(("autopilot", "_"))
}}
print(sorted(sites))
"""
HTTPX2_AND_WHAT_IT_NEEDS = {
    "httpx2",
    "httpcore2",
    "h11",
    "anyio",
    "idna",
    "truststore",
    "typing_extensions",
    "backports",
}


def run(block: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(block=block)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def test_it_loads_no_room_of_the_servers_and_no_package_but_httpx2():
    rooms, packages = run()

    assert rooms == "[]"
    assert set(eval(packages)) <= HTTPX2_AND_WHAT_IT_NEEDS | {"backports", "sniffio"}


def test_it_loads_where_none_of_the_servers_packages_is():
    run("; ".join(f"sys.modules[{package!r}] = None" for package in SERVERS))
