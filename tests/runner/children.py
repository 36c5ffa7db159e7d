# SPDX-License-Identifier: GPL-2.0-only
"""Programs that the runner starts: each in a session of its own, and gone when the runner is."""
import atexit
import contextlib
import os
import signal
import subprocess

ALIVE = set()


def start(command, **kw):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **kw)
    ALIVE.add(process.pid)
    return process


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)


def wait(process):
    """(status, CPU seconds of it and of all that it waited for)."""
    _, status, usage = os.wait4(process.pid, 0)
    ALIVE.discard(process.pid)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


@atexit.register
def kill_all():
    for pid in list(ALIVE):
        kill(pid)
