"""What mpirun says on stderr about hosts and ranks, in one line for the user."""

from __future__ import annotations

import re
import signal


def signal_name(number: int) -> str:
    """As SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def host_lost(hosts: list[str]) -> str:
    """The cause for the user."""
    return f"{', '.join(hosts)} was lost: its network or the machine itself failed"


OF_NO_ACCOUNT = re.compile(
    r"\[\S+\] plm:rsh: Warning: setpgid"  # a race of its own
    r"|mpirun: (Forwarding signal|killing job|abort is already)"
    r"|\[\S+:\d+\] \d+ more process\w* ha\w+ sent help message"
    r'|\[\S+:\d+\] Set MCA parameter "orte_base_help_aggregate"')
# A rank's Open MPI when the connection to another one breaks or cannot be made, and when that
# ends it.
BROKEN_CONNECTION = re.compile(r"\[(\S+?)\]\[\[\d+,\d+\],(\d+)\]\[.*/btl_tcp_")
NO_CONNECTION = re.compile(r"\[\[\d+,\d+\],(?P<rank>\d+)\]\[.*/btl_tcp_.* from (?P<host>\S+) to: "
                           r"(?P<peer>\S+) Unable to connect to the peer .*: (?P<why>.*)")
BROKEN_SEND = re.compile(r"\[\S+:\d+\] .*/pml_ob1_\w+\.c:\d+ FATAL$")


def broken_connection(line: str) -> str:
    """Which rank lost another, where a line of its Open MPI says so, else empty."""
    if found := BROKEN_CONNECTION.match(line):
        return (f"rank {found[2]} on {found[1]} lost its connection to a rank of another host: that "
                "died, or the network failed")
    if found := NO_CONNECTION.match(line):
        return "rank {rank} on {host} cannot connect to {peer}: {why}".format(**found.groupdict())
    return ""


class MpirunMessages:
    """Keeps mpirun's paragraphs, which stand between lines of dashes, and what Open MPI says of
    broken connections, from the program's own lines."""

    def __init__(self) -> None:
        self._paragraphs: list[str] = []
        self._open: list[str] | None = None
        self._broken = ""

    def take(self, line: str) -> bool:
        """Whether a line is mpirun's, and so kept here."""
        if re.fullmatch(r"-{60,}\s*", line):
            if self._open is not None:
                self._paragraphs.append("".join(self._open))
            self._open = [] if self._open is None else None
            return True
        if OF_NO_ACCOUNT.match(line):
            return True
        if line.startswith("lockstep: "):
            return False
        broken = broken_connection(line)
        self._broken = self._broken or broken
        if broken or BROKEN_SEND.match(line):
            self._paragraphs.append(line)
            return True
        if self._open is None:
            return False
        self._open.append(line)
        return True

    def cause(self) -> str:
        """Which host was lost, or which rank died; empty when none was."""
        for text in self._paragraphs:
            if "lost communication with a remote daemon" in text:
                hosts = re.findall(r"Remote daemon:\s+\S+\s+on\s+node\s+(\S+)", text)
                return host_lost(hosts)
        for text in self._paragraphs:
            found = re.search(
                r"process\s+rank\s+(\d+)\s+with\s+PID\s+(\d+)\s+on\s+node\s+(\S+)\s+exited\s+on"
                r"\s+signal\s+(\d+)", text)
            if found:
                process = f"process {found[2]}, " if int(found[2]) else ""  # 0: it does not know
                return (f"rank {found[1]} on {found[3]} died ({process}"
                        f"{signal_name(int(found[4]))})")
        return ""

    def broken_connection(self) -> str:
        """Where mpirun knows neither a host nor a rank that failed: which rank lost another; empty
        when none did."""
        return self._broken

    def text(self) -> str:
        """All that was kept."""
        rest = ["".join(self._open)] if self._open else []
        return "\n".join([*self._paragraphs, *rest])
