"""Hosts on one machine: network namespaces, each with its own address, host name, mounts
and shared memory, joined by a bridge of the kernel's, with links of a given speed if wanted, or by
a switch that delays what it passes on. Needs root."""

import collections
import ctypes
import fcntl
import json
import os
import select
import shlex
import stat
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

NETWORK = "10.77.3"
LINK = "link0"
MTU = 60000  # few frames: the switch is slow
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
CLONE_NEWNET = 0x40000000

# A host lives as long as this process; what it has is gone with it.
KEEPER = f"""
set -e
hostname "$1"
mount -t tmpfs tmpfs /dev/shm
mount --bind "$2" /etc/hosts
ip link set lo up
echo ready
exec sleep infinity
"""
TAP = f"ip tuntap add dev {LINK} mode tap; ip link set {LINK} mtu {MTU}"
JUMBO = 9000  # as clusters have it
BURST = "256kb"  # more than the largest packet that the kernel passes on in one piece


class HostNet:
    """The hosts named, until close(). `delay_seconds` is the time of every frame, or else `rate`
    the speed of each link in both directions, as "1gbit"."""

    def __init__(self, names, delay_seconds=0.0, rate=None):
        self.delay_seconds = delay_seconds
        self._folder = tempfile.TemporaryDirectory()
        self._keepers = {}
        self._switch = None
        try:
            self._start(names, rate)
        except BaseException:
            self.close()
            raise

    def _start(self, names, rate):
        folder = Path(self._folder.name)
        hosts = folder / "hosts"
        addresses = {name: f"{NETWORK}.{i}" for i, name in enumerate(names, 1)}
        hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in addresses.items()))
        for name, address in addresses.items():
            # The kernel ends a host even when the tests are killed.
            self._keepers[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--uts", "--mount",
                 "sh", "-c", KEEPER, "sh", name, hosts, address],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        for name, keeper in self._keepers.items():
            if keeper.stdout.readline() != "ready\n":
                raise RuntimeError(f"host {name} could not be made")
        if not self.delay_seconds:
            self._switch = Bridge([keeper.pid for keeper in self._keepers.values()], rate)
        else:
            for name in names:
                self.on(name, "sh", "-c", TAP)
        for name, address in addresses.items():
            self.on(name, "ip", "addr", "add", f"{address}/24", "dev", LINK)
            self.on(name, "ip", "link", "set", LINK, "up")
        if self.delay_seconds:
            self._switch = Switch([keeper.pid for keeper in self._keepers.values()], self)
        self.agent = folder / "agent"  # what mpirun and the launcher take for ssh
        self.limit_cores({})

    def limit_cores(self, cores):
        """From now on the hosts give what is started there these cores, by name, as 0-1."""
        entries = ""
        for name in self._keepers:
            limit = ["taskset", "-c", cores[name]] if name in cores else []
            words = shlex.join([*self.entry(name), *limit, "sh", "-c"])
            entries += f"{name}) shift; exec {words} \"$*\";;\n"
        self.agent.write_text(
            f"#!/bin/sh\ncase $1 in\n{entries}esac\necho \"no host $1\" >&2\nexit 255\n")
        self.agent.chmod(self.agent.stat().st_mode | stat.S_IXUSR)

    def entry(self, name):
        """The words that run what follows them on a host."""
        return ["nsenter", "-t", str(self._keepers[name].pid), "--net", "--uts", "--mount", "--"]

    def on(self, name, *words):
        """Runs the words on a host; they must succeed."""
        return subprocess.run([*self.entry(name), *map(str, words)], check=True, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def bytes_sent(self, name):
        """By the host over its link, headers included."""
        statistics = json.loads(self.on(name, "ip", "-json", "-stats", "link", "show", LINK).stdout)
        return statistics[0]["stats64"]["tx"]["bytes"]

    def cut(self, name):
        """Takes a host's link down."""
        self.on(name, "ip", "link", "set", LINK, "down")

    def restore(self, name):
        """Takes it up again."""
        self.on(name, "ip", "link", "set", LINK, "up")

    def close(self):
        """Ends the hosts and the switch."""
        if self._switch:
            self._switch.close()
        for keeper in self._keepers.values():
            keeper.kill()
            keeper.wait()
            keeper.stdout.close()
        self._folder.cleanup()


class Bridge:
    """A bridge of the kernel's in a namespace of its own, with a link to each host."""

    def __init__(self, processes, rate):
        self._keeper = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c",
             "ip link add name bridge0 type bridge; ip link set bridge0 up; echo ready; "
             "exec sleep infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self._keeper.stdout.readline()
        for number, process in enumerate(processes):
            port = f"port{number}"
            self._on(self._keeper.pid, f"ip link add {port} mtu {JUMBO} type veth "
                     f"peer name {LINK} mtu {JUMBO} netns {process}")
            self._on(self._keeper.pid, f"ip link set {port} master bridge0 up")
            ends = ((self._keeper.pid, port), (process, LINK)) if rate else ()
            for end, device in ends:
                self._on(end, f"tc qdisc add dev {device} root tbf rate {rate} burst {BURST} "
                              "latency 50ms")

    @staticmethod
    def _on(process, words):
        subprocess.run(["nsenter", "-t", str(process), "--net", "--", *words.split()], check=True,
                       stdin=subprocess.DEVNULL)

    def close(self):
        self._keeper.kill()
        self._keeper.wait()
        self._keeper.stdout.close()


class Switch:
    """Passes every frame of a host on to all others."""

    def __init__(self, processes, net):
        self._net = net
        self._links = [_open_link(process) for process in processes]
        self._closing, self._close_here = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        waiting = collections.deque()  # (when due, from, frame)
        while True:
            timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([*self._links, self._closing], [], [], timeout)
            if self._closing in ready:
                return
            for link in ready:
                frame = _attempt(os.read, link, MTU + 100)
                if frame:
                    waiting.append((time.monotonic() + self._net.delay_seconds, link, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, source, frame = waiting.popleft()
                for link in self._links:
                    if link != source:
                        _attempt(os.write, link, frame)

    def close(self):
        os.write(self._close_here, b"x")
        self._thread.join()
        for descriptor in (*self._links, self._closing, self._close_here):
            os.close(descriptor)


def _attempt(function, *arguments):
    """The function's result; None for a link that is down."""
    try:
        return function(*arguments)
    except OSError:
        return None


def _open_link(process):
    """The other end of the link of a host."""
    opened = []

    def enter_and_open():  # the namespace is the thread's own
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{process}/ns/net", "rb") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                opened.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            link = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(link, TUNSETIFF, struct.pack("16sH", LINK.encode(), IFF_TAP | IFF_NO_PI))
            opened.append(link)
        except OSError as error:
            opened.append(error)

    thread = threading.Thread(target=enter_and_open)
    thread.start()
    thread.join()
    if isinstance(opened[0], OSError):
        raise opened[0]
    return opened[0]
