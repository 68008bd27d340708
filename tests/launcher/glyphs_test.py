"""What the drawing of glyphs makes of a few fonts."""

import hashlib
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from test_venv import PYTHON

ROOT = Path(__file__).resolve().parents[2]
GLYPHS = ROOT / "launcher" / "glyphs.py"
FONTS = Path("/usr/share/fonts/truetype/dejavu")  # of fonts-dejavu-core, which the build wants
SIDE = 28
CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class GlyphsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.fonts = self.folder / "fonts"
        (self.fonts / "more").mkdir(parents=True)
        for name, copy in (("DejaVuSans.ttf", "a.ttf"), ("DejaVuSerif-Bold.ttf", "more/b.TTF")):
            shutil.copy(FONTS / name, self.fonts / copy)

    def python(self, *words):
        done = subprocess.run([PYTHON, *map(str, words)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def draw(self, name, *words):
        """The digests of the files that it writes."""
        out = self.folder / name
        self.said = self.python(GLYPHS, self.fonts, out, *words)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}

    def test_the_same_bytes_in_every_run(self):
        first = self.draw("one", "--variations", 3)
        self.assertEqual(sorted(first), ["glyphs-fonts.txt", "test-images", "test-labels",
                                         "train-images", "train-labels"])
        self.assertEqual(self.draw("two", "--variations", 3, "--jobs", 2), first)
        self.assertNotEqual(self.draw("three", "--variations", 4)["train-images"],
                            first["train-images"])

    def test_rows_and_labels(self):
        self.draw("out", "--variations", 5)
        self.assertEqual(self.said, "620 images of 2 faces, 0 of 0 others for tests, 62 classes\n")
        images = (self.folder / "out" / "train-images").read_bytes()
        labels = (self.folder / "out" / "train-labels").read_bytes()
        self.assertEqual(images[:16], struct.pack(">4I", 0x803, 620, SIDE, SIDE))
        self.assertEqual(labels[:8], struct.pack(">2I", 0x801, 620))
        self.assertEqual(labels[8:], bytes(label for _ in range(2) for label in range(62)
                                           for _ in range(5)))
        self.assertEqual(len(images), 16 + 620 * SIDE * SIDE)
        rows = [images[at:at + SIDE * SIDE] for at in range(16, len(images), SIDE * SIDE)]
        self.assertEqual(len(set(rows)), 620)
        for row, label in zip(rows, labels[8:]):
            lines = [row[at:at + SIDE] for at in range(0, SIDE * SIDE, SIDE)]
            inked = [at for at, line in enumerate(lines) if max(line) > 127]
            height = inked[-1] - inked[0] + 1
            # Capitals are 16 pixels high, times 0.8 to 1.1; "x" of these fonts is 0.75 as high.
            if CLASSES[label] in "EHI":
                self.assertTrue(12 <= height <= 21, height)
            elif CLASSES[label] == "x":
                self.assertTrue(9 <= height <= 16, height)

    def test_what_is_left_out(self):
        (self.fonts / "no.ttf").write_bytes(b"no font")
        shutil.copy(FONTS / "DejaVuSans.ttf", self.fonts / "z.ttf")
        (self.fonts / "link.ttf").symlink_to("a.ttf")
        self.draw("out", "--variations", 1)
        told = (self.folder / "out" / "glyphs-fonts.txt").read_text().splitlines()
        self.assertEqual(told, [
            "train\ta.ttf\tDejaVu Sans\tBook", "train\tmore/b.TTF\tDejaVu Serif\tBold",
            "out\tno.ttf\tnot read: unknown file format\t", "out\tz.ttf\tas a.ttf\t"])

    def test_faces_that_cannot_be_read(self):
        # A character that the font lacks, an empty one, and letters in each other's places.
        script = f"""if True:
            import sys
            from pathlib import Path
            sys.path.insert(0, {str(GLYPHS.parent)!r})
            import glyphs
            made = glyphs.measure(Path({str(self.fonts / 'a.ttf')!r}), "a.ttf")
            right = glyphs.CLASSES
            for classes in (right[:-1] + "\\U0010fffc", right[:-1] + " "):
                glyphs.CLASSES = classes
                print(ascii(glyphs.draw(made)))
            drawn = []
            for classes in (right, right, right.swapcase()):
                glyphs.CLASSES = classes
                drawn.append(glyphs.draw(made))
            glyphs.CLASSES = right
            kept, left_out = glyphs.readable(drawn)
            print(len(kept), left_out)"""
        self.assertEqual(self.python("-c", script).splitlines(), [
            r"'no \U0010fffc'", "'empty  '", "2 {'a.ttf': '0 of 20 letters can be read'}"])


if __name__ == "__main__":
    unittest.main()
