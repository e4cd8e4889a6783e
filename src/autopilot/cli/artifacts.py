"""`autopilot artifacts`, `autopilot artifact`: what was too large for an event, listed and read.

What is read goes to standard output as it comes, or into a file that is whole or not there at all.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker, said
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client import RuntimeCodexClient
from autopilot.client.presenters import times
from autopilot.contract import Artifact

RANGE = re.compile(r"(\d{1,15})-(\d{0,15})|-(\d{1,15})")
ID_CHARACTERS = 32
LISTED = 200
HEADINGS = ("ARTIFACT", "STATE", "SIZE", "EVENT", "SINCE", "WHERE")


async def artifacts(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    options: Options = DEFAULT,
) -> None:
    """List the last 200 outputs, diffs and results that were too large for their events."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = (await client.artifacts(await pick_worker(client, worker), limit=LISTED)).artifacts
    if options.json:
        terminal.result(list(found))
    elif not found:
        terminal.say("Nothing was too large for an event.")
    else:
        print_table(terminal.out, HEADINGS, [_row(one) for one in found])


async def artifact(
    worker: Annotated[str, Parameter(help="Its id or a part of it.")],
    artifact_id: Annotated[str, Parameter(help="Its id, or how that begins.")],
    *,
    range_: Annotated[
        str | None, Parameter(name="--range", help="Bytes FIRST-LAST, FIRST- or -LAST_SO_MANY; else all of it.")
    ] = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"), help="Write it to this file.")] = None,
    incomplete: Annotated[bool, Parameter(negative=(), help="Of one that is not whole: what has arrived.")] = False,
    options: Options = DEFAULT,
) -> None:
    """Print an artifact, or a range of it, as it is stored."""
    terminal = Terminal(as_json=options.json)
    first, last = _range_of(range_)
    async with connected(options) as client:
        worker_id = await pick_worker(client, worker)
        whole_id = await _pick(client, worker_id, artifact_id)
        content = client.read_artifact(worker_id, whole_id, first=first, last=last, incomplete=incomplete)
        async with contextlib.aclosing(content):
            if output is not None:
                size = await _into_file(content, output)
                told = {"artifact_id": whole_id, "bytes": size, "file": str(output)}
                terminal.result(told) if options.json else terminal.remark(f"{size} bytes are in {output}.")
            elif options.json:
                raw = b"".join([chunk async for chunk in content])
                terminal.result({"artifact_id": whole_id, "bytes": len(raw), "text": raw.decode(errors="replace")})
            else:
                await _print(content)


async def _print(content: AsyncIterator[bytes]) -> None:
    """To a program as it is; to a person without what could steer the terminal."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    async for chunk in content:
        if sys.stdout.isatty():
            sys.stdout.write(printable(decoder.decode(chunk)))
        else:
            sys.stdout.buffer.write(chunk)
        sys.stdout.flush()


async def _into_file(content: AsyncIterator[bytes], path: Path) -> int:
    """Write it; how many bytes. The file is there when all of it is; a device or a pipe takes it as it comes."""
    size = 0
    if _only_takes(path):
        with path.open("wb") as taker:
            async for chunk in content:
                size += taker.write(chunk)
        return size
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            async for chunk in content:
                size += file.write(chunk)
            file.flush()
            os.replace(file.name, path)  # noqa: PTH105 - a name, not a path
        except BaseException:
            os.unlink(file.name)  # noqa: PTH108 - a name, not a path
            raise
    return size


def _only_takes(path: Path) -> bool:
    """Whether it is to be written to, and never replaced: a file in the place of /dev/null breaks a machine."""
    return path.exists() and not path.is_file() and not path.is_dir()


async def _pick(client: RuntimeCodexClient, worker_id: str, named: str) -> str:
    """The whole id.

    Raises:
        CommandFailed: it is empty, none of those listed begins so, or several do.
    """
    if len(said(named, "artifact")) == ID_CHARACTERS:
        return named
    listed = (await client.artifacts(worker_id, limit=LISTED)).artifacts
    fits = [one.artifact_id for one in listed if one.artifact_id.startswith(named)]
    if not fits:
        raise CommandFailed(f"No artifact of {worker_id} begins with {named}.", Exit.NOT_FOUND)
    if len(fits) > 1:
        raise CommandFailed(f"Several artifacts begin with {named}: {', '.join(fits[:5])}", Exit.USAGE)
    return fits[0]


def _range_of(text: str | None) -> tuple[int, int | None]:
    found = RANGE.fullmatch(text or "0-")
    if found is None:
        raise CommandFailed(f"{text} is no range: FIRST-LAST, FIRST- or -LAST_SO_MANY.", Exit.USAGE)
    first, last, tail = found.groups()
    if tail is not None and not int(tail):
        raise CommandFailed(f"{text} is no byte at all.", Exit.USAGE)
    if tail is not None:
        return -int(tail), None
    if last and int(last) < int(first):
        raise CommandFailed(f"{text} ends before it begins.", Exit.USAGE)
    return int(first), int(last) if last else None


def _row(one: Artifact) -> tuple[str, ...]:
    marks = [word for word, holds in (("cut", one.truncated), ("redacted", one.redacted)) if holds]
    size = times.size(one.bytes if one.state != "stored" else one.stored_bytes)
    if one.state == "lost":
        marks.append(f"{times.size(one.stored_bytes)} arrived")
    return (
        one.artifact_id,
        one.state,
        size + (f" ({', '.join(marks)})" if marks else ""),
        str(one.seq),
        times.ago(one.stored_at or one.announced_at),
        one.path,
    )
