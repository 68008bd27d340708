"""Writes .npy and .npz files into a folder by NumPy, for tests/data/npy_test.cpp, which knows
their values by the same formula."""

import sys
from pathlib import Path

import numpy as np

SHAPES = ((), (7,), (3, 5), (2, 5, 7), (2, 3, 5, 7), (2, 3, 1, 5, 2))
TYPES = ("|b1", "|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4",
         "<u8", ">u8", "<i8", ">i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8")


def values(kind, shape):
    """The elements by number: whole numbers that use all bytes of the type, or eighths."""
    base = (37 * np.arange(np.prod(shape, dtype=int)) + 11) % 251
    width = int(kind[2])
    if kind[1] == "b":
        base = base % 2
    elif kind[1] == "f":
        base = (base - 125) / 8
    else:
        scale = {1: 1, 2: 200, 4: 1 << 20, 8: 1 << 40}[width]
        base = (base - (125 if kind[1] == "i" else 0)) * scale
    return base.astype(kind).reshape(shape)


def main():
    folder = Path(sys.argv[1])
    for kind in TYPES:
        for shape in SHAPES:
            for order in "CF":
                for version in (1, 2, 3):
                    name = f"{'big' if kind[0] == '>' else 'little'}-{kind[1:]}-{len(shape)}"
                    with open(folder / f"{name}-{order}-{version}.npy", "wb") as file:
                        array = np.asarray(values(kind, shape), order=order)
                        np.lib.format.write_array(file, array, version=(version, 0))
    arrays = {"images": values("|u1", (5, 3, 5)), "labels": values("<i8", (5,))}
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "deflated.npz", **arrays)
    np.save(folder / "text.npy", np.array(["a", "bc"]))
    np.save(folder / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    np.save(folder / "records.npy", np.zeros(3, dtype=[("a", "<i4"), ("b", "<f4")]))
    np.save(folder / "complex.npy", np.zeros(3, dtype=complex))
    np.save(folder / "empty.npy", np.zeros((0, 28, 28), dtype=np.uint8))
    np.save(folder / "six.npy", np.zeros((1,) * 6, dtype=np.uint8))


if __name__ == "__main__":
    main()
