#!/usr/bin/env python3
"""PyTorch on the work of configs/digits.textproto, or of another network of
torch_networks.py; prints one JSON object.

    torch_peer.py step       training steps, on one process or with DDP over Gloo
    torch_peer.py allreduce  Gloo's all-reduce of the same network's gradients

Batches are formed in every step, from rows of bytes in random order, as Lockstep
does it. Times are medians over the steps, on rank 0. With --device cuda the rows lie
on the GPU, which works on while the next step is prepared: a time is then the mean of
a few steps, waited for at their end. Mode graph records the step once, as a CUDA graph,
and replays it.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

import torch
import torch.distributed as dist
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch_networks import NETWORKS

GRADIENTS = 536874  # trainable parameters of the network of digits
STEPS_WITHOUT_WAIT = 10  # on a GPU


class Step:
    """A training step of one process: forms a batch, forward, backward, Adam."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._device = options.device
        self._bf16 = options.precision == "bf16"
        self._batch = options.batch // options.ranks
        self._layout = torch.contiguous_format
        if options.layout == "channels-last":
            self._layout = torch.channels_last
        device = torch.device(self._device)
        chosen = NETWORKS[options.network]
        self._images = torch.randint(
            0, 256, (chosen.rows, *chosen.image), dtype=torch.uint8, device=device
        )
        self._labels = torch.randint(0, chosen.classes, (chosen.rows,), device=device)
        network = chosen.make().to(device, memory_format=self._layout)
        self._recorded = "graph" in options.mode
        self._optimizer = torch.optim.Adam(
            network.parameters(), lr=1e-3, fused=True, capturable=self._recorded
        )
        if options.ranks > 1:
            network = DistributedDataParallel(network, gradient_as_bucket_view=True)
        self._network = torch.compile(network) if "compile" in options.mode else network
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._rows = torch.empty(self._batch, dtype=torch.int64, device=device)
        self._graph = self._record() if self._recorded else None

    def __call__(self) -> None:
        if len(self._order) < self._batch:
            self._order = torch.randperm(len(self._labels), device=self._order.device)
        self._rows.copy_(self._order[: self._batch])
        self._order = self._order[self._batch :]
        if self._graph is not None:
            self._graph.replay()
        else:
            self._train()

    def _train(self) -> None:
        """The step on the rows of self._rows."""
        images = self._images[self._rows].float().div_(255).to(memory_format=self._layout)
        labels = self._labels[self._rows]
        self._optimizer.zero_grad(set_to_none=True)
        # A recording must not keep casts of the weights from before it.
        casts = torch.autocast(
            self._device, torch.bfloat16, enabled=self._bf16, cache_enabled=not self._recorded
        )
        with casts:
            loss = functional.cross_entropy(self._network(images), labels)
        loss.backward()
        self._optimizer.step()

    def _record(self) -> torch.cuda.CUDAGraph:
        """The step as a CUDA graph, after a few that choose kernels and make the state."""
        self._rows.zero_()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(5):
                self._train()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._train()
        return graph


class AllReduce:
    """One sum of the gradients over all ranks, in place."""

    def __init__(self) -> None:
        self._gradients = torch.zeros(GRADIENTS)

    def __call__(self) -> None:
        dist.all_reduce(self._gradients)


def median_seconds(work: Step | AllReduce, options: argparse.Namespace) -> float:
    """The median of `--steps` calls, after a fifth as many that do not count."""
    cuda = options.device == "cuda"
    together = STEPS_WITHOUT_WAIT if cuda else 1
    for _ in range(options.steps // 5 + 3):
        work()
    seconds = []
    for _ in range(max(options.steps // together, 1)):
        if cuda:
            torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(together):
            work()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - begin) / together)
    return statistics.median(seconds)


def run_rank(rank: int, options: argparse.Namespace, store: str) -> None:
    """Measures on one rank; rank 0 prints."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(1 + rank)
    torch.backends.cudnn.benchmark = True  # the fastest convolutions, by trying
    if options.ranks > 1:
        dist.init_process_group("gloo", init_method=store, rank=rank, world_size=options.ranks)
    work = Step(options) if options.work == "step" else AllReduce()
    seconds = median_seconds(work, options)
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
    parser.add_argument("--network", choices=tuple(NETWORKS), default="digits")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--layout", choices=("contiguous", "channels-last"), default="contiguous")
    modes = ("eager", "compile", "graph", "compile-graph")
    parser.add_argument("--mode", choices=modes, default="eager")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=128, help="samples over all ranks")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--rank", type=int, help="be this one of them alone; needs --store")
    parser.add_argument("--store", help="where ranks meet, as tcp://10.0.0.1:29500")
    parser.add_argument("--threads", type=int, default=1, help="of each rank")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    if options.device == "cuda" and (options.ranks > 1 or options.work == "allreduce"):
        parser.error("--device cuda: only steps on one rank")
    if "graph" in options.mode and options.device != "cuda":
        parser.error(f"--mode {options.mode} needs --device cuda")
    return options


def main() -> None:
    """Starts the ranks."""
    options = parse()
    if options.ranks == 1:
        run_rank(0, options, "")
        return
    if options.rank is not None:
        run_rank(options.rank, options, options.store)
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(run_rank, (options, f"file://{folder}/store"), nprocs=options.ranks)


if __name__ == "__main__":
    main()
