#!/usr/bin/env python3
"""PyTorch on the work of configs/digits.textproto; prints one JSON object.

    torch_peer.py step       training steps, on one process or with DDP over Gloo
    torch_peer.py allreduce  Gloo's all-reduce of the same network's gradients

Batches are formed in every step, from rows of bytes in random order, as Lockstep
does it. Times are medians over the steps, on rank 0.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

ROWS = 33600
GRADIENTS = 536874  # trainable parameters of the network


def make_network() -> nn.Sequential:
    """The network of configs/digits.textproto, with its batch-norm settings."""

    def conv(inputs: int, filters: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, filters, 3), nn.ReLU()]

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    return nn.Sequential(
        *conv(1, 32), norm(32), *conv(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *conv(32, 64), norm(64), *conv(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        *conv(64, 128), norm(128), nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(512, 512), nn.ReLU(), nn.BatchNorm1d(512, eps=1e-3, momentum=0.01),
        nn.Dropout(0.5),
        nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 10),
    )  # fmt: skip


class Step:
    """A training step of one process: forms a batch, forward, backward, Adam."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._bf16 = options.precision == "bf16"
        self._batch = options.batch // options.ranks
        self._layout = torch.contiguous_format
        if options.layout == "channels-last":
            self._layout = torch.channels_last
        self._images = torch.randint(0, 256, (ROWS, 1, 28, 28), dtype=torch.uint8)
        self._labels = torch.randint(0, 10, (ROWS,))
        network = make_network().to(memory_format=self._layout)
        self._optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        if options.ranks > 1:
            network = DistributedDataParallel(network, gradient_as_bucket_view=True)
        self._network = torch.compile(network) if options.mode == "compile" else network
        self._order = torch.empty(0, dtype=torch.int64)

    def __call__(self) -> None:
        images, labels = self._next_batch()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            loss = functional.cross_entropy(self._network(images), labels)
        loss.backward()
        self._optimizer.step()

    def _next_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        if len(self._order) < self._batch:
            self._order = torch.randperm(ROWS)
        rows, self._order = self._order[: self._batch], self._order[self._batch :]
        images = self._images[rows].float().div_(255)
        return images.to(memory_format=self._layout), self._labels[rows]


class AllReduce:
    """One sum of the gradients over all ranks, in place."""

    def __init__(self) -> None:
        self._gradients = torch.zeros(GRADIENTS)

    def __call__(self) -> None:
        dist.all_reduce(self._gradients)


def median_seconds(work: Step | AllReduce, steps: int) -> float:
    """The median of `steps` calls, after a fifth as many that do not count."""
    for _ in range(steps // 5 + 3):
        work()
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def run_rank(rank: int, options: argparse.Namespace, store: str) -> None:
    """Measures on one rank; rank 0 prints."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(1 + rank)
    if options.ranks > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{store}", rank=rank, world_size=options.ranks
        )
    work = Step(options) if options.work == "step" else AllReduce()
    seconds = median_seconds(work, options.steps)
    if options.ranks > 1:
        dist.barrier()
        dist.destroy_process_group()
    if rank == 0:
        result = {"seconds_per_step": seconds}
        if options.work == "step":
            result["images_per_second"] = options.batch / seconds
        print(json.dumps(result), flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=("step", "allreduce"))
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--layout", choices=("contiguous", "channels-last"), default="contiguous")
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--batch", type=int, default=128, help="samples over all ranks")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--steps", type=int, default=100)
    return parser.parse_args()


def main() -> None:
    """Starts the ranks."""
    options = parse()
    if options.ranks == 1:
        run_rank(0, options, "")
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(run_rank, (options, f"{folder}/store"), nprocs=options.ranks)


if __name__ == "__main__":
    main()
