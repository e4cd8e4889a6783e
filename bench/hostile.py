"""What slow connections and guessed codes cost honest users: their p99 with and without them, and the server's memory.

Everything on loopback: attackers come from addresses of 127.0.0.0/8 of their own, and from a process of their own, or
honest users would wait for them and not for the server. Slow ones send a head a byte at a time, and come again when
they are closed. Guesses go out at an even pace from sixteen addresses.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator

import figures
import lab
import procfs

BYTE_SECONDS = 5.0
PEEK_SECONDS = 0.5
GUESSERS = 16
OF_AN_ADDRESS = 250
"""Slow connections of one address, an eighth of what it may have."""
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


async def honest(port: int, headers: dict[str, str], users: int, seconds: float) -> list[float]:
    """Latencies of users who each list their workers ten times a second, in seconds."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    ask = f"GET /api/runtime/codex/workers HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode()
    took: list[float] = []
    end = time.monotonic() + seconds

    async def user() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            began = time.monotonic()
            writer.write(ask)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer[:80]
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, 0.1 - took[-1]))
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(users):
            group.create_task(user())
    return took


async def slow(port: int, number: int) -> None:
    """One connection that never finishes its head, again and again."""
    source = f"127.1.{number // OF_AN_ADDRESS // 250}.{number // OF_AN_ADDRESS % 250 + 1}"
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=1024)
            try:
                writer.write(HEAD)
                while not reader.at_eof():
                    writer.write(b"x")
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(BYTE_SECONDS):
                            await reader.read()
            finally:
                writer.close()
        await asyncio.sleep(0.1)


async def guess(port: int, guesser: int, a_minute: int, answers: dict[int, int]) -> None:
    """One of those who guess codes, all together so many a minute, each at an even pace."""
    every, number = GUESSERS * 60 / a_minute, guesser
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.2.0.{guesser + 1}", 0))
    await asyncio.sleep(guesser * 60 / a_minute)
    due = time.monotonic()
    while True:
        body = json.dumps({"email": f"u{number % 500}@example.org", "code": f"{number % 10**8:08}"}).encode()
        head = f"POST /api/auth/verify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        status = int(answer.split()[1])
        answers[status] = answers.get(status, 0) + 1
        number += GUESSERS
        due += every
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def attack(choice: argparse.Namespace) -> None:
    """All attackers, until SIGTERM; then prints how the guesses were answered."""
    answers: dict[int, int] = {}
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        attackers = [group.create_task(slow(choice.attack, number)) for number in range(choice.slow)]
        attackers += [
            group.create_task(guess(choice.attack, guesser, choice.guesses, answers)) for guesser in range(GUESSERS)
        ]
        await stop.wait()
        for attacker in attackers:
            attacker.cancel()
    sys.stdout.write(json.dumps(answers))


@contextlib.asynccontextmanager
async def attackers(port: int, choice: argparse.Namespace) -> AsyncIterator[dict[str, int]]:
    """They are at it within; filled in the end with how the guesses were answered."""
    words = ("--attack", str(port), "--slow", str(choice.slow), "--guesses", str(choice.guesses))
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *words, stdout=asyncio.subprocess.PIPE)
    answers: dict[str, int] = {}
    try:
        yield answers
    finally:
        if process.returncode is None:
            process.terminate()
        told = (await process.communicate())[0]
    if process.returncode != 0:
        raise RuntimeError(f"the attackers ended with {process.returncode} before the measurement did")
    answers.update(json.loads(told))


async def peak_bytes(pid: int, found: list[int]) -> None:
    """Watch what memory the server has to itself; the most of it is kept in `found`."""
    while True:
        found.append(max(procfs.private_bytes(pid), *found[-1:]))
        await asyncio.sleep(PEEK_SECONDS)


async def attacked(server: lab.Lab, choice: argparse.Namespace) -> tuple[list[float], dict[str, int], int]:
    """Latencies of honest users while it goes on, how guesses were answered, and the peak of the server's memory."""
    found = [procfs.private_bytes(server.pid)]
    async with attackers(server.port, choice) as answers, asyncio.TaskGroup() as group:
        watching = group.create_task(peak_bytes(server.pid, found))
        await asyncio.sleep(choice.seconds / 2)
        took = await honest(server.port, server.headers, choice.users, choice.seconds)
        watching.cancel()
    return took, answers, found[-1]


def p99_ms(took: list[float]) -> float:
    """In milliseconds."""
    return round(1000 * sorted(took)[int(0.99 * len(took))], 2)


async def measure(choice: argparse.Namespace) -> dict[str, object]:
    """The figures."""
    async with lab.running() as server:
        await honest(server.port, server.headers, choice.users, 1.0)
        before = p99_ms(await honest(server.port, server.headers, choice.users, choice.seconds))
        memory_before = procfs.private_bytes(server.pid)
        cpu_before = procfs.cpu_seconds([server.pid])
        took, answers, peak = await attacked(server, choice)
        under = p99_ms(took)
        return {
            "slow_connections": choice.slow,
            "guesses_a_minute": choice.guesses,
            "honest_p99_ms": before,
            "honest_p99_ms_under_attack": under,
            "ratio": round(under / before, 2),
            "server_mib_before": round(memory_before / 2**20, 1),
            "server_mib_at_most": round(peak / 2**20, 1),
            "server_cpu_seconds": round(procfs.cpu_seconds([server.pid]) - cpu_before, 1),
            "guesses_by_status": answers,
        }


def main() -> None:
    """Measure, print, and keep the figures where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=int, default=5000)
    parser.add_argument("--guesses", type=int, default=5000, help="a minute")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--attack", type=int, metavar="PORT", help="be the attackers of this port, until SIGTERM")
    choice = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))
    if choice.attack is not None:
        asyncio.run(attack(choice))
        return
    figures.record("hostile", asyncio.run(measure(choice)))


if __name__ == "__main__":
    main()
