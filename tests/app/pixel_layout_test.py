"""Pixels that are laid out otherwise than they are read: inspect, the dry run and the training
say so."""

import gzip
import random
import struct
import unittest
import zipfile
from pathlib import Path

from lockstep_run import EXPERIMENT, LockstepTest

DOUBT = "the images are much smoother"
PLANES = f"{DOUBT} with a plane for each channel; they are read as "
DIGITS = Path(__file__).resolve().parents[2] / "data" / "digit-recognizer.zip"


def patches(rows, height, width, channels, seed=1):
    """Images of a coloured patch on a ground of another colour, and a little noise:
    [row][y][x][channel]."""
    numbers = random.Random(seed)
    made = []
    for _ in range(rows):
        ground, patch = ([numbers.randrange(30, 226) for _ in range(channels)] for _ in range(2))
        top, left = numbers.randrange(height // 2), numbers.randrange(width // 2)
        made.append([[[level + numbers.randrange(-9, 10) for level in
                       (patch if top <= y < top + height // 2 and left <= x < left + width // 2
                        else ground)] for x in range(width)] for y in range(height)])
    return made


def noise(rows, height, width, channels, grey=False):
    """Levels without any neighbourhood; with `grey` the same in each channel."""
    numbers = random.Random(2)
    def pixel():
        levels = [numbers.randrange(256) for _ in range(channels)]
        return [levels[0]] * channels if grey else levels
    return [[[pixel() for _ in range(width)] for _ in range(height)] for _ in range(rows)]


def interleaved(image):
    return [level for row in image for pixel in row for level in pixel]


def planar(image):
    return [pixel[channel] for channel in range(len(image[0][0])) for row in image
            for pixel in row]


def transposed(image):
    return [level for column in zip(*image) for pixel in column for level in pixel]


def csv_of(rows, labelled=True):
    """Rows of pixels, labels in turn."""
    lines = [",".join((["label"] if labelled else []) + [f"p{i}" for i in range(len(rows[0]))])]
    for number, pixels in enumerate(rows):
        lines.append(",".join(map(str, ([number % 5] if labelled else []) + pixels)))
    return "\n".join(lines) + "\n"


class InspectTest(LockstepTest):
    def doubt_about(self, images, layout):
        """What inspect says of the layout, as text; its JSON must say the same."""
        path = self.write("rows.csv", csv_of([layout(image) for image in images]))
        text, json = (self.lockstep("inspect", path, *words, ranks=None).stdout
                      for words in ([], ["--json"]))
        lines = [line for line in text.splitlines() if line.startswith("warning: ")]
        self.assertLessEqual(len(lines), 1)
        if not lines:
            self.assertIn('"layout_doubt": null', json)
            return ""
        self.assertIn(f'"layout_doubt": "{lines[0].removeprefix("warning: ")}"', json)
        return lines[0]

    def test_planes_of_colour(self):
        images = patches(40, 12, 12, 3)
        self.assertEqual(self.doubt_about(images, interleaved), "")
        self.assertIn(PLANES + "12x12x3", self.doubt_about(images, planar))

    def test_grey_pictures_in_three_channels(self):
        images = [[[pixel * 3 for pixel in row] for row in image]
                  for image in patches(40, 12, 12, 1)]
        self.assertEqual(self.doubt_about(images, interleaved), "")
        self.assertIn(PLANES, self.doubt_about(images, planar))

    def test_noise_tells_nothing(self):
        for grey in (False, True):
            for layout in (interleaved, planar):
                self.assertEqual(self.doubt_about(noise(40, 8, 8, 3, grey), layout), "")

    def test_square_images_of_one_channel_cannot_tell(self):
        images = patches(40, 12, 12, 1)
        for layout in (interleaved, transposed):
            self.assertEqual(self.doubt_about(images, layout), "")

    def test_a_width_for_a_height(self):
        images = patches(40, 10, 16, 1)
        for height, width, doubted in ((10, 16, False), (16, 10, True)):
            idx = struct.pack(">IIII", 0x803, len(images), height, width)
            idx += b"".join(bytes(interleaved(image)) for image in images)
            path = self.write("images.gz", gzip.compress(idx))
            text = self.lockstep("inspect", path, ranks=None).stdout
            self.assertEqual(f"{DOUBT} as 10x16; they are read as 16x10x1" in text, doubted)
            self.assertEqual("warning" in text, doubted)

    def test_digits_raise_no_doubt(self):
        with zipfile.ZipFile(DIGITS) as archive, archive.open("train.csv") as lines:
            rows = [next(lines) for _ in range(201)]
        text = self.lockstep("inspect", self.write("digits.csv", b"".join(rows)), ranks=None).stdout
        self.assertNotIn("warning", text)
        # A crop of 20 rows, read as one of 20 columns.
        crops = [line.split(b",")[1:][4 * 28:24 * 28] for line in rows[1:]]
        for height, width, doubted in ((20, 28, False), (28, 20, True)):
            idx = struct.pack(">IIII", 0x803, len(crops), height, width)
            idx += b"".join(bytes(map(int, crop)) for crop in crops)
            text = self.lockstep("inspect", self.write("crops", idx), ranks=None).stdout
            self.assertEqual(DOUBT in text, doubted)


class TrainingTest(LockstepTest):
    def experiment_of(self, rows, height, width, channels):
        train = self.write("train-rows.csv", csv_of(rows))
        text = EXPERIMENT % {"train": train, "test": ""}
        return self.write("layout.textproto", text.replace(
            "shape { height: 12 width: 12 channels: 1 }",
            f"shape {{ height: {height} width: {width} channels: {channels} }}"))

    def test_warnings(self):
        colour = patches(100, 12, 12, 3)
        wide = patches(100, 10, 16, 1)
        for ranks, images, layout, shape, message in (
                (1, colour, planar, (12, 12, 3), PLANES + "12x12x3"),
                (3, colour, planar, (12, 12, 3), PLANES + "12x12x3"),
                (2, colour, interleaved, (12, 12, 3), None),
                (2, wide, interleaved, (16, 10, 1), f"{DOUBT} as 10x16; they are read as 16x10x1"),
                (1, wide, transposed, (10, 16, 1), f"{DOUBT} as 16x10; they are read as 10x16x1"),
                (3, wide, interleaved, (10, 16, 1), None)):
            experiment = self.experiment_of([layout(image) for image in images], *shape)
            done = self.lockstep("train", experiment, "--set=training.epochs=1", "--run-dir", "run",
                                 "--resume", "never", ranks=ranks)
            planned = self.lockstep("train", experiment, "--dry-run", ranks=ranks)
            for text in (done.stderr, planned.stdout):
                self.assertEqual(text.count(DOUBT), 0 if message is None else 1, text)
                self.assertIn(message or "", text)


if __name__ == "__main__":
    unittest.main()
