#!/usr/bin/env python3
"""Compares what `lockstep plan` predicts with what `lockstep bench` measures, in turn, and
prints the error of the median step: on 1, 2 and 4 ranks of this machine; with --delay-ms on 2
hosts, network namespaces that a slow switch joins; with --rates on --hosts, joined by links of
these speeds. Latency and speed are measured by a ping-pong first. Hosts need root.

Hosts that have less than a core each compute f times slower. That is f times a step of hosts
with a core whose link is f times faster in latency and speed, which plan is asked for."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from host_net import NETWORK, HostNet  # noqa: E402

ENVIRONMENT = os.environ | {"LOCKSTEP_ROOT": str(ROOT), "OMPI_ALLOW_RUN_AS_ROOT": "1",
                            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
SLICE_BYTES = 1 << 21  # about what a host sends in a step

# Sends and returns messages of 1 byte, then of SLICE_BYTES; prints seconds, one way.
PING_PONG = f"""
import socket, statistics, sys, time
def receive(s, n):
    while n: n -= len(s.recv(n))
if sys.argv[1] == "server":
    listener = socket.create_server(("", 9999)); print("ready", flush=True)
    s, _ = listener.accept()
else:
    s = socket.create_connection((sys.argv[1], 9999))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for size in (1, {SLICE_BYTES}):
    data, times = b"x" * size, []
    for _ in range(100):
        begin = time.perf_counter()
        if sys.argv[1] == "server":
            receive(s, size); s.sendall(data)
        else:
            s.sendall(data); receive(s, size)
        times.append((time.perf_counter() - begin) / 2)
    print(statistics.median(times[50:]))
"""


def run(words: list[object]) -> dict:
    """The JSON object that a command prints."""
    done = subprocess.run(list(map(str, words)), env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout)


def measure_link(net: HostNet, slower: float = 1) -> str:
    """The network between the hosts a and b, as --network takes it, so many times faster."""
    server = subprocess.Popen([*net.entry("b"), sys.executable, "-c", PING_PONG, "server"],
                              stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    done = net.on("a", sys.executable, "-c", PING_PONG, f"{NETWORK}.2")
    server.communicate()
    latency, large = map(float, done.stdout.split())
    gigabits = SLICE_BYTES * 8 / (large - latency) / 1e9
    return f"{latency * 1e6 / slower:.1f}:{gigabits * slower:.4f}"


def settings_of(options: argparse.Namespace) -> list[str]:
    """The words that set what is not the experiment's."""
    return [word for each in options.set for word in ("--set", each)]


def compare(options: argparse.Namespace, ranks: list[int], plan: list[str],
            mpirun: dict[int, list[object]], slower: float = 1) -> None:
    """Runs plan and bench by turns and prints a line for each number of ranks."""
    predicted = {number: [] for number in ranks}
    measured = {number: [] for number in ranks}
    for _ in range(options.repeats):
        planned = run([options.binary, "plan", options.experiment, "--json", *plan,
                       *settings_of(options), "--ranks", ",".join(map(str, ranks))])
        for each in planned["plans"]:
            predicted[each["ranks"]].append(each["seconds_per_step"] * slower)
        for number in ranks:
            took = run([*mpirun[number], options.binary, "bench", options.experiment, "--json",
                        "--threads", 1, "--steps", options.steps, *settings_of(options)])
            measured[number].append(took["seconds_per_step"])
    print("ranks  predicted ms  measured ms  error")
    for number in ranks:
        guess = statistics.median(predicted[number]) * 1e3
        truth = statistics.median(measured[number]) * 1e3
        print(f"{number:5} {guess:13.3f} {truth:12.3f} {guess / truth - 1:+6.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", type=lambda path: Path(path).resolve(),
                        default=ROOT / "configs/digits_fast.textproto")
    parser.add_argument("--binary", default=ROOT / "build" / "lockstep")
    parser.add_argument("--delay-ms", type=float, help="two hosts, every frame so late")
    parser.add_argument("--rates", nargs="+", help="of links, as 1gbit")
    parser.add_argument("--hosts", nargs="+", type=int, default=[2])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    mpirun = ["mpirun", "-q", "--mca", "pml", "ob1", "--bind-to", "none"]
    if options.rates:
        for hosts in options.hosts:
            for rate in options.rates:
                on_hosts(options, hosts, rate)
    elif options.delay_ms is not None:
        on_hosts(options, 2, None)
    else:
        ranks = [1, 2, 4]
        mpirun = ["mpirun", "-q", "--mca", "pml", "ob1", "--bind-to", "none", "--oversubscribe"]
        compare(options, ranks, ["--ranks-per-node", "4"],
                {number: [*mpirun, "-np", number] for number in ranks})


def on_hosts(options: argparse.Namespace, hosts: int, rate: str | None) -> None:
    """Compares on so many hosts of one rank."""
    names = "abcdefgh"[:hosts]
    net = HostNet(names, (options.delay_ms or 0) / 1e3, rate)
    slower = max(1, hosts / len(os.sched_getaffinity(0)))
    try:
        link = measure_link(net, slower)
        print(f"{hosts} hosts{f' of {rate}' if rate else ''}, --network {link}")
        # mpirun itself stands on host a.
        words = [*net.entry("a"), "mpirun", "-q", "--mca", "pml", "ob1", "--bind-to", "none",
                 "--oversubscribe", "--host", ",".join(f"{name}:1" for name in names),
                 "-np", hosts, "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", net.agent,
                 "--mca", "btl", "self,vader,tcp", "--mca", "oob_tcp_if_include",
                 f"{NETWORK}.0/24", "--mca", "btl_tcp_if_include", f"{NETWORK}.0/24",
                 "-x", "LOCKSTEP_ROOT"]
        compare(options, [hosts], ["--ranks-per-node", "1", "--cores-per-node", "1",
                                   "--network", link], {hosts: words}, slower)
    finally:
        net.close()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with status {error.returncode}: {error.cmd}\n{error.stderr or ''}")
