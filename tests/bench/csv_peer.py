#!/usr/bin/env python3
"""Reads a CSV of pixels into a uint8 array [rows, columns]; prints JSON.

The time is the median over `--repeats` reads, after one that does not count.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np


def polars_reader(path: str, columns: list[str], threads: int) -> Callable[[], np.ndarray]:
    """polars, every column told to be UInt8."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)  # read when polars is imported
    import polars as pl

    schema = {name: pl.UInt8 for name in columns}
    return lambda: pl.read_csv(path, schema=schema).to_numpy(order="c")


def pyarrow_reader(path: str, columns: list[str], threads: int) -> Callable[[], np.ndarray]:
    """pyarrow's CSV reader, every column told to be uint8."""
    import pyarrow as pa
    from pyarrow import csv

    pa.set_cpu_count(threads)
    convert = csv.ConvertOptions(column_types={name: pa.uint8() for name in columns})

    def read() -> np.ndarray:
        table = csv.read_csv(path, convert_options=convert)
        return np.column_stack([column.to_numpy() for column in table.columns])

    return read


def pandas_reader(path: str, columns: list[str], threads: int) -> Callable[[], np.ndarray]:
    """pandas' C parser, which has one thread whatever `threads` says."""
    del columns, threads
    import pandas as pd

    return lambda: np.ascontiguousarray(pd.read_csv(path, dtype=np.uint8).to_numpy())


READERS = {"polars": polars_reader, "pyarrow": pyarrow_reader, "pandas": pandas_reader}


def main() -> None:
    """Measures one library."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=READERS)
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        columns = file.readline().strip().split(",")
    read = READERS[options.library](options.file, columns, options.threads)
    array = read()
    if array.dtype != np.uint8 or not array.flags.c_contiguous:
        raise SystemExit(f"{options.library} gave {array.dtype} {array.flags}; expected C uint8")
    seconds = []
    for _ in range(options.repeats):
        begin = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": statistics.median(seconds), "rows": array.shape[0],
                      "pixel_sum": int(array.sum(dtype=np.int64))}))


if __name__ == "__main__":
    main()
