"""Artifacts over the public API and through the SDK, over a real server as one process and as two."""

from __future__ import annotations

import contextlib
import hashlib

import httpx2
import pytest
from tests.api.contract.world import Person, announce, error, lease, store

from autopilot.client import RuntimeCodexClient
from autopilot.contract import ArtifactPart
from autopilot.contract.errors import NotFound, Unprocessable

TEXT = "".join(f"{n:07d} línea\n" for n in range(150_000))
RAW = TEXT.encode()


def client_of(person: Person) -> RuntimeCodexClient:
    return RuntimeCodexClient(str(person.world.api.client.base_url), person.token)


async def read(client: RuntimeCodexClient, worker_id: str, artifact_id: str, **asked: int) -> bytes:
    async with contextlib.aclosing(client.read_artifact(worker_id, artifact_id, **asked)) as content:
        return b"".join([chunk async for chunk in content])


async def test_an_artifact_goes_up_in_pieces_and_comes_down_whole_or_in_ranges(ada: Person):
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    artifact_id = await announce(machine, ada.worker_id, TEXT)
    async with client_of(machine) as executor, client_of(ada) as client:
        with pytest.raises(NotFound) as pending:
            await read(client, ada.worker_id, artifact_id)
        assert pending.value.reason_code == "artifact_pending"
        offset, state = 0, "pending"
        while state == "pending":
            text = RAW[offset : offset + 1_000_000].decode(errors="ignore")
            part = ArtifactPart(artifact_id=artifact_id, offset=offset, text=text)
            (told,) = await executor.store_artifacts(ada.worker_id, [part], generation=1)
            state, offset = told.state, told.next_offset

        assert await read(client, ada.worker_id, artifact_id) == RAW
        assert await read(client, ada.worker_id, artifact_id, first=700_000) == RAW[700_000:]
        assert await read(client, ada.worker_id, artifact_id, first=5, last=9) == RAW[5:10]
        assert await read(client, ada.worker_id, artifact_id, first=-100) == RAW[-100:]
        with pytest.raises(Unprocessable):
            await read(client, ada.worker_id, artifact_id, first=len(RAW))
        page = await client.artifacts(ada.worker_id)
    (known,) = page.artifacts
    assert (known.state, known.bytes, page.next) == ("stored", len(RAW), None)
    assert known.sha256 == known.stored_sha256 == hashlib.sha256(RAW).hexdigest()


async def test_headers_say_what_a_reader_needs(ada: Person):
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    artifact_id = await announce(machine, ada.worker_id, TEXT)
    path = f"/workers/{ada.worker_id}/artifacts/{artifact_id}"
    detail = error(await ada.get(path), 404, "not_found", "artifact_pending")
    assert (detail["received_bytes"], detail["bytes"]) == (0, len(RAW))
    await store(machine, ada.worker_id, TEXT)

    whole = await ada.get(path)
    etag = whole.headers["etag"]
    part = await ada.get(path, headers={"range": "bytes=10-19", "if-range": etag})
    same = await ada.get(path, headers={"if-none-match": etag})
    beyond = await ada.get(path, headers={"range": f"bytes={len(RAW)}-"})

    assert (whole.status_code, whole.content) == (200, RAW)
    assert whole.headers["content-length"] == str(len(RAW))
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert (whole.headers["accept-ranges"], whole.headers["x-autopilot-truncated"]) == ("bytes", "false")
    assert (part.status_code, part.content) == (206, RAW[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(RAW)}"
    assert (same.status_code, same.content) == (304, b"")
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{len(RAW)}"
    error(await ada.get(f"/workers/{ada.worker_id}/artifacts/{'0' * 32}"), 404, "not_found", "no_such_artifact")
    error(await ada.get(f"/workers/{ada.worker_id}/artifacts/nonsense"), 422, "unprocessable", "invalid_value")


async def test_a_companion_that_lost_the_lease_stores_nothing(ada: Person):
    first, second = await ada.machine(), await ada.machine()
    await lease(first, ada.worker_id)
    artifact_id = await announce(first, ada.worker_id, TEXT)
    body = {"artifacts": [{"artifact_id": artifact_id, "offset": 0, "text": TEXT}], "generation": 1}
    path = f"/workers/{ada.worker_id}/artifacts"
    error(await ada.post(path, body), 403, "forbidden", "lease")
    release = {"machine_id": first.worker_id, "generation": 1}
    await first.post(f"/workers/{ada.worker_id}/lease/release", release)
    await lease(second, ada.worker_id)

    assert error(await first.post(path, body), 409, "conflict", "fenced")["expected"] == 2


async def test_a_response_that_breaks_off_is_noticed(ada: Person, monkeypatch: pytest.MonkeyPatch):
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    artifact_id = await announce(machine, ada.worker_id, TEXT)
    await store(machine, ada.worker_id, TEXT)
    pool, find = ada.world.runtime.pool, type(ada.world.runtime.pool).fetchrow
    broken = iter([True])

    async def fetchrow(self: object, query: str, *given: object) -> object:
        """As retention does it, in the middle of a read."""
        row = await find(pool, query, *given)
        is_chunk = "from artifact_chunk" in query and given[1] != 0
        return None if is_chunk and next(broken, False) else row

    monkeypatch.setattr(type(pool), "fetchrow", fetchrow)
    with pytest.raises(httpx2.RemoteProtocolError):
        await ada.get(f"/workers/{ada.worker_id}/artifacts/{artifact_id}")

    broken = iter([True])
    async with client_of(ada) as client:
        assert await read(client, ada.worker_id, artifact_id) == RAW
