"""What a machine has for a job. The launcher also sends this file to other hosts, where it
needs nothing but Python 3.6: `python3 - REQUEST`, base64 of the JSON that look() takes."""

import base64
import fcntl
import glob
import hashlib
import ipaddress
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional, Set, Tuple

SIOCGIFADDR = 0x8915
SIOCGIFNETMASK = 0x891B
MOST_CPUS = 8192
MANY_CPUS = 1 << 20
NO_LIMIT = 1 << 60  # bytes of memory


def available_cores() -> int:
    """CPUs that this process may run on, no more than its control group allows."""
    return max(1, min(len(os.sched_getaffinity(0)), quota()))


def cores_of_group() -> Set[int]:
    """The CPUs of the control group, of which this process may be told to use a part."""
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(MOST_CPUS))  # the kernel leaves those that are allowed
        return os.sched_getaffinity(0)
    except OSError:
        return mine
    finally:
        os.sched_setaffinity(0, mine)


def physical_cores() -> int:
    """The physical cores behind them."""
    siblings = {_first_sibling(cpu) for cpu in os.sched_getaffinity(0)}
    return min(available_cores(), len(siblings))


def _first_sibling(cpu: int) -> str:
    path = "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu
    try:
        with open(path) as file:
            return re.split(r"[,-]", file.read().strip())[0]
    except OSError:
        return str(cpu)


def group_folders(controller: str, root: str) -> List[str]:
    """Of this process's control group and those above it; `controller`: of version 1, or empty
    for version 2."""
    path = ""
    try:
        with open("/proc/self/cgroup") as file:
            for line in file:
                _, names, where = line.rstrip("\n").split(":", 2)
                if (controller in names.split(",")) if controller else names == "":
                    path = where.strip("/")
    except (OSError, ValueError):
        pass
    parts = path.split("/") if path else []
    return [os.path.join(root, controller, *parts[:count]) for count in range(len(parts), -1, -1)]


def _numbers(folder: str, names: List[str]) -> List[int]:
    """The words of files of a control group; none where one has another word, as max."""
    words = []  # type: List[str]
    try:
        for name in names:
            with open(os.path.join(folder, name)) as file:
                words += file.read().split()
        return [int(word) for word in words]
    except (OSError, ValueError):
        return []


def _limits(root: str, second: List[str], first: Tuple[str, List[str]]) -> List[List[int]]:
    """The numbers in those files, of each group that has them, of version 2 or else 1."""
    folders = [folder for folder in group_folders("", root)
               if os.path.exists(os.path.join(folder, second[0]))]
    if folders:
        return [found for found in (_numbers(folder, second) for folder in folders) if found]
    controller, names = first
    return [found for found in (_numbers(folder, names)
                                for folder in group_folders(controller, root)) if found]


def quota(root: str = "/sys/fs/cgroup") -> int:
    """Whole CPUs of the control group's quota, version 2 or 1; many without one."""
    found = _limits(str(root), ["cpu.max"], ("cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]))
    return min([max(1, quota // period) for quota, period in
                (each for each in found if len(each) == 2) if quota > 0 and period > 0]
               + [MANY_CPUS])


def memory_limit(root: str = "/sys/fs/cgroup") -> Optional[int]:
    """Bytes that the control group may have; None without a limit."""
    found = _limits(str(root), ["memory.max"], ("memory", ["memory.limit_in_bytes"]))
    return min([limits[0] for limits in found if limits[0] < NO_LIMIT], default=None)


def interfaces() -> List[Tuple[str, str, str]]:
    """Name, IPv4 address and network of each, as eth0, 10.0.0.5, 10.0.0.0/24."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                address, mask = (
                    socket.inet_ntoa(fcntl.ioctl(any_socket, code, request)[20:24])
                    for code in (SIOCGIFADDR, SIOCGIFNETMASK)
                )
            except OSError:  # no address
                continue
            network = ipaddress.ip_network("%s/%s" % (address, mask), strict=False)
            found.append((name, address, str(network)))
    return found


def networks() -> Dict[str, str]:
    """The IPv4 network of each address of this machine, as 10.0.0.5: 10.0.0.0/24."""
    return {address: network for _, address, network in interfaces()}


def shared_memory() -> int:
    """Bytes that this process may write to /dev/shm."""
    if not os.access("/dev/shm", os.W_OK | os.X_OK):
        return 0
    found = os.statvfs("/dev/shm")
    return found.f_bavail * found.f_frsize


def digest_of(path: str) -> Optional[str]:
    """Of a file; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def size_of(path: str) -> Optional[int]:
    """Of a file that can be read, in bytes."""
    try:
        with open(path, "rb"):
            return os.stat(path).st_size
    except IsADirectoryError:
        return 0
    except OSError:
        return None


def can_be_written(folder: str) -> bool:
    """Whether a folder, or the nearest one above it that exists, can be written."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return os.access(folder, os.W_OK | os.X_OK)


def _fault_of(program: str) -> str:
    """Why a program does not start, as for the lack of a library; empty when it does."""
    try:
        done = subprocess.run(
            [program, "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
        )
    except OSError as error:
        return str(error)
    lines = done.stdout.decode(errors="replace").splitlines()
    return "" if done.returncode == 0 else (lines or ["ended with %d" % done.returncode])[-1]


def look(request: Dict[str, Any]) -> Dict[str, Any]:
    """What this machine has of the request's `program`, `files`, `folder` to work in and
    `folders` to write in."""
    program = request["program"]
    digest = digest_of(program)
    return {
        "cores": available_cores(),
        "physical_cores": physical_cores(),
        "gpus": len(glob.glob("/dev/nvidia[0-9]*")),
        "networks": networks(),
        "shared_memory": shared_memory(),
        "has_orted": shutil.which("orted") is not None,
        "digest": digest,
        "fault": "" if digest is None else _fault_of(program),
        "has_folder": os.path.isdir(request["folder"]),
        "sizes": [size_of(path) for path in request["files"]],
        "unwritable": [path for path in request["folders"] if not can_be_written(path)],
        "time": time.time(),  # last, so that the launcher knows when it was
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(base64.urlsafe_b64decode(sys.argv[1]).decode()))))
