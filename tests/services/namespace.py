"""A network namespace: a host of its own on this machine, whose cable can be pulled."""

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from services.required import Missing

_numbers = itertools.count(1)


class Namespace:
    """A host with one cable to this machine, which it knows as `gateway`.

    A pulled cable drops every packet, in both directions, and tells nobody.
    """

    def __init__(self, name: str, net: str) -> None:
        self.name = name
        self.gateway = f"{net}.1"
        self._address = f"{net}.2"
        self._here, self._there = f"{name}a", f"{name}b"

    def create(self) -> None:
        """Make it. Raises Missing where that is not allowed."""
        for command in (
            f"netns add {self.name}",
            f"link add {self._here} type veth peer name {self._there} netns {self.name}",
            f"addr add {self.gateway}/30 dev {self._here}",
            f"link set {self._here} up",
            f"-n {self.name} addr add {self._address}/30 dev {self._there}",
            f"-n {self.name} link set {self._there} up",
            f"-n {self.name} link set lo up",
        ):
            self._ip(command)

    def remove(self) -> None:
        for command in (f"netns del {self.name}", f"link del {self._here}"):
            subprocess.run(["ip", *command.split()], capture_output=True, check=False)

    def inside(self) -> list[str]:
        """Return what stands before a command that is to run there."""
        return ["ip", "netns", "exec", self.name]

    def pull(self) -> None:
        """Cut it off from this machine."""
        self._ip(f"-n {self.name} link set {self._there} down")

    def plug(self) -> None:
        """Join it again."""
        self._ip(f"-n {self.name} link set {self._there} up")

    def _ip(self, command: str) -> None:
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Missing(f"`ip {command}`: {done.stderr.strip()}")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Yield a new namespace, which is removed afterwards; raise Missing without rights or `ip`."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        raise Missing("it takes root, and `ip` of iproute2")
    number = next(_numbers)
    # an address of its own for each test process: 10.200.0.0/16 in pieces of four
    piece = (os.getpid() * 8 + number) % 16_384
    made = Namespace(f"tc{os.getpid() % 100_000}x{number}", f"10.{200 + piece // 8_192}.{piece // 64 % 128}")
    try:
        made.create()
        yield made
    finally:
        made.remove()
