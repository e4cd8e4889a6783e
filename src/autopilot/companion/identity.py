"""Who this machine is, and which worker a thread is. Owns `machine.json`."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
from pathlib import Path

import msgspec

WORKER_ID_CHARACTERS = 160
REF_CHARACTERS = 255
_SUFFIX_CHARACTERS = 13
_FOREIGN = re.compile(r"[^A-Za-z0-9._:~-]")


class Machine(msgspec.Struct, frozen=True):
    """This host, as the runtime knows it."""

    machine_id: str
    name: str


def load_or_create(home: Path) -> Machine:
    """This machine's identity below AUTOPILOT_HOME; made once, kept for ever."""
    path = home / "companion" / "machine.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Machine)
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Machine(machine_id=f"machine-{secrets.token_hex(8)}", name=platform.node() or "this computer")
    fresh = path.with_suffix(f".{os.getpid()}")
    with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # an opener
        file.write(msgspec.json.encode(made))
        file.flush()
        os.fsync(file.fileno())  # a name without its content, after a power cut, would be nobody's identity for ever
    try:
        os.link(fresh, path)  # whoever links first wins: two processes that start together get one identity
    except FileExistsError:
        return msgspec.json.decode(path.read_bytes(), type=Machine)
    finally:
        fresh.unlink()
    return made


def worker_id(prefix: str, thread_id: str) -> str:
    """`<prefix>:<thread id>`; the same thread always gets the same worker.

    An id that has to be altered or cut gets a suffix made of the whole, so that two threads never share a worker.
    """
    wanted = f"{prefix}:{thread_id}"
    fitting = _FOREIGN.sub("-", wanted)
    if fitting == wanted and len(wanted) <= WORKER_ID_CHARACTERS:
        return wanted
    digest = hashlib.sha256(wanted.encode("utf-8", "surrogatepass")).hexdigest()[: _SUFFIX_CHARACTERS - 1]
    return f"{fitting[: WORKER_ID_CHARACTERS - _SUFFIX_CHARACTERS]}~{digest}"


def ref(value: str) -> str:
    """A label that fits into 255 characters; a longer one is cut and gets a suffix made of the whole."""
    if len(value) <= REF_CHARACTERS:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[: _SUFFIX_CHARACTERS - 1]
    return f"{value[: REF_CHARACTERS - _SUFFIX_CHARACTERS]}~{digest}"
