"""What the database rooms refuse, each with one sentence that a person can act on.

AutopilotError
└── DatabaseRefused
    ├── ClusterRefused      the embedded server can't be used: owner, version, binaries, user
    ├── ClusterFailed       the embedded server was tried and did not come up
    ├── AddressRefused      DATABASE_URL is no address of a Postgres
    ├── DatabaseAway        a server doesn't answer, or can't at the moment
    ├── DatabaseUnfit       a server was reached, but we must not or can't work in it
    ├── MigrationRefused    the applied migrations and ours don't agree
    └── BackupRefused       a backup that can't be taken, read or restored
"""

from __future__ import annotations

from autopilot.contract.errors import AutopilotError


class DatabaseRefused(AutopilotError):
    """Nothing was changed, or what was begun is safe to try again."""

    code = "database_refused"


class ClusterRefused(DatabaseRefused):
    """The embedded server can't be used as things are."""


class ClusterFailed(DatabaseRefused):
    """The embedded server did not come up; the message ends with what it said last."""


class AddressRefused(DatabaseRefused):
    """DATABASE_URL is no address of a Postgres; it is not repeated, a password may be in it."""


class DatabaseAway(DatabaseRefused):
    """Nobody answers there, or not at the moment; trying again is safe."""

    code = "database_away"


class DatabaseUnfit(DatabaseRefused):
    """The server is too old, of another encoding, read-only, doesn't let us in, or grants us too little."""


class MigrationRefused(DatabaseRefused):
    """The database is newer than this program, or an applied migration was edited."""


class BackupRefused(DatabaseRefused):
    """Not a backup, a damaged one, or not a place to restore it to."""

    code = "backup_refused"
