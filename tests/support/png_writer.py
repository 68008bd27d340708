"""Writes PNG files of every kind, for tests of what reads them."""

import struct
import zlib

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16),
          RGB_ALPHA: (8, 16)}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The passes of an interlaced file: first column and row, steps between them.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))


def chunk(kind, content):
    return (struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content)))


def header(width, height, colour, depth, interlaced=False):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def packed(samples, depth):
    """A row of samples as bytes: most significant bits first."""
    if depth == 16:
        return b"".join(struct.pack(">H", sample) for sample in samples)
    bits = "".join(f"{sample:0{depth}b}" for sample in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def filtered(rows, step):
    """The rows' bytes, each row by another filter; `step` is a pixel's size in bytes."""
    result = b""
    above = bytes(len(rows[0])) if rows else b""
    for number, row in enumerate(rows):
        kind = number % 5
        result += bytes([kind])
        for i, value in enumerate(row):
            a = row[i - step] if i >= step else 0
            b = above[i]
            c = above[i - step] if i >= step else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            result += bytes([(value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256])
        above = row
    return result


def png(pixels, colour=GREY, depth=8, interlaced=False, extra=b""):
    """A file of pixels[y][x], each a tuple of samples; `extra` are chunks before the data."""
    height, width = len(pixels), len(pixels[0])
    data = b""
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        rows = [packed([sample for pixel in row[left::across] for sample in pixel], depth)
                for row in pixels[top::down] if row[left::across]]
        data += filtered(rows, max(1, CHANNELS[colour] * depth // 8))
    return (SIGNATURE + header(width, height, colour, depth, interlaced) + extra
            + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def grey_png(levels, colour=GREY, depth=8, interlaced=False):
    """A file of levels[y][x], 0 or 255 where the depth is less than 8, in any kind."""
    largest = 2 ** depth - 1
    if colour == PALETTE:
        # The first two entries, or all greys where there are so many.
        entries = [0, 255] if depth < 8 else range(256)
        palette = chunk(b"PLTE", b"".join(bytes([entry] * 3) for entry in entries))
        indices = [[(entries.index(level),) for level in row] for row in levels]
        return png(indices, colour, depth, interlaced, palette)
    colours = 3 if colour in (RGB, RGB_ALPHA) else 1
    opaque = (largest,) if colour in (GREY_ALPHA, RGB_ALPHA) else ()
    return png([[(level * largest // 255,) * colours + opaque for level in row]
                for row in levels], colour, depth, interlaced)
