"""Where Flet begins."""

from __future__ import annotations

from autopilot_ios import memory

memory.begin()

import flet as ft  # noqa: E402 - loaded after the above

from autopilot_ios.app import main  # noqa: E402 - as above

ft.run(main)
