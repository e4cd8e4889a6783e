"""`GET /stream` as clients reach it, through one process and through two: a principal's own, and nobody else's."""

from __future__ import annotations

import json

from tests.api.contract.world import Person, frames


async def everything(person: Person, query: str = "") -> list[tuple[str, dict]]:
    answer = await person.get(f"/stream?tail_ms=300&frames=control{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [(frame["event"], json.loads(frame["data"])) for frame in frames(answer.text)]


async def test_each_of_two_users_is_told_of_their_own_and_nothing_else(ada: Person, eve: Person) -> None:
    for person in (ada, eve):
        machine = await person.machine()
        body = {"request": {"request_id": "r", "method": "model/list", "params": {}}}
        assert (await person.post(f"/machines/{machine.worker_id}/requests?wait_ms=0", body)).status_code == 202

    ada_hears, eve_hears = [await everything(each, f"&workers={each.worker_id}") for each in (ada, eve)]

    kinds = {"open", "worker", "machine", "receipt", "caught_up", "bye"}
    for said, own in ((ada_hears, ada), (eve_hears, eve)):
        assert {event.rsplit(".", 1)[1] for event, _ in said} == kinds
        workers = [data for event, data in said if event == "codex.state.worker"]
        assert [(worker["worker_id"], worker["owner"]["user_id"]) for worker in workers] == [
            (own.worker_id, own.user_id)
        ]
    names = [{data["machine_id"] for event, data in said if "machine" in event} for said in (ada_hears, eve_hears)]
    assert [len(each) for each in names] == [1, 1]
    assert not names[0] & names[1]


async def test_another_users_worker_cannot_be_chosen(ada: Person, eve: Person) -> None:
    answer = await eve.get(f"/stream?tail_ms=1&workers={eve.worker_id},{ada.worker_id}")

    assert (answer.status_code, answer.json()["error"]["details"][0]["reason_code"]) == (403, "role")


async def test_a_stale_place_of_one_worker_comes_through_as_a_frame_with_a_cursor(ada: Person) -> None:
    answer = await ada.get(f"/stream?tail_ms=1&workers={ada.worker_id}")
    place = frames(answer.text)[0]["id"]
    beyond = f"{place.rsplit('-', 1)[0]}-9999"

    said = frames((await ada.get(f"/stream?tail_ms=1&workers={ada.worker_id}&cursor={beyond}")).text)

    assert (said[0]["event"], said[0]["id"]) == ("codex.stream.stale", place)
