"""Whether the system ended processes for want of memory while a job ran: it sends SIGKILL, and the
process itself can say nothing."""

from __future__ import annotations

import re
from pathlib import Path

COUNTERS = Path("/proc/vmstat")  # of this host, those of control groups among them


def memory_kills() -> int:
    """How many it has ended since it began; 0 where it does not say (before Linux 4.13)."""
    try:
        found = re.search(r"^oom_kill (\d{1,18})$", COUNTERS.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def told(before: int) -> str:
    """What to say of a rank that died, where there have been some since `before`."""
    if memory_kills() <= before:
        return ""
    return ("meanwhile the system ended a process of this host for want of memory; ask for more "
            "(--mem, docker run --memory), for fewer ranks on a host, or for smaller batches")
