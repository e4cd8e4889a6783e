"""The iPhone app: thin views over `autopilot.client`, to administer and observe Codex, with no authority of their own.

Rooms, each importing those after it: `app` (composition), `screens`, `timeline`, `shell` (navigation), `screen` (what
every screen is), `look` (colours and blocks), `device` (what the phone gives an app). Structure and reasons:
ios/docs/ios-codex-first-structure.md.
"""
