"""`autopilot keys`: a key is replaced step by step, each of which leaves an installation that works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from autopilot.cli.exits import CommandFailed
from autopilot.cli.home import Home
from autopilot.cli.key_rotation import MOST_PREVIOUS, PURPOSES, SETTLE_SECONDS, KeyFiles
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.main import run
from autopilot.ops.settings import Secret, SettingsRefused
from autopilot.testing.clock import FakeClock

RINGS = ["digest", "delivery", "internal", "code"]
FILE_EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir"}
KILLS = 40
"""More than a rotation has operations on files."""


class NoWait(FakeClock):
    """A clock that lets nobody wait."""

    async def sleep(self, seconds: float) -> None:
        assert seconds == SETTLE_SECONDS


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One that has started once."""
    home = Home(tmp_path / "home").make()
    keys = keys_of(home)
    _ = keys.runtime, keys.signing, keys.codes, keys.vapid
    return home


def keys_of(home: Home, **given: Secret) -> Keys:
    return Keys(KeySettings(home=home.path, **given), home)


def files(home: Home, purpose: str, **given: Secret) -> KeyFiles:
    return KeyFiles(home.secrets, purpose, KeySettings(home=home.path, **given))


def ring(home: Home, purpose: str) -> tuple[bytes, ...]:
    keys = keys_of(home)
    rings = {
        "digest": keys.digest,
        "delivery": keys.delivery,
        "internal": tuple(key.secret for key in keys.signing),
        "code": keys.codes,
    }
    return rings[purpose]


@pytest.mark.parametrize("purpose", RINGS)
async def test_a_new_key_is_accepted_before_it_makes_anything_and_the_old_one_after_it(home, purpose):
    (old,) = ring(home, purpose)
    clock = FakeClock()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(files(home, purpose).rotate(clock))
        await clock.until_sleeping()
        during = ring(home, purpose)
        await clock.advance(SETTLE_SECONDS)
    after = ring(home, purpose)

    assert during[0] == old
    assert len(during) == 2
    assert after == (during[1], old)


@pytest.mark.parametrize("purpose", RINGS)
async def test_what_is_forgotten_is_accepted_no_longer_and_until_then_all_of_before_are(home, purpose):
    (first,) = ring(home, purpose)
    for _ in range(2):
        await files(home, purpose).rotate(NoWait())

    assert len(ring(home, purpose)) == 3
    assert ring(home, purpose)[2] == first
    assert files(home, purpose).forget() == 2
    assert len(ring(home, purpose)) == 1
    assert files(home, purpose).forget() == 0


async def test_a_replaced_seal_key_leaves_its_public_half_alone(home):
    old = keys_of(home).seal

    await files(home, "seal").rotate(NoWait())

    assert keys_of(home).seal != old
    assert len(list(home.secrets.glob("seal-*.pub"))) == 2
    assert all(old.hex() not in path.read_text() for path in home.secrets.iterdir())


@pytest.mark.parametrize("purpose", list(PURPOSES))
async def test_a_key_is_private_at_every_step(home, purpose):
    await files(home, purpose).rotate(NoWait())

    assert {stat.S_IMODE(path.stat().st_mode) for path in home.secrets.iterdir()} == {0o600}
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o700


@pytest.mark.parametrize("purpose", list(PURPOSES))
async def test_killed_at_any_operation_on_a_file_it_leaves_what_works_and_goes_on_when_run_again(home, purpose):
    finished = False
    for number in range(1, KILLS):
        before = set(ring(home, purpose)) if purpose in RINGS else {keys_of(home).seal}
        finished = await asyncio.to_thread(rotated_until, home, purpose, number)
        keys = keys_of(home)
        if purpose in RINGS:
            assert before <= set(ring(home, purpose))
        else:
            assert keys.seal
            assert [path for path in home.secrets.glob("seal-*.pub") if path.stat().st_size != 64] == []
            _ = keys.seal_public
        if finished:
            break
        files(home, purpose).forget()

    assert finished
    assert not files(home, purpose).coming.exists()


