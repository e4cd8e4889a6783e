"""Where Flet begins."""

from __future__ import annotations

import flet as ft

from autopilot_ios.app import main

ft.run(main)
