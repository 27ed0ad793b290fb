"""Become another program that ends when its parent does, as another user if asked.

    python tied.py SIGNAL USER PARENT COMMAND...

Run as a program of its own, not as a `preexec_fn`: that is unsafe, and warned
about, in a process with threads. USER is `-` for the same user. Where the
system has no parent-death signal (only Linux has), the program just runs.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(death_signal: str, user: str, parent: str, *command: str) -> None:
    # a shell's `&` ignores ^C and Python ignores SIGPIPE: a program of a user's starts with neither
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if user != "-":
        become(user)
    if sys.platform == "linux":
        # after setuid, which clears it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.Signals[death_signal]))
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
