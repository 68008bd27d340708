#!/usr/bin/env python3
"""Reads a folder of JPEG files as training data: torchvision's ImageFolder in a DataLoader;
prints JSON. Or makes such a folder.

    image_peer.py FOLDER [--side N] [--workers N]
    image_peer.py FOLDER --make COUNT

The time is from the first batch that is asked for to the last, without imports and listing.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10
SIDE = 256


def make(folder: Path, count: int) -> None:
    """Soft shapes with some noise, about as many bytes as photographs of the size have."""
    numbers = np.random.default_rng(1)
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
    for i in range(count):
        coarse = numbers.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        soft = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        noisy = soft + numbers.normal(0, 12, (SIDE, SIDE, 1))
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        picture.save(folder / f"class-{i % CLASSES}" / f"{i:06}.jpg", quality=85)


def read(folder: Path, side: int, workers: int) -> dict:
    """One pass over all files."""
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    form = transforms.Compose([
        transforms.Resize((side, side)),
        transforms.PILToTensor(),
    ])
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(folder, form), batch_size=256, num_workers=workers
    )
    begin = time.perf_counter()
    images = sum(len(labels) for _, labels in loader)
    return {"images": images, "seconds": time.perf_counter() - begin}


def main() -> None:
    """Makes or reads the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--make", type=int, metavar="COUNT")
    options = parser.parse_args()
    if options.make:
        make(options.folder, options.make)
    else:
        print(json.dumps(read(options.folder, options.side, options.workers)))


if __name__ == "__main__":
    main()
