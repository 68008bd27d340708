#!/usr/bin/env python3
"""Draws the letters and figures of fonts as IDX files of 28x28 grey pixels: some faces for
training, and those of other families for tests. The same fonts and the same Pillow give the
same bytes.

    launcher/glyphs.py FONTS OUT [--variations N] [--jobs N]

FONTS is a folder; Pillow must be there to import. OUT gets train-images, train-labels,
test-images, test-labels and glyphs-fonts.txt."""

from __future__ import annotations

import argparse
import hashlib
import math
import multiprocessing
import random
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SIDE = 28

# A glyph is drawn once, four times as large, and sampled from there for each variation.
LARGE = 4 * SIDE
BASELINE = LARGE * 20 // 28
CAPITALS = LARGE * 16 // 28  # their height
WIDEST = LARGE * 26 // 28

# One family in so many is for the tests.
TESTED = 8

# Not assigned by Unicode: what a font draws for it stands for any character that it lacks.
ABSENT = "\U0010fffd"

# Letters whose two cases differ in shape, not in size alone.
TWO_SHAPES = "ABDEGHNQRTabdeghnqrt"

# Where shapes are compared: each glyph's box is stretched to so many pixels a side.
COARSE = 12
# So many of TWO_SHAPES must be likest to the mean of their own class. Symbols, other alphabets
# and fonts of capitals alone are not.
READABLE = 12


@dataclass(frozen=True)
class Face:
    """One face of a font file, at the size that gives its capitals their height."""

    path: Path
    name: str  # where the file lies below the folder of fonts
    family: str
    style: str
    size: float

    def group(self) -> str:
        """Families of one maker often begin with one word: they stay on one side."""
        return (self.family.lower().split() or [""])[0]

    def is_for_tests(self) -> bool:
        return hashlib.sha256(self.group().encode()).digest()[0] % TESTED == 0


@dataclass(frozen=True)
class Drawn:
    """The large glyphs of a face, in the order of CLASSES, and their coarse shapes."""

    face: Face
    glyphs: list[bytes]
    shapes: list[bytes]


