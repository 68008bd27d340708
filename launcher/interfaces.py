"""Which networks mpirun uses in a job whose hosts Slurm names: none that each host has for
itself, as those of containers, whose addresses are often the same on all hosts."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

# Of Docker, libvirt, Podman, Kubernetes, LXC and LXD. Others' bridges may be the only way out.
OF_ONE_HOST = re.compile(r"lo|docker\d+|br-[0-9a-f]{12}|virbr\d+(-nic)?|podman\d+|cni\d+|lxcbr\d+|"
                         r"lxdbr\d+|veth\w+|cali\w+|flannel\.\d+")
ALWAYS = ("lo", "docker0", "virbr0")  # a login host may lack what the others have
PARAMETER = re.compile(r"^\s*(?:btl|oob)_tcp_if_(?:in|ex)clude\s*=", re.MULTILINE)
VARIABLES = tuple(f"OMPI_MCA_{layer}_tcp_if_{kind}" for layer in ("btl", "oob")
                  for kind in ("include", "exclude"))


def is_of_one_host(name: str) -> bool:
    """Whether an interface leads to no other host."""
    return OF_ONE_HOST.fullmatch(name) is not None


def interface_words(wanted: str | None) -> list[str]:
    """Words for mpirun: the interface, or its network, that the user wants; else all but those
    of one host, unless the user or the site has said something to Open MPI itself."""
    if wanted:
        return ["--mca", "btl_tcp_if_include", wanted, "--mca", "oob_tcp_if_include", wanted]
    if any(name in os.environ for name in VARIABLES) or _is_set_in_files():
        return []
    here = [name for _, name in socket.if_nameindex() if is_of_one_host(name)]
    names = ",".join(dict.fromkeys([*ALWAYS, *here]))
    return ["--mca", "btl_tcp_if_exclude", names, "--mca", "oob_tcp_if_exclude", names]


def _is_set_in_files() -> bool:
    """Of Open MPI's parameters; it takes no second word of the other kind."""
    files = [Path("/etc/openmpi/openmpi-mca-params.conf"),
             Path.home() / ".openmpi" / "mca-params.conf"]
    if mpirun := shutil.which("mpirun"):
        files.append(Path(mpirun).resolve().parent.parent / "etc" / "openmpi-mca-params.conf")
    for file in files:
        try:
            if PARAMETER.search(file.read_text(errors="replace")):
                return True
        except OSError:
            continue
    return False
