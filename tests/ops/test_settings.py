"""Wrong settings are named, all of them, and secrets are not repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from autopilot.ops.settings import (
    ProcessSettings,
    Secret,
    Settings,
    SettingsRefused,
    default_home,
    load,
)


class Sample(Settings, frozen=True, kw_only=True):
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = msgspec.field(name="SAMPLE_PORT", default=8787)
    share: float = msgspec.field(name="SAMPLE_SHARE", default=0.5)
    loud: bool = msgspec.field(name="SAMPLE_LOUD", default=False)
    key: Secret = msgspec.field(name="SAMPLE_KEY")


def test_values_get_their_types_and_the_rest_their_defaults() -> None:
    sample = load(Sample, {"SAMPLE_KEY": "k", "SAMPLE_LOUD": "true", "SAMPLE_SHARE": "1", "SAMPLE_PORT": ""})

    assert (sample.port, sample.share, sample.loud, sample.key.reveal()) == (8787, 1.0, True, "k")


def test_every_wrong_setting_is_named_in_one_message() -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(Sample, {"SAMPLE_PORT": "70000", "SAMPLE_LOUD": "perhaps"})

    message = str(refused.value)
    assert [name in message for name in ("SAMPLE_PORT", "SAMPLE_LOUD", "SAMPLE_KEY: not set")] == [True] * 3
    assert "perhaps" not in message


def test_a_secret_shows_stars_wherever_it_is_printed() -> None:
    sample = load(Sample, {"SAMPLE_KEY": "hunter2"})

    assert "hunter2" not in f"{sample} {sample!r} {sample.key} {sample.key!r} {[sample.key]}"
    assert sample.key == Secret("hunter2")
    assert len({sample.key, Secret("hunter2")}) == 1


def test_the_data_folder_is_in_the_users_data_folder_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data/of/me")
    assert load(ProcessSettings, {}).home == Path("/data/of/me/autopilot")
    assert load(ProcessSettings, {"AUTOPILOT_HOME": "~/x"}).home == Path.home() / "x"

    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert default_home() == Path.home() / ".local/share/autopilot"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_home() == Path.home() / "Library/Application Support/autopilot"


def test_the_database_url_is_a_secret() -> None:
    settings = load(ProcessSettings, {"DATABASE_URL": "postgresql://me:word@host/db"})

    assert "word" not in repr(settings)
    assert settings.database_url is not None
    assert settings.database_url.reveal() == "postgresql://me:word@host/db"