def _open(path: Path, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def _draw(font: ImageFont.FreeTypeFont, character: str) -> Image.Image:
    """On its baseline, centred between left and right."""
    left, _, right, _ = font.getbbox(character, anchor="ls")
    image = Image.new("L", (LARGE, LARGE))
    at = (round((LARGE - left - right) / 2), BASELINE)
    ImageDraw.Draw(image).text(at, character, font=font, fill=255, anchor="ls")
    return image


def _shape(glyph: Image.Image) -> bytes:
    box = glyph.getbbox()
    return glyph.resize((COARSE, COARSE), Image.Resampling.BOX, box=box).tobytes()


def _difference(one: bytes, other: bytes) -> int:
    return sum(map(abs, map(int.__sub__, one, other)))


def measure(path: Path, name: str) -> Face | str:
    """The face, or why it is left out."""
    try:
        font = _open(path, LARGE)
        _, top, _, bottom = font.getbbox("H", anchor="ls")
        if bottom - top < LARGE // 8:
            return "no H"
        size = LARGE * CAPITALS / (bottom - top)
        widest = max(right - left for left, _, right, _ in
                     (font.getbbox(each, anchor="ls") for each in CLASSES)) * size / LARGE
        size = round(size * min(1.0, WIDEST / widest), 2)
        family, style = (each or "" for each in font.getname())
    except (OSError, ValueError) as error:
        return f"not read: {error}"
    return Face(path, name, family, style, size)


def draw(face: Face) -> Drawn | str:
    """Its glyphs, or why the face is left out."""
    try:
        font = _open(face.path, face.size)
        glyphs = [_draw(font, each) for each in CLASSES]
        absent = _draw(font, ABSENT)
    except (OSError, ValueError) as error:
        return f"not drawn: {error}"
    for character, glyph in zip(CLASSES, glyphs):
        if glyph.getbbox() is None:
            return f"empty {character}"
        if glyph.tobytes() == absent.tobytes():
            return f"no {character}"
    shapes = [_shape(glyph) for glyph in glyphs]
    return Drawn(face, [glyph.tobytes() for glyph in glyphs], shapes)


def readable(drawn: list[Drawn]) -> tuple[list[Drawn], dict[str, str]]:
    """The faces whose letters are like those of most faces; and why others are left out."""
    classes = [CLASSES.index(each) for each in TWO_SHAPES]
    means = []
    for number in classes:
        columns = zip(*(each.shapes[number] for each in drawn))
        means.append(bytes(sum(column) // len(drawn) for column in columns))
    kept, left_out = [], {}
    for each in drawn:
        right = 0
        for at, number in enumerate(classes):
            far = [_difference(each.shapes[number], mean) for mean in means]
            right += far.index(min(far)) == at
        if right >= READABLE:
            kept.append(each)
        else:
            left_out[each.face.name] = f"{right} of {len(classes)} letters can be read"
    return kept, left_out


def choose(fonts: Path, each: Callable = map) -> tuple[list[Drawn], dict[str, str]]:
    """The faces of the fonts below a folder that draw every class, each look once; and why
    others are left out. `each` maps a function over a list, in its order."""
    paths = sorted(path for path in fonts.rglob("*")
                   if path.suffix.lower() in (".ttf", ".otf") and path.is_file()
                   and not path.is_symlink())
    names = [path.relative_to(fonts).as_posix() for path in paths]
    drawn, left_out, seen = [], {}, {}
    for name, made in zip(names, each(_measure_and_draw, list(zip(paths, names)))):
        if isinstance(made, str):
            left_out[name] = made
            continue
        digest = hashlib.sha256(b"".join(made.glyphs)).digest()
        if digest in seen:
            left_out[name] = f"as {seen[digest]}"
        else:
            seen[digest] = name
            drawn.append(made)
    kept, unread = readable(drawn)
    return kept, left_out | unread


def _measure_and_draw(where: tuple[Path, str]) -> Drawn | str:
    face = measure(*where)
    return face if isinstance(face, str) else draw(face)


def _variation(weights: list[Image.Image], draws: random.Random) -> bytes:
    """Turned, slanted, sized and moved a little, in one of three weights."""
    # A normal draw is cut off: few glyphs are far from upright.
    angle = math.radians(max(-12.0, min(12.0, draws.gauss(0.0, 4.0))))
    slant = max(-0.25, min(0.25, draws.gauss(0.0, 0.08)))
    scale = draws.uniform(0.8, 1.1)
    stretch = draws.uniform(0.92, 1.08)
    right, down = draws.uniform(-2.0, 2.0) * 4, draws.uniform(-2.0, 2.0) * 4
    weight = weights[draws.choices((0, 1, 2), (5, 3, 2))[0]]
    # Sampled twice as large as wanted; a pixel of the result is then a mean of four.
    step = LARGE / (2 * SIDE)
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = cos / (scale * stretch), sin / (scale * stretch)
    d, e = -sin / scale, cos / scale
    a, b = a + slant * d, b + slant * e
    centre = LARGE / 2
    matrix = (a * step, b * step, centre - step * SIDE * (a + b) - a * right - b * down,
              d * step, e * step, centre - step * SIDE * (d + e) - d * right - e * down)
    sampled = weight.transform((2 * SIDE, 2 * SIDE), Image.Transform.AFFINE, matrix,
                               Image.Resampling.BILINEAR)
    return sampled.reduce(2).tobytes()


def variations(task: tuple[Drawn, int]) -> bytes:
    """The images of a face: all variations of its first class, of the next, and so on."""
    drawn, count = task
    pixels = []
    for character, glyph in zip(CLASSES, drawn.glyphs):
        image = Image.frombytes("L", (LARGE, LARGE), glyph)
        weights = [image, *(image.filter(ImageFilter.MaxFilter(width)) for width in (3, 5))]
        draws = random.Random(f"{drawn.face.name} {character}")
        pixels += [_variation(weights, draws) for _ in range(count)]
    return b"".join(pixels)


def write(out: Path, part: str, drawn: list[Drawn], count: int, each: Callable) -> int:
    """Writes the two IDX files of a part; returns its images."""
    images = len(drawn) * len(CLASSES) * count
    with (out / f"{part}-images").open("wb") as file:
        file.write(struct.pack(">IIII", 0x803, images, SIDE, SIDE))
        for pixels in each(variations, [(one, count) for one in drawn]):
            file.write(pixels)
    labels = b"".join(bytes([label]) * count for label in range(len(CLASSES)))
    header = struct.pack(">II", 0x801, images)
    (out / f"{part}-labels").write_bytes(header + labels * len(drawn))
    return images


def run(fonts: Path, out: Path, count: int, each: Callable) -> None:
    """Draws all; what was made goes to standard output, a line."""
    drawn, left_out = choose(fonts, each)
    parts = {"train": [one for one in drawn if not one.face.is_for_tests()],
             "test": [one for one in drawn if one.face.is_for_tests()]}
    if not drawn:
        sys.exit(f"{fonts}: none of its {len(left_out)} faces can be drawn")
    out.mkdir(parents=True, exist_ok=True)
    images = {part: write(out, part, some, count, each) for part, some in parts.items()}
    lines = [f"{part}\t{one.face.name}\t{one.face.family}\t{one.face.style}"
             for part, some in parts.items() for one in some]
    lines += [f"out\t{name}\t{why}\t" for name, why in sorted(left_out.items())]
    (out / "glyphs-fonts.txt").write_text("".join(f"{line}\n" for line in lines))
    print(f"{images['train']} images of {len(parts['train'])} faces, "
          f"{images['test']} of {len(parts['test'])} others for tests, {len(CLASSES)} classes")


def main() -> None:
    """What the module says above."""
    parser = argparse.ArgumentParser()
    parser.add_argument("fonts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variations", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    wanted = parser.parse_args()
    with multiprocessing.Pool(wanted.jobs) as pool:
        run(wanted.fonts, wanted.out, wanted.variations, lambda task, of: pool.imap(task, of, 4))


if __name__ == "__main__":
    main()
