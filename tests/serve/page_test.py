"""The page in a browser: digits are drawn with pointer events and recognized. With
LOCKSTEP_SCREENSHOTS=FOLDER it leaves pictures of the page there."""

import math
import os
import unittest
from pathlib import Path

from browser import CHROMIUM, Browser
from serving import ServeTest

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENT = f"""
name: "page"
seed: 1
data {{
  train {{ path: "{ROOT}/data/digit-recognizer.zip" member: "train.csv" }}
  shape {{ height: 28 width: 28 channels: 1 }}
  classes: 10
  augmentation {{ rotation_degrees: 8 translation_pixels: 1.5 scale: 0.08 }}
}}
model {{
  layer {{ conv {{ filters: 8 kernel: 5 activation: RELU }} }}
  layer {{ max_pool {{ size: 2 }} }}
  layer {{ conv {{ filters: 16 activation: RELU }} }}
  layer {{ max_pool {{ size: 2 }} }}
  layer {{ flatten {{}} }}
  layer {{ dense {{ units: 10 }} }}
}}
training {{ global_batch: 128 lanes: 2 epochs: 1 }}
optimizer {{ adam {{ learning_rate: 0.003 }} }}
"""


def line(*corners):
    """Points along straight lines, in the unit square."""
    points = [corners[0]]
    for (x0, y0), (x1, y1) in zip(corners, corners[1:]):
        points += [(x0 + (x1 - x0) * t / 8, y0 + (y1 - y0) * t / 8) for t in range(1, 9)]
    return points


def ring(x, y, width, height):
    angles = [2 * math.pi * i / 30 - math.pi / 2 for i in range(31)]
    return [(x + width / 2 * math.cos(a), y + height / 2 * math.sin(a)) for a in angles]


DIGITS = {
    "0": [ring(0.5, 0.5, 0.42, 0.62)],
    "1": [line((0.52, 0.2), (0.48, 0.8))],
    "7": [line((0.3, 0.22), (0.7, 0.22), (0.45, 0.8))],
    "4": [line((0.35, 0.2), (0.3, 0.52), (0.7, 0.52)), line((0.66, 0.2), (0.62, 0.82))],
}


@unittest.skipUnless(CHROMIUM, "no chromium here to show the page")
class PageTest(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.end)

    @classmethod
    def train_model(cls):
        cls.checkpoint = cls.folder / "run"
        experiment = cls.write("page.textproto", EXPERIMENT)
        done = cls.run_binary("train", experiment, "--run-dir", cls.checkpoint, ranks=2)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def open_page(self, width, height, phone, scheme="light"):
        self.browser.size(width, height, phone)
        self.browser.colours(scheme)
        self.browser.call("Page.navigate", url=self.server.address)
        self.browser.wait_for("document.querySelectorAll('#bars li').length === 10")

    def draw(self, strokes, finger):
        box = self.browser.evaluate(
            "(() => { const b = document.getElementById('pad').getBoundingClientRect();"
            " return [b.left, b.top, b.width, b.height]; })()")
        for stroke in strokes:
            points = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in stroke]
            (self.browser.swipe if finger else self.browser.drag)(points + points[-1:])

    def text(self, name):
        return self.browser.evaluate(f"document.getElementById('{name}').textContent.trim()")

    def keep_picture(self, name):
        if folder := os.environ.get("LOCKSTEP_SCREENSHOTS"):
            self.browser.evaluate("new Promise(resolve => setTimeout(resolve, 300))")
            Path(folder, f"{name}.png").write_bytes(self.browser.screenshot())

    def assert_fits(self, width):
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)

    def check_digits(self, finger):
        for digit, strokes in DIGITS.items():
            with self.subTest(digit=digit):
                self.draw(strokes, finger)
                self.browser.wait_for("!asking && !changed")
                self.assertEqual(self.text("best"), digit)
                shares = self.browser.evaluate(
                    "bars.map(({bar}) => Number(bar.style.getPropertyValue('--p')))")
                self.assertAlmostEqual(sum(shares), 1, places=5)
                self.assertEqual(shares.index(max(shares)), int(digit))
                self.browser.evaluate("document.getElementById('clear').click()")
                self.browser.wait_for("!asking && !changed")
                self.assertEqual(self.text("best"), "–")
        self.assertEqual(self.text("status"), "")
        self.assertEqual(self.browser.errors, [])

    def seen(self):
        """The levels of the picture of what the network saw."""
        return self.browser.evaluate(
            "[...document.getElementById('seen').getContext('2d')"
            ".getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)")

    def test_digits_drawn_with_the_mouse(self):
        self.open_page(1280, 900, phone=False)
        self.assertEqual(self.text("prompt"), "Draw a digit")
        self.keep_picture("desktop-empty")
        self.check_digits(finger=False)
        self.draw(DIGITS["7"], finger=False)
        self.browser.wait_for("!asking && !changed")
        self.keep_picture("desktop")
        self.assert_fits(1280)

    def test_digits_drawn_with_a_finger(self):
        self.open_page(390, 844, phone=True)
        self.keep_picture("phone-empty")
        self.check_digits(finger=True)
        self.draw(DIGITS["4"], finger=True)
        self.browser.wait_for("!asking && !changed")
        self.keep_picture("phone")
        self.assert_fits(390)
        self.assertLessEqual(
            self.browser.evaluate("document.documentElement.scrollHeight"), 844)

    def test_small_phone_and_dark_colours(self):
        for name, size, phone in (("small", (320, 568), True), ("dark-phone", (390, 844), True),
                                  ("dark-desktop", (1280, 900), False),
                                  ("landscape", (844, 390), True)):
            with self.subTest(name=name):
                self.open_page(*size, phone, "dark" if "dark" in name else "light")
                self.draw(DIGITS["0"], finger=phone)
                self.browser.wait_for("!asking && !changed")
                self.assertEqual(self.text("best"), "0")
                self.keep_picture(name)
                self.assert_fits(size[0])

    def test_the_network_sees_the_drawing_framed_as_its_training_images(self):
        self.open_page(1280, 900, phone=False)
        self.draw([line((0.1, 0.1), (0.1, 0.4))], finger=False)  # small, in a corner
        self.browser.wait_for("!asking && !changed")
        levels = self.seen()
        rows = [y for y in range(28) if max(levels[28 * y:28 * y + 28]) > 128]
        self.assertTrue(18 <= len(rows) <= 22, rows)
        total = sum(levels)
        middle = sum(level * (i % 28 + 0.5) for i, level in enumerate(levels)) / total
        self.assertAlmostEqual(middle, 14, delta=1)

    def test_undo(self):
        self.open_page(1280, 900, phone=False)
        self.draw(DIGITS["4"], finger=False)
        self.browser.wait_for("!asking && !changed")
        before = self.seen()
        self.draw([line((0.1, 0.9), (0.9, 0.9))], finger=False)
        self.browser.wait_for("!asking && !changed")
        self.assertNotEqual(self.seen(), before)
        self.browser.evaluate("document.getElementById('undo').click()")
        self.browser.wait_for("!asking && !changed")
        self.assertEqual(self.seen(), before)

    def test_a_server_that_is_gone_is_said(self):
        server = self.start_server()
        self.browser.call("Page.navigate", url=server.address)
        self.browser.wait_for("document.querySelectorAll('#bars li').length === 10")
        server.end()
        self.draw(DIGITS["1"], finger=False)
        self.browser.wait_for("document.getElementById('status').textContent.includes('No answer')")
        self.browser.call("Page.navigate", url="about:blank")
        self.browser.errors.clear()


if __name__ == "__main__":
    unittest.main()
