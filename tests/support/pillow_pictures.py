"""Image files that Pillow writes, and what Pillow and NumPy make of image files. Run by the
Python of the tests' virtual environment: "write FOLDER" writes files, "read FOLDER" prints
what each file there shows, "fit FOLDER" how those that stdin names look in other shapes."""

import json
import random
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SIZES = ((1, 1), (5, 7), (33, 17))
ORIENTATION = 0x112
WHITE = 255


def noise(size, mode, seed=1):
    numbers = random.Random(seed)
    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = bytes(numbers.randrange(256) for _ in range(width * height * bands))
    return Image.frombytes(mode, size, data)


def smooth(size, mode="RGB"):
    """Levels that change slowly, each channel otherwise, so that no turn is like another."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = (20 + 200 * x, 230 - 150 * y, 40 + 90 * x + 90 * y * y, 60 + 100 * x * y)
    bands = len(Image.new(mode, (1, 1)).getbands())
    levels = np.stack(channels[:bands], axis=-1).round().astype(np.uint8)
    return Image.fromarray(levels[:, :, 0] if bands == 1 else levels, mode=None) \
        if mode != "CMYK" else Image.frombytes("CMYK", size, levels.tobytes())


def oriented(image, value, order=None):
    exif = Image.Exif()
    if order:
        exif.endian = order
    exif[0x10F] = "A maker"
    exif[ORIENTATION] = value
    return {"exif": exif.tobytes()} | image


def write(folder):
    for width, height in SIZES:
        def save(image, name, suffix, **options):
            image.save(folder / f"{name}-{width}x{height}.{suffix}", **options)

        size = (width, height)
        for mode in ("1", "L", "LA", "RGB", "RGBA"):
            image = noise(size, "L").convert("1") if mode == "1" else noise(size, mode)
            save(image, f"mode-{mode}", "png")
        palette = noise(size, "RGB").quantize(13)
        save(palette, "palette", "png")
        save(palette, "clear", "png", transparency=3 % len(palette.getcolors()))
        for mode in ("L", "RGB"):
            save(noise(size, mode), mode, "ppm")
        save(noise(size, "L").convert("1"), "mode-1", "bmp")
        for mode in ("L", "RGB", "RGBA"):
            save(noise(size, mode), f"mode-{mode}", "bmp")
        save(palette, "palette", "bmp")
        for mode in ("L", "RGB", "CMYK"):
            save(smooth(size, mode), f"smooth-{mode}", "jpeg", quality=90)
            save(noise(size, mode), f"noise-{mode}", "jpeg", quality=95, progressive=True)
        for subsampling in (0, 1, 2):
            save(noise(size, "RGB"), f"sub-{subsampling}", "jpeg", subsampling=subsampling)
        save(noise(size, "RGB"), "restart", "jpeg", restart_marker_blocks=1)
        save(smooth(size), "as-rgb", "jpeg", keep_rgb=True)
        for value in range(0, 10):
            save(smooth(size), f"turned-{value}", "jpeg",
                 **oriented({"quality": 90}, value, "<" if value % 2 else ">"))
    # Adobe's mark says that the inks were turned to luma and chroma.
    cmyk = (folder / "smooth-CMYK-33x17.jpeg").read_bytes()
    mark = cmyk.index(b"Adobe") + 11
    (folder / "ycck-33x17.jpeg").write_bytes(cmyk[:mark] + b"\2" + cmyk[mark + 1:])
    for size in ((256, 256), (257, 131), (130, 263), (999, 64)):
        for value in range(1, 9):
            smooth(size).save(folder / f"large-{value}-{size[0]}x{size[1]}.jpeg",
                              **oriented({"quality": 95, "subsampling": 0}, value))
    # As large as a photo of its size, for tests/bench/pictures.cpp.
    photo = np.asarray(smooth((256, 256))) + np.random.default_rng(1).normal(0, 8, (256, 256, 3))
    photo = Image.fromarray(np.clip(photo, 0, 255).astype(np.uint8))
    photo.save(folder / "photo-256x256.jpeg", quality=85)
    photo.save(folder / "photo-256x256.png")
    for size in ((33, 17), (17, 33), (64, 64), (5, 41), (100, 100)):
        noise(size, "RGB").save(folder / f"fit-{size[0]}x{size[1]}.png")


def shown(path):
    """[height, width, 3] levels as they are seen, over white."""
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode != "CMYK":
            image = image.convert("RGBA")
            levels = np.asarray(image).astype(int)
            opacity = levels[:, :, 3:]
            return (levels[:, :, :3] * opacity + WHITE * (255 - opacity) + 127) // 255
        return np.asarray(image.convert("RGB")).astype(int)


def described(levels):
    height, width = levels.shape[:2]
    return [width, height, levels.astype(np.uint8).tobytes().hex()]


def means(levels, begin, end, size):
    """Along the first axis `size` means over equal parts of [begin, end) pixels."""
    sums = np.concatenate([np.zeros((1, *levels.shape[1:])), np.cumsum(levels, axis=0)])
    edges = np.linspace(begin, end, size + 1)
    whole = np.minimum(edges.astype(int), len(levels) - 1)
    rest = (edges - whole).reshape(-1, *[1] * (levels.ndim - 1))
    upto = sums[whole] + rest * levels[whole]
    return np.diff(upto, axis=0) * size / (end - begin)


def scaled(levels, box, size, resampling):
    """The part of a picture in the box (left, top, right, bottom) as one of that size."""
    if resampling == "BILINEAR":
        return np.asarray(Image.fromarray(levels.astype(np.uint8)).resize(
            size, Image.Resampling.BILINEAR, box))
    rows = means(levels.astype(float), box[1], box[3], size[1])
    columns = means(rows.swapaxes(0, 1), box[0], box[2], size[0]).swapaxes(0, 1)
    return np.floor(columns + 0.5 + 1e-9).astype(np.uint8)


def fitted(levels, size, fit, resampling):
    height, width = levels.shape[:2]
    box = [0, 0, width, height]
    if fit == "CROP":
        # In the middle, to the unit in which both sizes of a pixel are whole numbers.
        if width * size[1] > height * size[0]:
            box[0] = (width * size[1] - height * size[0]) // 2 / size[1]
            box[2] = box[0] + height * size[0] / size[1]
        else:
            box[1] = (height * size[0] - width * size[1]) // 2 / size[0]
            box[3] = box[1] + width * size[1] / size[0]
        return scaled(levels, box, size, resampling)
    if fit == "STRETCH":
        return scaled(levels, box, size, resampling)
    scale = min(Fraction(size[0], width), Fraction(size[1], height))
    inner = [max(1, int(side * scale + Fraction(1, 2))) for side in (width, height)]
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    result = np.full((size[1], size[0], 3), 9, np.uint8)
    result[top:top + inner[1], left:left + inner[0]] = scaled(levels, box, inner, resampling)
    return result


def main():
    task, folder = sys.argv[1], Path(sys.argv[2])
    if task == "write":
        write(folder)
    elif task == "read":
        print(json.dumps({path.name: described(shown(path)) for path in folder.iterdir()}))
    else:
        requests = json.load(sys.stdin)
        answers = []
        for name, width, height, fit, resampling in requests:
            levels = fitted(shown(folder / name), (width, height), fit, resampling)
            answers.append(levels.tobytes().hex())
        print(json.dumps(answers))


if __name__ == "__main__":
    main()
