"""The `autopilot` command: its table of commands, and how each ends.

Owns nothing but the table: commands are imported when they are asked for, so that `autopilot watch` doesn't pay for
the server's imports. Errors become a sentence on standard error and an exit code (docs/cli.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import itertools
import logging
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group

from autopilot import __version__
from autopilot.cli.exits import CommandFailed, Exit, exit_code_of
from autopilot.cli.terminal import Terminal, UnbrokenConsole
from autopilot.contract.errors import AutopilotError
from autopilot.ops import core_dumps

SESSIONS = Group("Sessions", sort_key=1)
INSTALLATION = Group("This installation", sort_key=2)
PROCESSES = Group("Single processes (what `up` starts)", sort_key=3)

COMMANDS: dict[Group, dict[str, tuple[str, str]]] = {
    SESSIONS: {
        "workers": ("workers:workers", "List your workers."),
        "show": ("workers:show", "Show everything known about one."),
        "machines": ("machines:machines", "List your machines."),
        "watch": ("watch:watch", "Follow one live."),
        "artifacts": ("artifacts:artifacts", "List what was too large for its events."),
        "artifact": ("artifacts:artifact", "Print one of them."),
        "send": ("ask:send", "Say something to Codex."),
        "request": ("ask:request", "Send any request, and print its answer."),
        "approvals": ("approvals:approvals", "List what Codex asks you, or follow it."),
        "approve": ("approvals:approve", "Say yes."),
        "deny": ("approvals:deny", "Say no."),
        "answer": ("approvals:answer", "Answer Codex's questions, or fill in a form."),
        "interrupt": ("ask:interrupt", "Interrupt the turn that runs."),
        "stop": ("ask:stop", "Stop a worker."),
        "stop-all": ("stop_all:stop_all", "Stop everything."),
        "handshake": ("shake:handshake", "Prove that the companion is reached."),
        "trace": ("trace:trace", "Print every hop of a request."),
        "budgets": ("budgets:budgets", "Show the budgets that bind you, and what is left of each."),
        "spend": ("spend:spend", "Show the tokens that were used, and what they cost."),
    },
    INSTALLATION: {
        "up": ("up:up", "Run everything in the foreground."),
        "doctor": ("doctor:doctor", "Check what commonly goes wrong."),
        "token": ("token:token", "Print a token for scripts."),
        "login": ("login:login", "Sign in to a server elsewhere."),
        "logout": ("login:logout", "End that session."),
        "step-up": ("step_up:step_up", "Prove again who you are."),
        "pair": ("pair:pair", "Let a phone, another computer or a machine in."),
        "machine enroll": ("enroll:enroll", "Have this machine let in elsewhere."),
        "machine share": ("machine_sharing:share", "Put one of yours into a team."),
        "machine unshare": ("machine_sharing:unshare", "Take it out again."),
        "devices list": ("devices:devices", "List the devices that are signed in for you."),
        "devices rename": ("devices:rename", "Call one of them something else."),
        "devices confirm": ("devices:confirm", "Say that one that came in by mail is yours."),
        "devices revoke": ("devices:revoke", "Sign one out, or all others."),
        "passkeys list": ("passkeys:passkeys", "List your passkeys."),
        "passkeys rename": ("passkeys:rename", "Call one of them something else."),
        "passkeys remove": ("passkeys:remove", "Have one sign nobody in any more."),
        "push list": ("push:listed", "List the devices that get notifications."),
        "push test": ("push:attempt", "Send a test notification."),
        "push remove": ("push:remove", "Send a device none any more."),
        "push settings": ("push:settings", "Show what you are told, or change it."),
        "teams list": ("teams:teams", "List the teams you are in."),
        "teams show": ("teams:show", "Show who is in one."),
        "teams create": ("teams:create", "Make one."),
        "teams invite": ("teams:invite", "Mail somebody an invitation."),
        "teams withdraw": ("teams:withdraw", "Take an invitation back."),
        "teams accept": ("teams:accept", "Join one."),
        "teams role": ("teams:role", "Give a member another role."),
        "teams remove": ("teams:remove", "End a membership."),
        "teams leave": ("teams:leave", "Leave one."),
        "teams delete": ("teams:delete", "End one."),
        "account delete": ("account:delete", "End your account, for good."),
        "admins list": ("admins:admins", "Show who manages the installation."),
        "admins grant": ("admins:grant", "Let somebody manage it."),
        "admins revoke": ("admins:revoke", "Let them no longer."),
        "admins owner": ("admins:owner", "Hand it over, or rename its owner."),
        "admins code": ("admins:code", "Print a code to sign in with as its owner."),
        "guests list": ("guests:guests", "List whom you show something."),
        "guests invite": ("guests:invite", "Show workers to somebody without an account."),
        "guests revoke": ("guests:revoke", "End that."),
        "guests enter": ("guests:enter", "Come in by a guest's link."),
        "backup": ("backup:backup", "Write all data to a file."),
        "restore": ("backup:restore", "Put it back."),
        "audit list": ("audit_list:audited", "Show who did what."),
        "audit verify": ("audit:verify", "Prove that no log was altered."),
        "audit heads": ("audit_heads:heads", "Show the heads of the chain of seals that this machine keeps."),
        "audit accept": ("audit_heads:accept", "Say that a kept head is lost by right."),
        "audit export": ("audit:export", "Print what happened as JSON Lines."),
        "keys list": ("keys_commands:keys", "List the keys of this installation."),
        "keys rotate": ("keys_commands:rotate", "Replace one while everything runs."),
        "keys forget": ("keys_commands:forget", "Accept its predecessors no longer."),
        "policy show": ("policy:show", "Show what may be asked for."),
        "policy set": ("policy:put", "Put a document in force."),
        "policy test": ("policy:attempt", "Ask whether a request would be let through."),
        "prices show": ("prices:show", "Show what tokens cost."),
        "prices set": ("prices:put", "Put a price table in force."),
        "rebuild spend": ("rebuild:spend", "Count what was used anew, from the logs."),
        "policy test-approval": ("policy_trials:attempt", "Ask what would decide a question of Codex."),
        "policy history": ("policy_history:history", "Show who changed a document, when, on which device."),
        "version": ("version:version", "Print the version."),
    },
    PROCESSES: {
        "serve": ("serving.both:serve", "API and runtime."),
        "api": ("serving.api:api", "The API alone."),
        "runtime": ("serving.runtime:runtime", "The runtime alone."),
        "companion": ("serving.companion:companion", "The companion and Codex."),
        "demo-model": ("serving.model:demo_model", "The demo's scripted model."),
    },
}
"""Group -> command -> where it is, and what the list of commands says of it."""
FAMILIES = {
    "account": "End your account.",
    "admins": "Say who manages this installation, at its machine.",
    "audit": "Prove that no log was altered; see what happened.",
    "machine": "Have this machine work for a server elsewhere; share one with a team.",
    "devices": "See what is signed in for you, and sign it out.",
    "keys": "See the keys of this installation, and replace them.",
    "policy": "Say what may be asked for at all.",
    "prices": "Say what tokens cost.",
    "passkeys": "See what may sign in for you with a touch or a look.",
    "push": "Say what your devices are told.",
    "guests": "Show workers to people without an account.",
    "teams": "Say who is in a team, and in which role.",
    "rebuild": "Make anew what follows from the logs.",
}
"""First word of commands of two -> what the list says of them."""


def make_app() -> App:
    """The command line, nothing imported yet."""
    app = App(
        name="autopilot",
        help="See and steer Codex sessions through a ledger of your own.",
        version=__version__,
        result_action="return_value",
        console=UnbrokenConsole(),
        error_console=UnbrokenConsole(stderr=True),
        suppress_keyboard_interrupt=False,
    )
    for group, commands in COMMANDS.items():
        for name, (target, purpose) in commands.items():
            *family, own_name = name.split()
            parent = _family(app, group, *family) if family else app
            parent.command(f"autopilot.cli.{target}", name=own_name, group=None if family else group, help=purpose)
    return app


def _family(app: App, group: Group, name: str) -> App:
    """The command that others stand under: `audit` of `audit verify`."""
    if name not in app:
        app.command(App(name=name, help=FAMILIES[name], group=group))
    return app[name]


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in itertools.takewhile(lambda argument: argument != "--", arguments)
    try:
        code = make_app()([_text(one) for one in arguments], exit_on_error=False, print_error=not as_json)
    except CycloptsError as error:  # for a person it printed what is wrong
        return _refused(CommandFailed(str(error), Exit.USAGE), as_json=True) if as_json else Exit.USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing to say at exit either
        return Exit.OK
    except (AutopilotError, ExceptionGroup, OSError) as error:
        ours = _ours(error)
        if ours is None:
            raise
        return _refused(ours, as_json=as_json)
    return code if isinstance(code, int) else Exit.OK


def _text(argument: str) -> str:
    """An argument as the text that it is, whatever the locale took its bytes for.

    Raises:
        CommandFailed: it is none.
    """
    if argument.isascii() or not any("\udc80" <= character <= "\udcff" for character in argument):
        return argument
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError:
        raise CommandFailed(f"{argument!r} is no text in UTF-8.", Exit.USAGE) from None


def _refused(error: AutopilotError, *, as_json: bool) -> int:
    code = exit_code_of(error)
    Terminal(as_json=as_json).problem(error, code.word)
    return code


def _ours(error: AutopilotError | ExceptionGroup | OSError) -> AutopilotError | None:
    """What `error` says to a person; None where it is a defect."""
    if isinstance(error, AutopilotError):
        return error
    if isinstance(error, OSError):  # with a name it is a file or folder that the person chose
        if error.errno in {errno.ENOSPC, errno.EDQUOT} and not error.filename:
            return CommandFailed(f"{error.strerror}: make room, and try again.", reason_code="disk_full")
        return CommandFailed(f"{error.filename}: {error.strerror}", reason_code="file") if error.filename else None
    return first_of_ours(error)


def first_of_ours(group: BaseExceptionGroup) -> AutopilotError | None:
    """The first error with a sentence for a person; None where something else went wrong as well."""
    known, unknown = group.split(AutopilotError)
    if known is None or unknown is not None:
        return None
    found: BaseException = known
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, AutopilotError)
    return found


def _open_what_is_closed() -> None:
    """Standard streams that whoever started the program had closed: nothing is read there, and nobody reads."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  open for as long as the program
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  the same
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  the same


def main() -> None:
    """The entry point. Ends without the interpreter's own clearing up: it takes longer than all of a clean stop."""
    core_dumps.leave_none()
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no such letters shows others
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")
    logging.getLogger("autopilot.client").addHandler(logging.NullHandler())  # what failed is told in a sentence
    code = run(sys.argv[1:])
    logging.shutdown()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
