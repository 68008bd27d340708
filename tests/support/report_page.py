"""Reads the pages and pictures of reports, and trains the runs that they show."""

import base64
import json
import struct
import zlib
from html.parser import HTMLParser
from xml.etree import ElementTree

from lockstep_run import PIXELS, SIDE, LockstepTest

NAMES = ["<script>alert(1)</script>", '"quotes" & \'more\'', "😀 emoji", "größte", "--></b>]]>"]
VOID = {"meta", "img", "br"}
FORBIDDEN = {"script", "link", "iframe", "object", "form", "base"}


def png_data(content):
    """(width, height, channels, filtered rows), after checking chunks and their sums."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, data, header = 8, b"", None
    while at < len(content):
        (length,) = struct.unpack(">I", content[at:at + 4])
        kind, body = content[at + 4:at + 8], content[at + 8:at + 8 + length]
        (check,) = struct.unpack(">I", content[at + 8 + length:at + 12 + length])
        assert zlib.crc32(kind + body) == check
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        if kind == b"IDAT":
            data += body
        at += 12 + length
    assert kind == b"IEND" and header is not None
    width, height, depth, colour, *_ = header
    assert depth == 8 and colour in (0, 2)
    channels = 1 if colour == 0 else 3
    data = zlib.decompress(data)
    assert len(data) == height * (1 + width * channels)
    return width, height, channels, data


def read_png(content):
    """(width, height, channels, rows of bytes)."""
    width, height, channels, data = png_data(content)
    return width, height, channels, unfilter(data, width * channels, channels)


def unfilter(data, stride, step):
    """Undoes the row filters of PNG (section 9 of its specification)."""
    rows, above = [], bytes(stride)
    for first in range(0, len(data), stride + 1):
        kind, row = data[first], bytearray(data[first + 1:first + 1 + stride])
        for i in range(stride):
            left = row[i - step] if i >= step else 0
            up, corner = above[i], above[i - step] if i >= step else 0
            if kind == 4:
                guess = left + up - corner
                near = min((left, up, corner), key=lambda each: abs(guess - each))
                row[i] = (row[i] + near) & 255
            else:
                row[i] = (row[i] + (0, left, up, (left + up) // 2)[kind]) & 255
        above = bytes(row)
        rows.append(above)
    return rows


class Balance(HTMLParser):
    """Every element is closed, and in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


class Page:
    """A page, parsed as XML, which is stricter than HTML."""

    def __init__(self, text):
        self.text = text
        self.root = ElementTree.fromstring(text)

    def section(self, name):
        return next((each for each in self.root.iter() if each.get("id") == name), None)

    def table(self, name):
        """The texts of the cells of a section's first table, line by line."""
        body = next(self.section(name).iter("tbody"))
        return [["".join(cell.itertext()) for cell in line] for line in body]

    def cards(self):
        cards = [each for each in self.root.iter("div") if each.get("class") == "card"]
        return {card[0].text: [dd.text for dd in card[1:]] for card in cards}

    def shots(self, name):
        """(row, [true class, predicted class if wrong], percent, pixels) of a gallery."""
        found = []
        for figure in self.section(name).iter("figure"):
            lines = figure.find("figcaption")
            row = int("".join(lines[2].itertext()).removeprefix("row "))
            names = [each.text for each in lines[0].iter("strong")]
            wrong = "wrong" in figure.get("class").split()
            assert wrong == (len(names) == 2)
            found.append((row, names, float(lines[1].text.rstrip("%")),
                          image_of(figure.find("img"))))
        return found


def image_of(element):
    kind, data = element.get("src").split(",")
    assert kind == "data:image/png;base64"
    return read_png(base64.b64decode(data, validate=True))


class ReportCase(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = "class_names: [" + ", ".join(json.dumps(name) for name in NAMES) + "]"
        text = cls.experiment.read_text().replace("classes: 5", "classes: 5 " + names)
        cls.experiment = cls.write("named.textproto", text)

    @classmethod
    def train_once(cls, run, *arguments, ranks=2):
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / run,
                              "--set", "training.epochs=1", *arguments, ranks=ranks)
        assert done.returncode == 0, done.stderr
        return cls.folder / run

    def pixels_of(self, row):
        """The picture of a row of the source, numbered from 1."""
        pixels = self.train_rows[row - 1][1]
        return SIDE, SIDE, 1, [bytes(pixels[y:y + SIDE]) for y in range(0, PIXELS, SIDE)]

    def check_page(self, text):
        """What holds for every page."""
        balance = Balance()
        balance.feed(text)
        balance.close()
        self.assertEqual(balance.open, [])
        self.assertEqual(balance.tags & FORBIDDEN, set())
        page = Page(text)
        self.assertNotIn("http://", text)
        self.assertNotIn("https://", text)
        self.assertNotIn("url(", text)
        self.assertNotIn("@import", text)
        for element in page.root.iter():
            for key, value in element.attrib.items():
                self.assertFalse(key.startswith("on"), key)
                if key in ("src", "href"):
                    self.assertRegex(value, r"\A(data:image/png;base64,|#)")
        policy = [each.get("content") for each in page.root.iter("meta")
                  if each.get("http-equiv") == "Content-Security-Policy"]
        self.assertEqual(len(policy), 1)
        self.assertTrue(policy[0].startswith("default-src 'none'; img-src data:; "))
        self.assertNotIn("script-src", policy[0])
        self.assertEqual(text.count("<script"), 0)
        return page
