"""Artifacts at the runtime's port: announced by events, stored in pieces, read whole and in ranges, pruned."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from autopilot.contract import ArtifactMedia
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.ops.clock import SystemClock
from autopilot.runtime import artifacts_store
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.artifacts_store import CHUNK_BYTES
from autopilot.runtime.retention import Retention
from autopilot.runtime.seal_keys import PublicKeys, SealKey
from autopilot.runtime.seal_verify import Report, Verifier
from autopilot.runtime.settings import RuntimeChoices, RuntimeSettings
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, Answer, call, insert_worker

KEY = "sk-" + "A1b2" * 10
MIB = 1024 * 1024


def text_of(size: int) -> str:
    """So many bytes, no two lines alike."""
    lines = "".join(f"{n:08d} compiled módule {n % 97}\n" for n in range(size // 20))
    return lines.encode()[:size].decode(errors="ignore").ljust(size - 4, "x")


def refers(text: str, media: str = ArtifactMedia.TEXT, **more: Any) -> dict[str, Any]:
    raw = text.encode()
    digest = hashlib.sha256(raw).hexdigest()
    told = {"artifact_id": digest[:32], "path": "/params/item/aggregatedOutput", "bytes": len(raw), "sha256": digest}
    return {**told, "media_type": str(media), "head_bytes": 10, "tail_bytes": 10, **more}


async def announce(runtime: Runtime, *refs: dict[str, Any], event_id: str = "e", claims: Claims = OWNER) -> Answer:
    payload = {"source": "autopilot-desktop", "method": "item/completed", "params": {}, "artifacts": list(refs)}
    event = {"event_type": "worker.event", "event_id": event_id, "payload": payload}
    return await call(runtime, "POST", "/workers/w/events", {"event": event}, claims=claims)


async def put(
    runtime: Runtime, ref: dict[str, Any], text: str, offset: int = 0, *, claims: Claims = OWNER, generation: int = 0
) -> Answer:
    part = {"artifact_id": ref["artifact_id"], "offset": offset, "text": text}
    body = {"artifacts": [part], "generation": generation or None}
    return await call(runtime, "POST", "/workers/w/artifacts", body, claims=claims)


async def put_all(runtime: Runtime, ref: dict[str, Any], text: str, size: int = 100_000) -> dict[str, Any]:
    """As an executor does it: from where the runtime says."""
    raw, offset = text.encode(), 0
    while True:
        piece = raw[offset : offset + size].decode(errors="ignore")
        if 0 < len(raw) - offset - len(piece.encode()) < 65536:
            piece = raw[offset:].decode()
        answer = await put(runtime, ref, piece, offset)
        assert answer.status == 200, answer.body
        (told,) = answer.data
        if told["state"] != "pending":
            return told
        assert told["next_offset"] > offset
        offset = told["next_offset"]


async def get(runtime: Runtime, ref: dict[str, Any], claims: Claims = OWNER, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(runtime, "GET", f"/workers/w/artifacts/{ref['artifact_id']}", claims=claims, headers=named)


async def listed(runtime: Runtime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await call(runtime, "GET", "/workers/w/artifacts")).data
    return found


@pytest.fixture
async def worker(runtime: Runtime) -> Runtime:
    await insert_worker(runtime, "w")
    return runtime


async def test_what_is_announced_is_pending_until_all_of_it_has_come_and_then_is_read_whole(worker: Runtime):
    text = text_of(3 * MIB)
    ref = refers(text)
    await announce(worker, ref)
    pending = await get(worker, ref)
    assert (pending.status, pending.reason) == (404, "artifact_pending")
    (first,) = (await put(worker, ref, text[:200_000])).data
    assert first["state"] == "pending"
    detail = (await get(worker, ref)).json["error"]["details"][0]
    assert (detail["received_bytes"], detail["bytes"]) == (first["next_offset"], ref["bytes"])

    told = await put_all(worker, ref, text)

    assert told == {"artifact_id": ref["artifact_id"], "state": "stored", "next_offset": ref["bytes"]}
    answer = await get(worker, ref)
    assert (answer.status, answer.body) == (200, text.encode())
    assert answer.headers["etag"] == f'"{ref["sha256"]}"'
    assert int(answer.headers["content-length"]) == ref["bytes"]
    (known,) = await listed(worker)
    assert (known["state"], known["seq"], known["stored_bytes"]) == ("stored", 1, ref["bytes"])
    assert (known["sha256"], known["stored_sha256"]) == (ref["sha256"], ref["sha256"])
    assert (known["redacted"], known["truncated"]) == (False, False)


RANGES = [
    ("bytes=0-0", 206, 0, 1),
    ("bytes=300000-", 206, 300_000, 400_000),
    ("bytes=-5", 206, 399_995, 400_000),
    ("bytes=-999999999", 206, 0, 400_000),
    ("bytes=262140-262150", 206, 262_140, 262_151),
    ("bytes=10-99999999", 206, 10, 400_000),
    ("bytes=0-1,4-5", 200, 0, 400_000),
    ("lines=1-2", 200, 0, 400_000),
    ("bytes=9-3", 200, 0, 400_000),
    ("bytes=400000-", 416, 0, 0),
    ("bytes=-0", 416, 0, 0),
]
"""What is asked for; the status, the first byte and the end of the answer, of 400 000 bytes."""


async def test_a_range_is_what_was_asked_for(worker: Runtime):
    text = "0123456789" * 40_000
    ref = refers(text)
    await announce(worker, ref)
    await put(worker, ref, text)

    for asked, status, first, end in RANGES:
        answer = await get(worker, ref, range=asked)

        assert (answer.status, answer.body) == (status, text[first:end].encode()), asked
        said = {206: f"bytes {first}-{end - 1}/400000", 416: "bytes */400000"}.get(status)
        assert answer.headers.get("content-range") == said


async def test_an_etag_spares_a_read_and_guards_a_range(worker: Runtime):
    text = "y" * 70_000
    ref = refers(text)
    await announce(worker, ref)
    await put(worker, ref, text)
    etag = f'"{ref["sha256"]}"'

    assert (await get(worker, ref, if_none_match=etag)).status == 304
    assert (await get(worker, ref, range="bytes=0-1", if_range=etag)).status == 206
    assert (await get(worker, ref, range="bytes=0-1", if_range='"other"')).status == 200


async def test_repeating_or_skipping_a_piece_takes_nothing_and_says_where_to_go_on(worker: Runtime):
    text = text_of(400_000)
    ref = refers(text)
    await announce(worker, ref)
    (told,) = (await put(worker, ref, text[:150_000])).data
    for again in (text[:150_000], ""):
        assert (await put(worker, ref, again)).data == [told]
    assert (await put(worker, ref, text[-70_000:], 300_000)).data == [told]

    await put_all(worker, ref, text)
    assert (await put(worker, ref, text[:150_000])).data[0]["state"] == "stored"
    assert (await get(worker, ref)).body == text.encode()


async def test_a_secret_across_a_border_is_never_stored(worker: Runtime):
    plain = text_of(300_000)
    for at in (99_950, 99_990, 99_999, 100_000, 100_020):
        text = f"{plain[:at]} {KEY}\n{plain[at:]}"
        ref = refers(text)
        await announce(worker, ref, event_id=f"e{at}")

        await put_all(worker, ref, text)

        answer = await get(worker, ref)
        assert answer.body.decode() == text.replace(KEY, "[redacted]")
        assert answer.headers["x-autopilot-redacted"] == "true"
    stored = await worker.pool.fetch("select content from artifact_chunk")
    assert not any(KEY[:20].encode() in row["content"] for row in stored)


async def test_what_a_secret_key_says_in_json_is_not_stored(worker: Runtime):
    value = {"rows": ["line"] * 20_000, "password": "hunter2 hunter2", "more": ["x"] * 20_000}
    text = msgspec.json.encode(value).decode()
    ref = refers(text, ArtifactMedia.JSON, path="/params")
    await announce(worker, ref)

    await put_all(worker, ref, text, size=66_000)

    assert msgspec.json.decode((await get(worker, ref)).body) == {**value, "password": "[redacted]"}


async def test_what_is_not_what_its_event_says_is_thrown_away(worker: Runtime):
    ref = refers("a" * 70_000)
    await announce(worker, ref)

    refused = await put(worker, ref, "b" * 70_000)

    assert (refused.status, refused.reason) == (409, "different_content")
    assert await worker.pool.fetchval("select count(*) from artifact_chunk") == 0
    await put(worker, ref, "a" * 70_000)
    assert (await get(worker, ref)).body == b"a" * 70_000


async def test_only_an_executor_of_this_generation_stores(worker: Runtime):
    ref = refers("a" * 70_000)
    machine, other = Companion(worker, "m1"), Companion(worker, "m2")
    await machine.register()
    await other.register()
    first = (await machine.claim("w")).data["generation"]
    await announce(worker, ref, claims=machine.claims)

    by_owner = await put(worker, ref, "a" * 70_000)
    assert (by_owner.status, by_owner.reason) == (403, "lease")
    assert (await put(worker, ref, "a" * 70_000, claims=STRANGER)).reason == "role"
    assert (await put(worker, ref, "a" * 70_000, claims=OBSERVER)).reason == "scope"
    fenced = await put(worker, ref, "a" * 70_000, claims=other.claims, generation=first)
    assert (fenced.status, fenced.reason) == (409, "fenced")
    await machine.release("w", first)
    await other.claim("w")
    late = await put(worker, ref, "a" * 70_000, claims=machine.claims, generation=first)
    assert (late.status, late.reason) == (409, "fenced")
    assert (await get(worker, ref)).reason == "artifact_lost"


async def test_who_gave_the_lease_back_may_still_finish(worker: Runtime):
    ref = refers("a" * 70_000)
    machine = Companion(worker, "m1")
    await machine.register()
    generation = (await machine.claim("w")).data["generation"]
    await announce(worker, ref, claims=machine.claims)
    await call(worker, "POST", "/workers/w/stop", {"force": True})

    answer = await put(worker, ref, "a" * 70_000, claims=machine.claims, generation=generation)

    assert answer.data[0]["state"] == "stored"


async def test_who_may_not_read_the_worker_may_not_read_its_artifacts(worker: Runtime):
    ref = refers("a" * 70_000)
    await announce(worker, ref)
    await put(worker, ref, "a" * 70_000)

    assert (await get(worker, ref, claims=OBSERVER)).status == 200
    for path in ("/workers/w/artifacts", f"/workers/w/artifacts/{ref['artifact_id']}"):
        assert (await call(worker, "GET", path, claims=STRANGER)).reason == "role"
    assert (await get(worker, refers("other"))).reason == "no_such_artifact"
    assert (await call(worker, "GET", "/workers/w/artifacts/A")).status == 422


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sha256": "x"}, "sha256"),
    ({"artifact_id": "0" * 32}, "artifact_id"),
    ({"bytes": 0}, "bytes"),
    ({"path": ""}, "path"),
    ({"media_type": "text/html"}, "media_type"),
    ({"bytes": "many"}, ""),
]


async def test_a_reference_that_is_none_is_refused_with_its_event(worker: Runtime):
    for wrong, field in WRONG:
        answer = await announce(worker, {**refers("a" * 70_000), **wrong})

        assert answer.status == 422
        assert answer.json["error"]["details"][0]["field"] == ".".join(filter(None, ["payload.artifacts[0]", field]))
    assert await listed(worker) == []


async def test_only_an_executors_event_announces(worker: Runtime):
    payload = {"source": "autopilot-ios", "method": "m", "artifacts": [refers("a" * 70_000)]}
    event = {"event_type": "worker.event", "event_id": "e", "payload": payload}

    answer = await call(worker, "POST", "/workers/w/events", {"event": event})

    assert answer.status == 202
    assert await listed(worker) == []


NONE = {"artifact_id": "0" * 32, "offset": 0, "text": ""}
BODIES: list[tuple[dict[str, Any], int]] = [
    ({}, 400),
    ({"artifacts": []}, 422),
    ({"artifacts": [{**NONE, "artifact_id": "x"}]}, 422),
    ({"artifacts": [{**NONE, "offset": -1}]}, 422),
    ({"artifacts": [{**NONE, "text": 7}]}, 422),
    ({"artifacts": [NONE], "generation": 0}, 422),
]


async def test_a_body_that_is_wrong_is_refused(worker: Runtime):
    for body, status in BODIES:
        assert (await call(worker, "POST", "/workers/w/artifacts", body)).status == status
    answer = await call(worker, "POST", "/workers/w/artifacts", {"artifacts": [NONE]})
    assert answer.data == [{"artifact_id": "0" * 32, "state": "unknown", "next_offset": 0}]


async def test_a_piece_too_short_or_too_long_is_refused(worker: Runtime):
    ref = refers("a" * 70_000)
    await announce(worker, ref)

    for size in (100, 70_001):
        assert (await put(worker, ref, "a" * size)).status == 422


async def test_beyond_the_limits_it_is_cut_and_says_so(database: str, settings: RuntimeSettings):
    choices = RuntimeChoices(max_artifact_bytes=100_000, max_worker_artifact_bytes=150_000)
    async with await build(msgspec.structs.replace(settings, choices=choices), dsn=database) as small:
        await insert_worker(small, "w")
        for letter, kept in (("a", 100_000), ("b", 50_000), ("c", 0)):
            text = f"{letter}\n" * 100_000
            ref = refers(text)
            await announce(small, ref, event_id=letter)

            assert (await put(small, ref, text)).data[0]["state"] == "stored"

            answer = await get(small, ref)
            assert (answer.body, answer.headers["x-autopilot-truncated"]) == (text[:kept].encode(), "true")


async def test_the_same_content_is_stored_once_and_goes_with_the_last_event_that_refers_to_it(worker: Runtime):
    ref = refers("a" * 70_000)
    for event_id in ("e1", "e2"):
        await announce(worker, ref, event_id=event_id)
        await put(worker, ref, "a" * 70_000)
    await announce(worker, refers("z" * 70_000), event_id="e3")
    assert await worker.pool.fetchval("select count(*) from artifact_chunk") == 1
    retention = Retention(worker.ledger, worker.pool, worker.settings, SystemClock())

    await retention.prune_payloads("w", below_seq=2)
    assert (await get(worker, ref)).status == 200
    await retention.prune_payloads("w", below_seq=3)

    gone = await get(worker, ref)
    assert (gone.reason, gone.json["error"]["details"][0]["sha256"]) == ("artifact_pruned", ref["sha256"])
    assert await worker.pool.fetchval("select count(*) from artifact_chunk") == 0
    await announce(worker, ref, event_id="e4")
    assert (await put(worker, ref, "a" * 70_000)).data[0]["state"] == "stored"
    await retention.raise_floor("w", floor_seq=4)
    assert [one["artifact_id"] for one in await listed(worker)] == [ref["artifact_id"]]
    assert (await get(worker, ref)).status == 200


async def test_lists_go_on_where_they_ended(worker: Runtime):
    refs = [refers(letter * 70_000) for letter in "abc"]
    await announce(worker, *refs)

    first = await call(worker, "GET", "/workers/w/artifacts", query="limit=2")
    rest = await call(worker, "GET", "/workers/w/artifacts", query=f"limit=2&before={first.json['next']}")

    found = [one["artifact_id"] for one in first.data + rest.data]
    assert sorted(found) == sorted(ref["artifact_id"] for ref in refs)
    assert rest.json["next"] is None


async def test_an_artifact_that_somebody_altered_is_found(worker: Runtime):
    plain, secret = "a" * 70_000, f"{KEY} " + "b" * 70_000
    refs = [refers(plain), refers(secret)]
    await announce(worker, *refs, refers("not there yet"))
    await put(worker, refs[0], plain)
    await put(worker, refs[1], secret)
    keys = PublicKeys([SealKey(worker.settings.seal_key).public])

    async def verified() -> Report:
        async with worker.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            return await Verifier(conn, keys).verify("w")

    report = await verified()
    assert (report.findings, report.artifacts) == ([], 2)
    for changed in (
        "update artifact_chunk set content = 'other' where content like 'aaa%'",
        "update artifact set sha256 = sha256('x') where not redacted",
        "delete from artifact_chunk where content like '[redacted]%'",
    ):
        await worker.pool.execute(changed)
        (*_, found) = (await verified()).findings
        assert (found.kind, found.log_id, found.from_seq) == ("artifact", "w", 1)


async def test_what_is_not_whole_and_begins_again_has_another_etag_and_is_never_read_half_and_half(worker: Runtime):
    right = text_of(900_000)
    ref = refers(right)
    wrong = ("w\n" * 500_000)[: ref["bytes"]]
    await announce(worker, ref)
    path, options = f"/workers/w/artifacts/{ref['artifact_id']}", {"query": "incomplete=true", "claims": OWNER}
    assert (await put(worker, ref, wrong[:600_000])).data[0]["next_offset"] == 600_000
    request = RuntimeRequest(claims=OWNER, method="GET", path=path, query="incomplete=true")
    reading = await worker.call(request)
    pieces = aiter(reading.body)
    assert await anext(pieces) == wrong.encode()[:CHUNK_BYTES]

    assert (await put(worker, ref, wrong[600_000:], 600_000)).reason == "different_content"
    rest = right.encode()[:600_000].decode()
    assert (await put(worker, ref, rest)).data[0]["state"] == "pending"

    with pytest.raises(Unavailable):
        await anext(pieces)
    again = await call(worker, "GET", path, **options)
    assert again.headers["etag"].split("-")[0] == reading.headers["etag"].split("-")[0]
    assert again.headers["etag"] != reading.headers["etag"]
    assert right.encode().startswith(again.body)


async def test_one_that_is_refused_keeps_no_other_of_its_call_from_being_finished(worker: Runtime):
    texts = [letter * 70_000 for letter in "abc"]
    refs = [refers(text) for text in texts]
    await announce(worker, *refs)
    parts = [
        {"artifact_id": ref["artifact_id"], "offset": 0, "text": text} for ref, text in zip(refs, texts, strict=True)
    ]
    parts[0]["text"] = "z" * 70_000

    refused = await call(worker, "POST", "/workers/w/artifacts", {"artifacts": parts})

    assert (refused.status, refused.reason) == (409, "different_content")
    states = {one["artifact_id"]: one["state"] for one in await listed(worker)}
    assert [states[ref["artifact_id"]] for ref in refs] == ["pending", "stored", "stored"]


async def test_what_all_artifacts_of_a_worker_take_is_known_whatever_becomes_of_them(worker: Runtime):
    total = "select coalesce(sum(stored_bytes), 0)::int from artifact_total"
    refs = [refers(letter * size) for letter, size in (("a", 70_000), ("b", 80_000))]
    await announce(worker, refs[0], event_id="e1")
    await announce(worker, refs[1], event_id="e2")
    await put(worker, refs[0], "a" * 70_000)
    await put(worker, refs[1], "b" * 66_000)
    assert await worker.pool.fetchval(total) == 136_000
    assert (await put(worker, refs[1], "x" * 14_000, 66_000)).status == 409
    assert await worker.pool.fetchval(total) == 70_000
    await put(worker, refs[1], "b" * 80_000)
    retention = Retention(worker.ledger, worker.pool, worker.settings, SystemClock())
    await announce(worker, refers("z" * 70_000), event_id="e3")

    await retention.prune_payloads("w", below_seq=2)
    assert await worker.pool.fetchval(total) == 80_000
    await retention.raise_floor("w", floor_seq=3)

    assert await worker.pool.fetchval(total) == 0
    assert await worker.pool.fetchval("select count(*) from artifact_chunk") == 0
    assert await worker.pool.fetchval("select count(*) from artifact_remains") == 0


async def test_content_goes_in_bounded_steps_and_a_step_that_was_cut_off_is_made_up_for(
    worker: Runtime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifacts_store, "AT_ONCE", 2)
    text = text_of(5 * CHUNK_BYTES)
    await announce(worker, refers(text))
    await announce(worker, refers("z" * 70_000), event_id="e2")
    assert (await put(worker, refers(text), text)).data[0]["state"] == "stored"
    retention = Retention(worker.ledger, worker.pool, worker.settings, SystemClock())
    collect = artifacts_store.collect

    async def cut_off(_pool: object) -> None:
        raise ConnectionError("the process ended here")

    monkeypatch.setattr(artifacts_store, "collect", cut_off)
    with pytest.raises(ConnectionError):
        await retention.prune_payloads("w", below_seq=2)
    assert (await get(worker, refers(text))).reason == "artifact_pruned"
    assert await worker.pool.fetchval("select count(*) from artifact_chunk") >= 5
    monkeypatch.setattr(artifacts_store, "collect", collect)
    await retention.sweep()

    assert await worker.pool.fetchval("select count(*) from artifact_chunk") == 0
