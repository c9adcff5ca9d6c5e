"""Entry point of the command ``skeletonagent``.

Imports little at its top, so that help and version are quick and Ctrl-C is handled early.
"""

from __future__ import annotations

import contextlib
import errno
import sys
from signal import SIGINT

from skeletonagent.cli.interrupts import INTERRUPTED, InterruptGuard

TERMINATED = 143
"""Status after SIGTERM, as shells report it, and after any other signal of a scheduler."""

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_RESUME_HINTS = {
    "train": "continue with the same command and --resume",
    "ablate": "continue with the same command",
    "curve": "continue with the same command",
}
"""How to continue a command that was stopped, for those that can."""


def run() -> None:
    """Run the command line of this process and exit: 0 done, 1 failed, 2 usage, 130, 143."""
    guard = InterruptGuard()
    guard.install()
    try:
        status = execute()
    except BaseException:
        if not guard.interrupted:
            raise
        status = INTERRUPTED
    guard.end()
    sys.exit(status)


def execute() -> int:
    """Run the command that ``sys.argv`` names, and return its exit status.

    Raises:
        Exception: A mistake of the program, and with ``--debug`` any error.
    """
    # Imported here: a Ctrl-C meanwhile is handled by run.
    from skeletonagent.cli.app import app
    from skeletonagent.core.errors import ConfigError, SkeletonAgentError, TrainingInterrupted
    from skeletonagent.core.missing_packages import explained

    try:
        app()
    except SystemExit as exit_:
        if exit_.code == INTERRUPTED:
            _print_error(_with_hint("interrupted"))
        return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except KeyboardInterrupt:
        _print_error(_with_hint("interrupted"))
        return INTERRUPTED
    except TrainingInterrupted as stopped:
        _print_error(_with_hint(str(stopped)))
        return INTERRUPTED if stopped.signal == SIGINT else TERMINATED
    except ModuleNotFoundError as error:
        said = explained(error)
        if said is error or "--debug" in sys.argv:
            raise
        _print_error(f"error: {said}")
        return 2
    except (SkeletonAgentError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        advice = ""
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            advice = f"; free some space, then {_resume_hint() or 'repeat the command'}"
        _print_error(f"error: {error}{advice}")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


def _print_error(line: str) -> None:
    from skeletonagent.cli.console import error_console

    with contextlib.suppress(OSError):  # the terminal is gone
        error_console.print(line, style="red", markup=False, soft_wrap=True)


def _with_hint(line: str) -> str:
    """Return a line with how to continue the command, where it can be continued."""
    return "; ".join(filter(None, [line, _resume_hint()]))


def _resume_hint() -> str:
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    return _RESUME_HINTS.get(command, "")
