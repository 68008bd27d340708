"""What `doctor` finds: one line for each thing that it looks at."""

from __future__ import annotations

import json
from dataclasses import dataclass

from console import printable


@dataclass(frozen=True)
class Finding:
    """A thing, what is there, and what is wrong with it and should be done; empty: nothing."""

    topic: str
    found: str
    advice: str = ""


def as_table(findings: list[Finding]) -> str:
    """Lines with columns, and how many warnings there are."""
    widths = [max(len(text) for text in column)
              for column in ([each.topic for each in findings],
                             [each.found for each in findings if len(each.found) <= 60] or [""])]
    lines = [f"{each.topic:<{widths[0]}}  {printable(each.found):<{widths[1]}}  "
             + (f"warning: {printable(each.advice)}" if each.advice else "ok")
             for each in findings]
    count = sum(bool(each.advice) for each in findings)
    end = "nothing is wrong" if not count else f"{count} warning{'' if count == 1 else 's'}"
    return "\n".join([*lines, "", end, ""])


def as_json(findings: list[Finding]) -> str:
    """The same for scripts."""
    checks = [{"topic": each.topic, "found": each.found, "ok": not each.advice,
               "advice": each.advice} for each in findings]
    ok = all(check["ok"] for check in checks)
    return json.dumps({"ok": ok, "checks": checks}, indent=2) + "\n"


def megabytes(count: int) -> str:
    """As 512 MB or 15.3 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
