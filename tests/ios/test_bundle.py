"""What is in the app: the client core and the contract, nothing compiled, nothing of a server's, no secret."""

from __future__ import annotations

import ast
import subprocess
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from tests.ios import bundle

SERVERS = {"api", "backends", "cli", "companion", "convex", "db", "ops", "runtime", "tailnet", "testing", "web"}
HERE = bundle.interpreters()
USED = """
import asyncio, importlib, logging, pkgutil, sys
from pathlib import Path

import autopilot.client, autopilot.contract

for room in (autopilot.client, autopilot.contract):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        importlib.import_module(module.name)

from autopilot.client import RuntimeCodexClient, SignInAgain, Timeline
from autopilot.client.addresses import server_address
from autopilot.client.offline_cache import OfflineCache
from autopilot.client.secret_box import SecretBox
from autopilot.client.ed25519 import new_seed, sign

logging.getLogger("autopilot").addHandler(logging.NullHandler())

async def refuse(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    body = b'{"error": {"code": "unauthorized", "message": "no", "details": []}}'
    head = f"HTTP/1.1 401 Unauthorized\\r\\ncontent-type: application/json\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()

async def main():
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with RuntimeCodexClient(f"http://127.0.0.1:{port}", "t") as client:
            try:
                await client.me()
            except SignInAgain:
                print("refused", end=" ")
    async with RuntimeCodexClient("https://a.example", "t"):
        pass  # makes what looks at certificates
    path = Path(sys.argv[1])
    for _ in range(2):
        cache = OfflineCache(path, bytes(32), server="https://a.example", user_id=7)
        await cache.keep_timeline("w", Timeline(after=5))
        assert (await cache.recall_timeline("w")).value.seq == 5
        await cache.aclose()
    assert server_address("a.example").url == "https://a.example"
    assert len(sign(new_seed(), b"x")) == 64

asyncio.run(main())
assert SecretBox(bytes(range(32))).name("a").hex() == "@NAME@"
modules = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
site = Path(autopilot.client.__file__).parents[2]
ours = [name for name, file in modules.items() if file.startswith(str(site))]
compiled = [name for name in ours if not modules[name].endswith(".py")]
packages = sorted({name.split(".")[0] for name in ours})
print(len([name for name in ours if name.startswith("autopilot.")]), compiled, packages)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return bundle.built(tmp_path_factory.mktemp("wheel"))


def test_the_client_s_wheel_is_pure_and_needs_httpx2_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(archive.read(name).decode())
        tag = archive.read(name.replace("METADATA", "WHEEL")).decode()

    assert wheel.name.endswith("-py3-none-any.whl")
    assert "Root-Is-Purelib: true" in tag
    assert said.get_all("Requires-Dist") == ["httpx2>=2.16"]
    assert said["Requires-Python"] == ">=3.11"


def test_the_client_s_wheel_is_the_client_core_and_the_contract_as_they_are_here(wheel):
    source = bundle.ROOT / "src"
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    rooms = {
        path.relative_to(source).as_posix()
        for room in ("client", "contract")
        for path in (source / "autopilot" / room).rglob("*.py")
    }

    assert files == {name: (source / name).read_bytes() for name in files}
    assert rooms - files.keys() == {f"autopilot/contract/{name}.py" for name in ("claims", "openapi", "port")}
    assert files.keys() - rooms == {"autopilot/__init__.py"}


def test_the_app_takes_the_client_from_the_checkout():
    project = bundle.project()

    assert project["tool"]["flet"]["dev_packages"] == {"autopilot-codex-client": "client"}
    assert "autopilot-codex-client" in project["project"]["dependencies"]
    assert (bundle.ROOT / "ios" / "client" / "pyproject.toml").is_file()


@pytest.mark.parametrize("python", bundle.PYTHONS)
def test_nothing_compiled_comes_with_the_client_core(python):
    needed = bundle.closure(["httpx2>=2.16"], python)

    assert "httpcore2" in needed
    assert [name for name, found in needed.items() if bundle.is_compiled(found)] == []


@pytest.mark.parametrize("python", bundle.PYTHONS)
def test_of_all_that_the_app_needs_only_what_flet_itself_brings_is_compiled(python):
    dependencies = [one for one in bundle.project()["project"]["dependencies"] if one != "autopilot-codex-client"]
    needed = bundle.closure([*dependencies, "httpx2>=2.16"], python)

    assert [name for name, found in needed.items() if bundle.is_compiled(found)] == ["msgpack"]
    assert "certifi" in needed  # Flet's start on a phone makes it Python's list of authorities


@pytest.mark.slow
@pytest.mark.parametrize("python", HERE)
def test_it_works_where_there_is_nothing_else(python, wheel, tmp_path):
    interpreter, site = bundle.empty_environment(HERE[python], tmp_path / "venv")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for distribution in bundle.closure(["httpx2>=2.16"], python).values():
        bundle.copied(distribution, site)
    script = USED.replace("@NAME@", "3c0aaa3035ebf4cc0f7a0941ce8a7fec")
    done = subprocess.run(
        [interpreter, "-I", "-W", "error", "-c", script, str(tmp_path / "cache.sqlite")],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.stderr == ""
    answer, count, compiled, packages = done.stdout.split(" ", 3)
    assert (answer, int(count) > 100, compiled) == ("refused", True, "[]")
    assert set(ast.literal_eval(packages)) - {"typing_extensions"} == {
        *("autopilot", "httpx2", "httpcore2", "h11", "anyio", "idna", "truststore"),
    }
    assert {path.name for path in site.rglob("*") if path.suffix in bundle.COMPILED} == set()


def test_no_file_of_the_app_names_an_internal_path(wheel):
    assert [name for name, content in bundle.texts(wheel).items() if b"/internal/" in content] == []


def test_no_file_of_the_app_imports_a_room_of_the_servers(wheel):
    for name, content in bundle.texts(wheel).items():
        if name.endswith(".py"):
            assert {room for room in imported(content) if room.split(".")[1] in SERVERS} == set(), name


def imported(source: bytes) -> set[str]:
    """The rooms of autopilot that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names |= {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith("autopilot.")}
