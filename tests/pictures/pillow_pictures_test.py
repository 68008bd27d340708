"""Image files of every kind as Pillow sees them, and pictures scaled as Pillow scales them."""

import json
import os
import random
import resource
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import png_writer
from test_venv import PYTHON, run_python

PROGRAM = os.environ["PICTURE_PIXELS"]
MEMORY_BYTES = 256 << 20


def ask(requests, most_memory=None):
    """The answers of the program: (width, height, levels), or the words of its errors."""
    def limit():
        if most_memory:
            resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))

    lines = "".join(" ".join(map(str, request)) + "\n" for request in requests)
    done = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True,
                          preexec_fn=limit)
    answers = []
    for line in done.stdout.splitlines():
        words = line.split(maxsplit=2)
        answers.append(line if words[0] == "error" else
                       (int(words[0]), int(words[1]), bytes.fromhex(words[2])))
    assert len(answers) == len(requests)
    return answers


def luma(levels):
    return bytes((299 * red + 587 * green + 114 * blue + 500) // 1000
                 for red, green, blue in zip(*[iter(levels)] * 3))


class PillowPicturesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="pictures-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = Path(cls.scratch.name)
        run_python("pillow_pictures.py", "write", cls.folder)
        cls.write_pngs()
        cls.shown = {name: (width, height, bytes.fromhex(levels)) for name, (width, height, levels)
                     in json.loads(run_python("pillow_pictures.py", "read", cls.folder)).items()}

    @classmethod
    def write_pngs(cls):
        """Each kind that Pillow does not write; of 16 bits it sees some in another way."""
        numbers = random.Random(7)
        for colour, depths in png_writer.DEPTHS.items():
            for depth in depths:
                for width, height in ((1, 1), (5, 7), (33, 17)):
                    pixels = [[tuple(numbers.randrange(2 ** depth)
                                     for _ in range(png_writer.CHANNELS[colour]))
                               for _ in range(width)] for _ in range(height)]
                    entries = bytes(numbers.randrange(256) for _ in range(3 * 2 ** depth))
                    extra = png_writer.chunk(b"PLTE", entries) \
                        if colour == png_writer.PALETTE else b""
                    for interlaced in (False, True):
                        file = png_writer.png(pixels, colour, depth, interlaced, extra)
                        deep = "deep" if depth == 16 else "kind"
                        name = f"{deep}-{colour}-{depth}-{interlaced:d}-{width}x{height}.png"
                        (cls.folder / name).write_bytes(file)
                        if depth == 16:
                            cls.deep[name] = pixels

    deep = {}

    def asked(self, names, channels=3):
        requests = [(self.folder / name, channels, 255) for name in names]
        return dict(zip(names, ask(requests), strict=True))

    def assert_near(self, levels, expected, most, name):
        self.assertEqual(len(levels), len(expected), name)
        self.assertLessEqual(max(abs(a - b) for a, b in zip(levels, expected)), most, name)

    def test_files_without_loss(self):
        names = [name for name in self.shown
                 if not name.endswith("jpeg") and not name.startswith("deep")]
        self.assertGreater(len(names), 90)
        for name, answer in self.asked(names).items():
            self.assertEqual(answer, self.shown[name], name)
        for name, (width, height, levels) in self.asked(names, 1).items():
            self.assertEqual((width, height), self.shown[name][:2], name)
            self.assertEqual(levels, luma(self.shown[name][2]), name)

    def test_deep_pngs(self):
        self.assertEqual(len(self.deep), 24)
        for name, (_, _, levels) in self.asked(list(self.deep)).items():
            expected = []
            for pixel in (pixel for row in self.deep[name] for pixel in row):
                samples = [(510 * sample + 65535) // (2 * 65535) for sample in pixel]
                opacity = samples.pop() if len(samples) in (2, 4) else 255
                expected += [(sample * opacity + 255 * (255 - opacity) + 127) // 255
                             for sample in samples * (3 // len(samples))]
            self.assertEqual(levels, bytes(expected), name)

    def test_jpegs(self):
        names = [name for name in self.shown if name.endswith("jpeg")]
        self.assertGreater(len(names), 60)
        for name, answer in self.asked(names).items():
            self.assertEqual(answer[:2], self.shown[name][:2], name)
            self.assert_near(answer[2], self.shown[name][2], 2, name)
        for name, answer in self.asked(names, 1).items():
            self.assert_near(answer[2], luma(self.shown[name][2]), 2, name)

    def test_the_eight_orientations_differ(self):
        shown = [self.shown[f"turned-{value}-33x17.jpeg"] for value in range(10)]
        self.assertEqual(len(set(shown[1:9])), 8)
        self.assertEqual({shown[0], shown[9]}, {shown[1]})

    def fitted(self, requests):
        """What the program makes, and what Pillow (BILINEAR) or NumPy (AREA) does."""
        ours = ask([(self.folder / name, 3, 9, height, width, fit, resampling)
                    for name, width, height, fit, resampling in requests])
        done = subprocess.run(
            [PYTHON, Path(__file__).parents[1] / "support" / "pillow_pictures.py", "fit",
             self.folder], input=json.dumps(requests), capture_output=True, text=True, check=True)
        return list(zip(requests, ours, map(bytes.fromhex, json.loads(done.stdout)), strict=True))

    def test_fits(self):
        requests = [(f"fit-{size}.png", width, height, fit, resampling)
                    for size in ("33x17", "17x33", "64x64", "5x41", "100x100")
                    for width, height in ((32, 32), (16, 16), (7, 11), (11, 4), (3, 3), (40, 90))
                    for fit in ("STRETCH", "FIT", "CROP") for resampling in ("AREA", "BILINEAR")
                    # Means are of what shrinks.
                    if resampling == "BILINEAR" or min(map(int, size.split("x"))) >= max(
                        width, height)]
        self.assertGreater(len(requests), 120)
        for request, ours, others in self.fitted(requests):
            self.assertEqual(ours[:2], request[1:3])
            # Pillow rounds between the axes too.
            self.assert_near(ours[2], others, 1, request)

    def test_reduced_jpegs_are_where_the_whole_ones_are(self):
        names = [name for name in self.shown if name.startswith("large")]
        self.assertEqual(len(names), 32)
        requests = [(name, width, height, fit, "AREA") for name in names
                    for width, height in ((32, 32), (31, 16), (16, 63))
                    for fit in ("STRETCH", "FIT", "CROP")]
        for request, ours, others in self.fitted(requests):
            self.assert_near(ours[2], others, 3, request)

    def cuts(self, name, least=0):
        content = (self.folder / name).read_bytes()
        requests = []
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for size in range(least, len(content)):
                path = Path(folder, f"{size}.cut")
                path.write_bytes(content[:size])
                requests.append((path, 3, 255))
            return list(zip(requests, ask(requests), strict=True))

    def test_every_cut_file_is_refused(self):
        for name in ("smooth-RGB-5x7.jpeg", "noise-RGB-5x7.jpeg", "noise-CMYK-5x7.jpeg",
                     "restart-33x17.jpeg", "turned-6-5x7.jpeg", "mode-RGBA-5x7.png",
                     "kind-2-8-1-5x7.png", "RGB-5x7.ppm", "L-5x7.ppm", "mode-RGB-5x7.bmp",
                     "palette-5x7.bmp", "mode-1-5x7.bmp"):
            for request, answer in self.cuts(name):
                self.assertTrue(str(answer).startswith("error 2 "), f"{name} {request}: {answer}")

    def test_a_jpeg_that_ends_early_says_so(self):
        for _, answer in self.cuts("smooth-RGB-33x17.jpeg", 200):
            self.assertIn("it is cut short", answer)

    def changed(self, name, place, value):
        content = bytearray((self.folder / name).read_bytes())
        content[place:place + len(value)] = value
        return bytes(content)

    def refused(self, content, channels=3):
        path = self.folder / "changed"
        path.write_bytes(content)
        self.addCleanup(path.unlink, missing_ok=True)
        answer, = ask([(path, channels, 255)], MEMORY_BYTES)
        self.assertTrue(str(answer).startswith("error 2 "), answer)
        return answer

    def frame(self, name):
        """Where a JPEG has its height and width."""
        content = (self.folder / name).read_bytes()
        return max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2")) + 5

    def test_headers_that_lie(self):
        for name in ("smooth-RGB-33x17.jpeg", "noise-RGB-33x17.jpeg", "restart-33x17.jpeg"):
            place = self.frame(name)
            words = self.refused(self.changed(name, place, struct.pack(">HH", 170, 33)))
            self.assertIn("not a whole JPEG file", words)
        header = png_writer.header(33, 170, png_writer.RGB, 8)
        words = self.refused(self.changed("mode-RGB-33x17.png", 8, header))
        self.assertIn("not a whole PNG file", words)

    def test_bytes_too_many(self):
        # As many good files have them: before the end's mark, and after it.
        name = "restart-33x17.jpeg"
        content = (self.folder / name).read_bytes()
        self.assertEqual(content[-2:], b"\xff\xd9")
        path = self.folder / "longer"
        self.addCleanup(path.unlink, missing_ok=True)
        for longer in (content[:-2] + bytes(65) + content[-2:], content + b"and more"):
            path.write_bytes(longer)
            answer, = ask([(path, 3, 255)])
            self.assertEqual(answer, self.asked([name])[name])
        # Within the pixels they are damage.
        mark = content.index(b"\xff\xd1")
        words = self.refused(content[:mark] + bytes(65) + content[mark:])
        self.assertIn("extraneous bytes before marker 0xd1", words)

    def test_an_end_that_is_put_on(self):
        for name in ("smooth-RGB-33x17.jpeg", "noise-RGB-33x17.jpeg"):
            content = (self.folder / name).read_bytes()
            for kept in (len(content) - 20, len(content) - 60):
                self.assertIn("not a whole JPEG file: Corrupt JPEG data",
                              self.refused(content[:kept] + b"\xff\xd9"))

    def test_sizes_without_bound(self):
        bombs = [self.changed(name, self.frame(name), struct.pack(">HH", 65500, 65500))
                 for name in ("smooth-RGB-33x17.jpeg", "noise-RGB-33x17.jpeg")]
        header = png_writer.header(65500, 65500, png_writer.RGB, 8)
        bombs.append(self.changed("mode-RGB-33x17.png", 8, header))
        header = png_writer.header(65500, 65500, png_writer.GREY, 1, interlaced=True)
        bombs.append(self.changed("mode-L-33x17.png", 8, header))
        bombs.append(b"P6 65500 65500 255\n" + bytes(99))
        for bomb in bombs:
            self.assertIn("65500 x 65500 pixels; expected at most 32000000", self.refused(bomb))

    def test_damage_is_never_taken_for_a_picture_of_another_size(self):
        numbers = random.Random(3)
        for name in ("smooth-RGB-33x17.jpeg", "noise-CMYK-33x17.jpeg", "restart-33x17.jpeg",
                     "palette-33x17.png", "palette-33x17.bmp"):
            content = (self.folder / name).read_bytes()
            requests = []
            with tempfile.TemporaryDirectory(dir=self.folder) as folder:
                for number in range(400):
                    damaged = bytearray(content)
                    damaged[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
                    path = Path(folder, str(number))
                    path.write_bytes(damaged)
                    requests.append((path, 3, 255))
                answers = ask(requests)
            for answer in answers:
                if isinstance(answer, str):
                    self.assertTrue(answer.startswith("error 2 "), answer)
                else:
                    self.assertEqual(len(answer[2]), 3 * answer[0] * answer[1])

    def test_headers(self):
        expected = {"mode-L-5x7.png": "PNG 5 7 1", "mode-RGB-5x7.png": "PNG 5 7 3",
                    "mode-LA-5x7.png": "PNG 5 7 1", "palette-5x7.png": "PNG 5 7 3",
                    "smooth-L-5x7.jpeg": "JPEG 5 7 1", "smooth-CMYK-5x7.jpeg": "JPEG 5 7 3",
                    "turned-6-5x7.jpeg": "JPEG 7 5 3", "L-5x7.ppm": "PPM or PGM 5 7 1",
                    "mode-1-5x7.bmp": "BMP 5 7 1", "palette-5x7.bmp": "BMP 5 7 3"}
        lines = "".join(f"{self.folder / name} header\n" for name in expected)
        done = subprocess.run([PROGRAM], input=lines, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.splitlines(), list(expected.values()))


if __name__ == "__main__":
    unittest.main()
