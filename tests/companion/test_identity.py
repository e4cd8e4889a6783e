from __future__ import annotations

import re
import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autopilot.companion import identity

WORKER_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")


def test_a_worker_s_id_is_the_prefix_and_the_thread_s_id() -> None:
    assert identity.worker_id("desktopw", "0199-abc") == "desktopw:0199-abc"


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_id_fits_and_two_threads_never_share_one(one: str, other: str) -> None:
    first, second = identity.worker_id("desktopw", one), identity.worker_id("desktopw", other)

    assert WORKER_ID.fullmatch(first)
    assert (first == second) == (one == other)


def test_an_id_that_was_cut_or_altered_ends_with_a_digest_of_the_whole() -> None:
    cut = identity.worker_id("desktopw", "x" * 200)
    altered = identity.worker_id("desktopw", "a b")

    assert len(cut) == 160
    assert re.fullmatch(r"desktopw:a-b~[0-9a-f]{12}", altered)


def test_a_long_label_is_cut_and_stays_distinct() -> None:
    assert identity.ref("desktop:///short") == "desktop:///short"
    assert len(identity.ref("x" * 300)) == 255
    assert identity.ref("x" * 300) != identity.ref("x" * 301)


def test_a_machine_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first = identity.load_or_create(tmp_path)
    again = identity.load_or_create(tmp_path)
    file = tmp_path / "companion" / "machine.json"

    assert first == again
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["machine.json"]
