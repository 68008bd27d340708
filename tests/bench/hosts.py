#!/usr/bin/env python3
"""Training steps on several hosts, which are network namespaces of this machine with links of a
given speed (root only). Commands run in turn, so that all meet the same machine.

    tests/bench/hosts.py --hosts 2 --ranks 1 --rate 1gbit overlap bf16 ddp

Sides: `one` bucket, sent when the backward pass is over; `overlap`, buckets while it computes;
`bf16` on the wire; `native`, MPI's all-reduce; `ddp`, PyTorch's DistributedDataParallel with Gloo.
The first one is the measure of the others. Prints medians, with what was exposed and hidden.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from host_net import LINK, NETWORK, HostNet  # noqa: E402

SETTINGS = {"one": {"training.bucket_bytes": 0}, "overlap": {}, "bf16": {"training.wire": "BF16"},
            "native": {"training.reduction": "NATIVE"}}
# Hosts that share cores: each rank with its threads keeps to one, in turn.
PINNED = ["sh", "-c", 'exec taskset -c $((OMPI_COMM_WORLD_RANK % $(nproc))) "$@"', "pinned"]
TIME_LIMIT_SECONDS = 600


def environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OMPI_")}
    return kept | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def parsed(text):
    return json.loads(text.strip().splitlines()[-1])


def run_ours(net, names, side, options):
    """One run of the program; its JSON."""
    settings = [word for path, value in SETTINGS[side].items()
                for word in ("--set", f"{path}={value}")]
    command = [*net.entry(names[0]), "env", "-C", ROOT, "mpirun", "-q", "-np", len(names) * options.ranks,
               "--oversubscribe", "--bind-to", "none",
               "--host", ",".join(f"{name}:{options.ranks}" for name in names),
               "--mca", "plm_rsh_agent", net.agent, "--mca", "pml", "ob1",
               "--mca", "btl", "self,vader,tcp", "--mca", "btl_tcp_if_include", LINK,
               "--mca", "oob_tcp_if_include", LINK,
               *(word for each in options.mca for word in ("--mca", *each)),
               *(PINNED if options.pin else []),
               ROOT / "build" / "lockstep", "bench", options.experiment, "--json",
               "--steps", options.steps, "--threads", options.threads, *settings,
               *(word for each in options.set for word in ("--set", each))]
    done = subprocess.run(list(map(str, command)), env=environment(), text=True, check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=TIME_LIMIT_SECONDS, cwd=ROOT)
    return parsed(done.stdout)


def run_ddp(net, names, options):
    """The same step of PyTorch, a rank on each host."""
    python = ROOT / ".deps" / "bench-venv" / "bin" / "python3"
    processes = []
    for rank, name in enumerate(names):
        command = [*net.entry(name), python, ROOT / "tests" / "bench" / "torch_peer.py", "step",
                   "--network", options.network, "--precision", options.precision,
                   "--layout", "channels-last", "--batch", options.batch, "--ranks", len(names),
                   "--rank", rank, "--store", f"tcp://{NETWORK}.1:29500",
                   "--threads", options.threads, "--steps", options.steps]
        processes.append(subprocess.Popen(
            list(map(str, command)), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            env=os.environ | {"GLOO_SOCKET_IFNAME": LINK, "OMP_NUM_THREADS": str(options.threads)}))
    outputs = [process.communicate(timeout=TIME_LIMIT_SECONDS)[0] for process in processes]
    return parsed(outputs[0])


def line_of(side, runs, measure):
    """Medians of a side, and the ratio of its step to the first one's."""
    seconds = [run["seconds_per_step"] for run in runs]
    text = (f"{side:8} {statistics.median(seconds) * 1e3:9.2f} ms a step "
            f"({min(seconds) * 1e3:.2f} to {max(seconds) * 1e3:.2f})")
    if "by_rank" in runs[0]:
        for name in ("backward", "wait", "sum", "exposed", "hidden"):
            values = [statistics.mean(rank[name] for rank in run["by_rank"]) for run in runs]
            text += f"  {name} {statistics.median(values) * 1e3:.2f}"
    return text + f"  ratio {statistics.median(seconds) / measure:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sides", nargs="+", choices=[*SETTINGS, "ddp"])
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--ranks", type=int, default=1, help="of each host")
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--rate", default="1gbit")
    parser.add_argument("--pin", action="store_true", help="each rank to one core, in turn")
    parser.add_argument("--mca", action="append", nargs=2, default=[], help="of Open MPI")
    parser.add_argument("--experiment", default=str(ROOT / "configs" / "digits.textproto"))
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--network", default="digits", help="of PyTorch")
    parser.add_argument("--precision", default="fp32", help="of PyTorch")
    parser.add_argument("--batch", type=int, default=128, help="of PyTorch")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = [f"n{chr(ord('a') + i)}" for i in range(options.hosts)]
    net = HostNet(names, rate=options.rate)
    try:
        runs = {side: [] for side in options.sides}
        for _ in range(options.rounds):
            for side in options.sides:
                runs[side].append(run_ddp(net, names, options) if side == "ddp"
                                  else run_ours(net, names, side, options))
    finally:
        net.close()
    measure = statistics.median(run["seconds_per_step"] for run in runs[options.sides[0]])
    print(f"{options.hosts} hosts of {options.ranks} ranks, {options.rate}, "
          f"medians of {options.rounds} runs in turn")
    for side in options.sides:
        print(line_of(side, runs[side], measure))


if __name__ == "__main__":
    main()