def rotated_until(home: Home, purpose: str, number: int) -> bool:
    """Rotate in another process, which kills itself at an operation on a file; whether it came to its end."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, _arguments: object) -> None:
            nonlocal left
            if event in FILE_EVENTS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            asyncio.new_event_loop().run_until_complete(files(home, purpose).rotate(NoWait()))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


async def test_a_key_of_the_environment_is_not_replaced_here(home):
    with pytest.raises(CommandFailed, match="comes from AUTOPILOT_DIGEST_KEY"):
        await files(home, "digest", digest_key=Secret("ab" * 32)).rotate(NoWait())

    assert not files(home, "digest").coming.exists()


async def test_a_key_that_no_start_has_made_is_not_replaced(tmp_path):
    home = Home(tmp_path).make()

    with pytest.raises(CommandFailed, match="made at the first start"):
        await files(home, "digest").rotate(NoWait())


async def test_two_rotations_at_once_are_one(home):
    clock = FakeClock()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(files(home, "digest").rotate(clock))
        await clock.until_sleeping()
        with pytest.raises(CommandFailed, match="being replaced already"):
            await files(home, "digest").rotate(clock)
        await clock.advance(SETTLE_SECONDS)

    assert len(ring(home, "digest")) == 2


async def test_too_many_of_before_are_not_heaped_up(home):
    for _ in range(MOST_PREVIOUS):
        await files(home, "digest").rotate(NoWait())

    with pytest.raises(CommandFailed, match="forget them first"):
        await files(home, "digest").rotate(NoWait())


async def test_the_last_of_many_that_was_cut_off_is_finished_by_the_same_command(home):
    for _ in range(MOST_PREVIOUS - 1):
        await files(home, "digest").rotate(NoWait())
    before = files(home, "digest").current.read_text()

    class CutOff(NoWait):
        async def sleep(self, _seconds: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await files(home, "digest").rotate(CutOff())
    full = files(home, "digest")
    full._keep_current()  # as far as it got, when the next key was not yet in place
    await files(home, "digest").rotate(NoWait())

    assert files(home, "digest").current.read_text() != before
    with pytest.raises(CommandFailed, match="forget them first"):
        await files(home, "digest").rotate(NoWait())


async def test_files_that_others_may_read_are_refused(home):
    files(home, "digest").current.chmod(0o640)

    with pytest.raises(SettingsRefused, match="can be read by others"):
        await files(home, "digest").rotate(NoWait())


def test_the_list_says_everything_but_the_keys(home, monkeypatch, capsys):
    monkeypatch.setenv("AUTOPILOT_HOME", str(home.path))
    monkeypatch.setenv("AUTOPILOT_CODE_KEY", "cd" * 32)

    assert run(["keys", "list"]) == 0
    table = capsys.readouterr().out
    assert run(["keys", "list", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)

    assert [line["name"] for line in lines] == list(PURPOSES)
    assert [line["source"] for line in lines] == ["file", "file", "file", "AUTOPILOT_CODE_KEY", "file", "file"]
    assert all(line["name"] in table for line in lines)
    secrets = ["cd" * 32, *(path.read_text() for path in home.secrets.glob("*.key"))]
    assert [secret for secret in secrets if secret in table or secret in json.dumps(lines)] == []


def test_a_rotation_prints_the_keys_new_name_alone(home, monkeypatch, capsys):
    monkeypatch.setenv("AUTOPILOT_HOME", str(home.path))

    assert run(["keys", "rotate", "seal", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["name"] == "seal"
    assert keys_of(home).seal.hex() not in json.dumps(said)
    assert run(["keys", "forget", "delivery"]) == 0
    assert "Forgotten: 0." in capsys.readouterr().out


def test_where_there_is_no_installation_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path / "nothing"))

    assert run(["keys", "list"]) == 6
    assert "There is no installation" in capsys.readouterr().err


def test_a_new_key_of_notifications_is_one_and_says_that_devices_must_subscribe_anew(home, monkeypatch, capsys):
    monkeypatch.setenv("AUTOPILOT_HOME", str(home.path))
    before = keys_of(home).vapid

    assert run(["keys", "rotate", "vapid"]) == 0

    after = keys_of(home).vapid
    assert after.public != before.public
    assert "subscribe each one anew" in capsys.readouterr().out
    assert stat.S_IMODE((home.secrets / "vapid.key").stat().st_mode) == 0o600
    assert not (home.secrets / "vapid.previous.key").exists()


def test_what_is_no_key_of_notifications_is_refused_without_saying_it(home):
    for wrong in ("00" * 32, "ab", "no hexadecimal"):
        with pytest.raises(SettingsRefused, match="no number of P-256") as refused:
            _ = keys_of(home, vapid_key=Secret(wrong)).vapid
        assert wrong not in str(refused.value)
