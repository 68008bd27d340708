"""Which peers of a process no longer answer it, by what the kernel knows of its connections."""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

# The kernel repeats what is not answered after 0.2 s or more, then after twice the time, and
# so on: a peer has been silent for 12 s or more.
REPEATED = 6


def silent_peers(process: int) -> set[str]:
    """Addresses of those that have not answered the last repetitions of what a process sent to
    them. Nothing where it cannot be seen."""
    own = _sockets_of(process)
    return {address for file in ("tcp", "tcp6")
            for address, repeated, number in _connections(Path(f"/proc/{process}/net/{file}"))
            if repeated >= REPEATED and number in own}


def names_of(addresses: set[str], hosts: list[str]) -> list[str]:
    """Those of the hosts that have such an address; the addresses themselves of others."""
    names = {}
    for host in hosts:
        try:
            found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
        except OSError:
            continue
        names |= {str(entry[4][0]): host for entry in found}
    return sorted({names.get(address, address) for address in addresses})


def _sockets_of(process: int) -> set[str]:
    sockets = set()
    try:
        for entry in os.scandir(f"/proc/{process}/fd"):
            if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry.path)):
                sockets.add(found[1])
    except OSError:
        pass  # it has ended, or closed the file meanwhile
    return sockets


def _connections(table: Path) -> Iterator[tuple[str, int, str]]:
    """Remote address, repetitions without an answer, and number of each socket (proc(5))."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        address = fields[2].split(":")[0]
        # Words of 32 bits, each as this machine's number.
        packed = b"".join(struct.pack("=I", int(address[i : i + 8], 16))
                          for i in range(0, len(address), 8))
        if packed.startswith(b"\0" * 10 + b"\xff\xff"):  # IPv4 in IPv6
            packed = packed[12:]
        family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
        yield socket.inet_ntop(family, packed), int(fields[6], 16), fields[9]
