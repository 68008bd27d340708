"""The launcher's own options of a command."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from console import EXIT_USAGE, LauncherError
from hosts import Host, parse_hosts, read_hostfile
from job import PARALLEL_COMMANDS


@dataclass
class Options:
    """The launcher's own options, and the arguments that are not its own."""

    ranks: int | None = None
    threads: int | None = None
    max_restarts: int = 0
    hosts: list[Host] | None = None
    interface: str | None = None
    oversubscribe: bool = False
    print_command: bool = False
    help: bool = False
    rest: list[str] = field(default_factory=list)


def parse(command: str, arguments: list[str]) -> Options:
    """Takes the launcher's own options out of the arguments of a command."""
    options = Options()
    is_parallel = command in (*PARALLEL_COMMANDS, "doctor")
    words = iter(arguments)
    for word in words:
        name, _, value = word.partition("=")
        if is_parallel and name in ("-np", "--threads"):
            number = _count(name, value or next(words, ""))
            if name == "-np":
                options.ranks = number
            else:
                options.threads = number
        elif is_parallel and name in ("--hosts", "--hostfile", "--interface"):
            _take_host_option(options, name, value or next(words, ""))
        elif is_parallel and word == "--oversubscribe":
            options.oversubscribe = True
        elif command == "train" and name == "--max-restarts":
            options.max_restarts = _count(name, value or next(words, ""), least=0)
        elif word == "--print-command" and command != "doctor":
            options.print_command = True
        elif word in ("-h", "--help"):
            options.help = True
        else:
            options.rest.append(word)
    if options.hosts and options.ranks:
        raise LauncherError("-np and --hosts: give the ranks of each host, as A:2", EXIT_USAGE)
    return options


def _take_host_option(options: Options, name: str, value: str) -> None:
    if not value:
        raise LauncherError(f"{name}: expected a value after it", EXIT_USAGE)
    if name == "--interface":
        options.interface = value
    else:
        options.hosts = parse_hosts(value) if name == "--hosts" else read_hostfile(Path(value))


def _count(name: str, text: str, least: int = 1) -> int:
    if not text.isdecimal() or not least <= int(text) <= 4096:
        raise LauncherError(
            f"{name} is {text!r}: expected a number from {least} to 4096", EXIT_USAGE
        )
    return int(text)
