"""What screens look through, over the real API: spend, the audit and its older lines, devices and what is done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from unittest import mock

import pytest
from tests.waiting import until

from autopilot.client import MemoryTokenStore, audit_search, device_store, spend_store
from autopilot.client.audit import AuditPage
from autopilot.client.audit_search import AuditSearch, Sought
from autopilot.client.device_store import DeviceStore
from autopilot.client.spend_store import SpendStore
from autopilot.contract.errors import NetworkError

pytestmark = pytest.mark.slow


async def refuse(*_arguments, **_query):
    raise NetworkError("no network", reason_code="connection")


async def acts(client, number: int) -> None:
    """So many acts, told to the audit."""
    (here,) = await client.devices()
    for one in range(number):
        await client.rename_device(here.device_id, f"Phone {one}")

    async def are_there() -> bool:
        return len((await client.audit(action="device_renamed")).lines) == number

    await until(are_there)


async def test_the_audit_is_read_page_by_page_and_an_error_leaves_what_was_found(installation, monkeypatch):
    client = await installation.client()
    await acts(client, 4)
    monkeypatch.setattr(audit_search, "PAGE", 2)
    search = AuditSearch(client)
    await search.look()
    first = search.view
    assert (len(first.lines), first.is_known, first.next is not None) == (2, True, True)
    await search.older()
    assert [one.id for one in search.view.lines[:2]] == [one.id for one in first.lines]
    assert len({one.id for one in search.view.lines}) == len(search.view.lines) == 4
    monkeypatch.setattr(client, "audit", refuse)
    await search.older()
    assert len(search.view.lines) == 4
    assert search.view.error is not None
    assert search.view.next is not None


async def test_only_so_many_lines_are_held_and_that_is_said(installation, monkeypatch):
    client = await installation.client()
    await acts(client, 3)
    monkeypatch.setattr(audit_search, "PAGE", 2)
    monkeypatch.setattr(audit_search, "MOST_LINES", 2)
    search = AuditSearch(client)
    await search.look()
    assert (search.view.next, search.view.is_cut) == (None, True)


async def test_what_is_looked_for_last_counts_and_is_narrowed_by_the_server(installation):
    client = await installation.client()
    await acts(client, 1)
    search = AuditSearch(client)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(search.look(Sought(text="nothing of this")))
        await asyncio.sleep(0)
        assert (search.view.lines, search.view.is_asking) == ((), True)
        tasks.create_task(search.look(Sought(action="device_renamed")))
    assert {one.action for one in search.view.lines} == {"device_renamed"}
    assert search.view.sought == Sought(action="device_renamed")


async def test_pages_without_a_line_are_gone_past_a_few_times(installation, monkeypatch):
    client = await installation.client()
    await acts(client, 1)
    search = AuditSearch(client)
    line = (await client.audit()).lines[0]
    pages = [AuditPage([], "1"), AuditPage([], "2"), AuditPage([line], None)]
    monkeypatch.setattr(client, "audit", mock.AsyncMock(side_effect=pages))
    await search.look()
    assert search.view.lines == (line,)
    monkeypatch.setattr(client, "audit", mock.AsyncMock(return_value=AuditPage([], "on")))
    await search.look()
    assert (search.view.lines, search.view.next) == ((), "on")
    assert client.audit.await_count == audit_search.MOST_EMPTY_PAGES


async def test_devices_are_renamed_and_signed_out_and_the_list_follows(installation):
    store = DeviceStore(await installation.client())
    for _other in range(3):
        await installation.session(MemoryTokenStore())
    await store.look()
    (here,), others = store.here, store.others
    assert len(others) == 3
    assert await store.rename(here, "  Pocket ")
    assert store.here[0].name == "Pocket"
    assert store.view.said is not None
    assert await store.revoke(others[0])
    assert len(store.others) == 2
    assert not await store.revoke(others[0])
    assert store.view.error is not None
    assert store.view.error.status == 404
    assert await store.revoke_others()
    assert store.others == ()
    assert store.view.said.text == "2 are signed out."


async def test_one_thing_at_a_time_is_done_about_devices(installation, monkeypatch):
    client = await installation.client()
    store = DeviceStore(client)
    await store.look()
    (here,) = store.here
    gate = asyncio.Event()

    async def renamed(_device_id, name):
        await gate.wait()
        return replace(here, name=name)

    monkeypatch.setattr(client, "rename_device", renamed)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(store.rename(here, "one"))
        await asyncio.sleep(0)
        assert store.view.doing == here.device_id
        assert not await store.rename(here, "two")
        gate.set()
    assert first.result()
    assert store.view.doing is None


async def test_spend_is_asked_for_of_days_and_by_what(installation, monkeypatch):
    client = await installation.client()
    store = SpendStore(client)
    await store.look()
    spent = store.view.asked.value
    assert (spent.over_time.by, spent.report.by, spent.workers) == ("day", spend_store.DEFAULT_BY, {})
    await client.create_worker("w")
    await store.look(days=7, by="worker")
    spent = store.view.asked.value
    assert (store.view.days, spent.report.by) == (7, "worker")
    monkeypatch.setattr(client, "budgets", refuse)
    await store.look(by="user")
    assert store.view.asked.value is spent
    assert isinstance(store.view.asked.error, NetworkError)


def test_the_module_of_words_is_the_webs_too():
    from autopilot.web.pages import devices

    assert devices.words is device_store.words
