"""The values of a sweep: lists, ranges and random draws given with --set."""

from __future__ import annotations

import itertools
import math
import random
import re
from dataclasses import dataclass

from console import EXIT_USAGE, LauncherError

MOST_RUNS = 1000
_OPEN, _CLOSE, _QUOTES = "({[", ")}]", "\"'"


@dataclass(frozen=True)
class Interval:
    """What a field is drawn from: uniform, or with a uniform logarithm."""

    kind: str  # log or uniform
    low: float
    high: float

    def draw(self, share: float) -> str:
        """The value that lies at `share`, in [0, 1), of the interval."""
        if self.kind == "log":
            low, high = math.log(self.low), math.log(self.high)
            return f"{math.exp(low + share * (high - low)):.4g}"
        return f"{self.low + share * (self.high - self.low):.4g}"


@dataclass(frozen=True)
class Setting:
    """One --set: a field, and the values that it takes."""

    path: str
    text: str  # the values as they were given
    values: tuple[str, ...]
    interval: Interval | None = None  # in place of values

    @property
    def swept(self) -> bool:
        """Whether it differs from run to run."""
        return self.interval is not None or len(self.values) > 1


def parse_setting(text: str) -> Setting:
    """PATH=VALUES. Commas separate values, but not within quotes or brackets; a value
    that stands in quotes as a whole loses them; 1:9:2 is a range with both ends."""
    path, equals, given = text.partition("=")
    if not equals or not path:
        raise _fault(text, "expected PATH=VALUES, as in seed=1:5")
    parts = _split(text, given)
    if interval := _interval(text, parts):
        return Setting(path, given, (), interval)
    values = [value for part in parts for value in _values(text, part, len(parts) > 1)]
    for i, value in enumerate(values):
        if value in values[:i]:
            raise _fault(text, f"{value!r} stands there twice; each value is one run")
    return Setting(path, given, tuple(values))


def _fault(text: str, what: str) -> LauncherError:
    return LauncherError(f"--set {text}: {what}", EXIT_USAGE)


def _split(text: str, given: str) -> list[str]:
    """Cuts at the commas that are in no quotes and no brackets."""
    parts, quote, depth = [""], "", 0
    for letter in given:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    if quote or depth:
        raise _fault(text, f"a {'quote' if quote else 'bracket'} is not closed or not opened")
    return [part.strip() for part in parts]


def _values(text: str, part: str, is_one_of_many: bool) -> list[str]:
    if len(part) > 1 and part[0] in _QUOTES and part.index(part[0], 1) == len(part) - 1:
        return [part[1:-1]]
    if not part and is_one_of_many:
        raise _fault(text, 'a value is empty; write "" for the default')
    if not (match := re.fullmatch(r"(-?\d+):(-?\d+)(?::(\d+))?", part)):
        return [part]
    first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if last < first or step < 1:
        raise _fault(text, f"the range {part} is empty; expected FIRST:LAST or FIRST:LAST:STEP")
    numbers = range(first, last + 1, step)
    if len(numbers) > MOST_RUNS:
        raise _fault(text, f"{len(numbers)} values; expected at most {MOST_RUNS}")
    return [str(number) for number in numbers]


def _interval(text: str, parts: list[str]) -> Interval | None:
    found = [re.fullmatch(r"(log|uniform)\(([^,()]*),([^,()]*)\)", part) for part in parts]
    if not any(found):
        return None
    if len(parts) > 1:
        raise _fault(text, "an interval stands alone")
    try:
        low, high = float(found[0][2]), float(found[0][3])
    except ValueError:
        raise _fault(text, f"expected {found[0][1]}(LEAST,MOST) with two numbers") from None
    kind = found[0][1]
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (
        kind == "log" and low <= 0
    ):
        raise _fault(text, f"expected LEAST < MOST{', both above 0' if kind == 'log' else ''}")
    return Interval(kind, low, high)


# --- The runs ---


def check_settings(settings: list[Setting]) -> None:
    """Each field once, and at least one of them with several values."""
    paths = [setting.path for setting in settings]
    for path in paths:
        if paths.count(path) > 1:
            raise LauncherError(
                f"--set {path} is given {paths.count(path)} times; give all its values in one",
                EXIT_USAGE,
            )
    if not any(setting.swept for setting in settings):
        raise LauncherError(
            "nothing to sweep: no --set has several values, as in --set seed=1:5", EXIT_USAGE
        )


def grid(settings: list[Setting]) -> list[tuple[str, ...]]:
    """Every combination of the values, the last setting's changing fastest."""
    for setting in settings:
        if setting.interval:
            raise _fault(f"{setting.path}={setting.text}", "an interval needs --samples N")
    count = math.prod(len(setting.values) for setting in settings)
    if count > MOST_RUNS:
        raise LauncherError(
            f"{count} combinations; expected at most {MOST_RUNS}: name fewer values, or draw "
            "some of them with --samples N",
            EXIT_USAGE,
        )
    return list(itertools.product(*(setting.values for setting in settings)))


def samples(settings: list[Setting], count: int, seed: int) -> list[tuple[str, ...]]:
    """So many different combinations, drawn at random. With more of them the first ones
    stay as they are."""
    if not any(setting.interval for setting in settings):
        most = math.prod(len(setting.values) for setting in settings)
        if count > most:
            raise LauncherError(
                f"--samples is {count}, and there are {most} combinations", EXIT_USAGE
            )
    chosen: dict[tuple[str, ...], None] = {}  # in order
    for number in itertools.count():
        if len(chosen) == count:
            break
        chosen[tuple(_drawn(setting, number, seed) for setting in settings)] = None
    return list(chosen)


def _drawn(setting: Setting, number: int, seed: int) -> str:
    # A text as the seed gives the same draws in every version of Python.
    share = random.Random(f"{seed} {number} {setting.path}").random()
    if setting.interval:
        return setting.interval.draw(share)
    return setting.values[int(share * len(setting.values))]
