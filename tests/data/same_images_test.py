"""The same images as CSV, in folders, lists, archives, arrays and files of rows: the same weights at
any number of ranks, and one line for what is wrong with a file."""

import io
import json
import struct
import tarfile
import unittest
import zipfile

from lockstep_run import CLASSES, SIDE, LockstepTest, csv_text, images
from png_writer import grey_png

ROWS = 303
EXPERIMENT = """
name: "same"
seed: 3
data {
  train { path: "%(train)s" }
  shape { height: 12 width: 12 channels: 1 }
  classes: 5
  augmentation { rotation_degrees: 5 translation_pixels: 1 }
  cache: "NONE"
}
model {
  layer { conv { filters: 4 activation: RELU } }
  layer { max_pool { size: 2 } }
  layer { flatten {} }
  layer { dense { units: 5 } }
}
training { global_batch: 48 lanes: 4 epochs: 2 }
optimizer { adam { learning_rate: 0.01 } }
"""


def lines_of(pixels):
    return [pixels[y * SIDE:(y + 1) * SIDE] for y in range(SIDE)]


def png(pixels):
    return grey_png(lines_of(pixels), depth=8)


def pgm(pixels):
    return b"P5 %d %d 255\n" % (SIDE, SIDE) + bytes(pixels)


def bmp(pixels):
    """From the lowest line up, blue, green, red; a line of 36 bytes needs no padding."""
    body = b"".join(bytes(v for v in line for _ in range(3)) for line in lines_of(pixels)[::-1])
    return (struct.pack("<2sIII", b"BM", 54 + len(body), 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, len(body), 0, 0, 0, 0) + body)


def npy(values, kind, shape):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values


def tar_of(members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


class SameImagesTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Sorted by class, as the names of files in folders of classes are.
        cls.rows = sorted(images(ROWS, seed=5), key=lambda row: row[0])
        cls.csv = cls.write("same.csv", csv_text(cls.rows))
        cls.members = [(f"{label}/{i:04}.png", png(pixels))
                       for i, (label, pixels) in enumerate(cls.rows)]
        cls.write_files("folder", cls.members)
        cls.expected = cls.weights("csv", cls.csv)

    @classmethod
    def write_files(cls, folder, members):
        for name, content in members:
            path = cls.folder / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    @classmethod
    def run_of(cls, name, path, *words, ranks=None, command="train"):
        experiment = cls.write(f"{name}.textproto", EXPERIMENT % {"train": path})
        run = cls.folder / f"run-{name}-{ranks or 1}"
        return cls.run_binary(command, experiment, "--run-dir", run, *words, ranks=ranks)

    @classmethod
    def weights(cls, name, path, *words, ranks=None):
        done = cls.run_of(name, path, *words, ranks=ranks)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    def sources(self):
        """(name, path, settings) of the same rows."""
        yield "folder", self.folder / "folder", ()
        for write, name in ((pgm, "pgm"), (bmp, "bmp")):
            self.write_files(name, [(f"{label}/{i:04}.{name}", write(pixels))
                                    for i, (label, pixels) in enumerate(self.rows)])
            yield name, self.folder / name, ()
        lines = "".join(f"folder/{name},{label}\n" for (name, _), (label, _)
                        in zip(self.members, self.rows))
        yield "list", self.write("list.csv", "filename,label\n" + lines), ()
        yield "bare-list", self.write("bare.csv", lines.replace(",", ";")), ()
        stems = "".join(f"{name[:-4]},{label}\n" for (name, _), (label, _)
                        in zip(self.members, self.rows))
        labels = self.write("stems.csv", "id,class\n" + stems)
        yield "stems", self.folder / "folder", ("--set", f"data.train.labels={labels}")
        for name, mode in (("tar", "w"), ("tar.gz", "w:gz")):
            yield name, self.write(f"same.{name}", tar_of(self.members, mode)), ()
        below = [("set/train-images/" + name, content) for name, content in self.members]
        yield "below.tar", self.write("below.tar", tar_of(below)), ()
        with zipfile.ZipFile(self.folder / "same.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.members:
                archive.writestr(name, content)
        yield "zip", self.folder / "same.zip", ()
        shards = [[], []]
        for i, ((_, content), (label, _)) in enumerate(zip(self.members, self.rows)):
            shards[i >= 100] += [(f"{i:06}.png", content), (f"{i:06}.cls", f"{label}\n".encode())]
        self.write_files("shards", [(f"{k:03}.tar", tar_of(shard))
                                    for k, shard in enumerate(shards)])
        yield "webdataset", self.folder / "shards", ()
        with zipfile.ZipFile(self.folder / "same.npz", "w", zipfile.ZIP_DEFLATED) as arrays:
            values = b"".join(bytes(pixels) for _, pixels in self.rows)
            arrays.writestr("train_images.npy", npy(values, "|u1", (ROWS, SIDE, SIDE)))
            values = struct.pack(f"<{ROWS}q", *(label for label, _ in self.rows))
            arrays.writestr("train_labels.npy", npy(values, "<i8", (ROWS, 1)))
        yield "npz", self.folder / "same.npz", ()
        self.lockstep("pack", self.csv, "--out", self.folder / "same.rows", ranks=None)
        yield "rows", self.folder / "same.rows", ()

    def test_the_same_weights(self):
        for number, (name, path, words) in enumerate(self.sources()):
            all_ranks = name in ("folder", "tar.gz", "webdataset")
            for ranks in (1, 2, 3, 4) if all_ranks else (1 + number % 4,):
                with self.subTest(name=name, ranks=ranks):
                    self.assertEqual(self.weights(name, path, *words, ranks=ranks), self.expected)

    def test_from_the_cache(self):
        cache = self.folder / "cache"
        for start in ("first", "second"):
            with self.subTest(start):
                weights = self.weights(f"cached-{start}", self.folder / "folder",
                                       "--set", f"data.cache={cache}", ranks=2)
                self.assertEqual(weights, self.expected)
        self.assertEqual(len(list(cache.iterdir())), 1)

    def test_a_cache_of_a_list_ends_with_its_pictures(self):
        """One is changed in place, and has as many bytes as before."""
        self.write_files("listed", [(f"{i:04}.pgm", pgm(pixels))
                                    for i, (_, pixels) in enumerate(self.rows)])
        lines = "".join(f"{i:04}.pgm,{label}\n" for i, (label, _) in enumerate(self.rows))
        inside = self.write("listed/list.csv", "filename,label\n" + lines)
        beside = self.write("beside.csv", "filename,label\n" + lines)
        folder = self.folder / "listed"
        for name, path, words in (("inside", inside, ()),
                                  ("beside", folder, ("--set", f"data.train.labels={beside}"))):
            with self.subTest(name):
                words += ("--set", f"data.cache={self.folder / ('kept-' + name)}")
                self.write_files("listed", [("0007.pgm", pgm(self.rows[7][1]))])
                self.assertEqual(self.weights(name, path, *words), self.expected)
                self.write_files("listed", [("0007.pgm", pgm([90] * SIDE * SIDE))])
                self.assertNotEqual(self.weights(name + "-changed", path, *words), self.expected)

    def test_inspect(self):
        text = self.lockstep("inspect", self.folder / "folder", "--json", ranks=None).stdout
        seen = json.loads(text)
        self.assertEqual((seen["format"], seen["rows"], seen["shape"]), ("images", ROWS, [12, 12, 1]))
        counts = {str(c): sum(label == c for label, _ in self.rows) for c in range(CLASSES)}
        self.assertEqual(seen["label_counts"], counts)

    def test_uses_by_folder(self):
        """train/ and val/ of a folder against a CSV file of the training rows, and one of the
        others."""
        training = [row for i, row in enumerate(self.rows) if i % 4]
        validation = [row for i, row in enumerate(self.rows) if i % 4 == 0]
        for use, rows in (("train", training), ("val", validation)):
            self.write_files(f"uses/{use}", [(f"{label}/{i:04}.png", png(pixels))
                                             for i, (label, pixels) in enumerate(rows)])
        plain = self.write("training.csv", csv_text(training))
        others = self.write("validation.csv", csv_text(validation))
        expected = self.weights("plain", plain, "--set", f"data.validation.source.path={others}")
        for ranks in (1, 3):
            self.assertEqual(self.weights("uses", self.folder / "uses", ranks=ranks), expected)
        done = self.run_of("uses", self.folder / "uses", "--dry-run")
        self.assertIn(f"{len(training)} training and {len(validation)} validation rows", done.stdout)

    def test_names_of_classes(self):
        words = ["ant", "bee", "cat", "dog", "eel"]
        self.write_files("named", [(words[label] + name[1:], content)
                                   for (name, content), (label, _) in zip(self.members, self.rows)])
        self.assertEqual(self.weights("named", self.folder / "named"), self.expected)
        run = self.folder / "run-named-1"
        report = (run / "classification_report.txt").read_text()
        self.assertTrue(all(word in report for word in words), report)
        out = self.folder / "named.out"
        self.lockstep("predict", run, "--data", self.folder / "named", "--out", out, ranks=2)
        lines = out.read_text().splitlines()
        self.assertEqual(len(lines), ROWS + 1)
        self.assertRegex(lines[1], r"\Aant/0000\.png,(ant|bee|cat|dog|eel),")

    def test_crops(self):
        """As GTSRB has them: the last column and row are inside."""
        members, lines = [], ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
        for i, (label, pixels) in enumerate(self.rows):
            around = [[77] * (SIDE + 3)] * 2
            around += [[77, *line, 77, 77] for line in lines_of(pixels)] + around + around[:1]
            body = bytes(v for line in around for v in line for _ in range(3))
            members.append((f"{i:05}.ppm", b"P6 %d %d 255\n" % (SIDE + 3, SIDE + 5) + body))
            lines.append(f"{i:05}.ppm;{SIDE + 3};{SIDE + 5};1;2;{SIDE};{SIDE + 1};{label}")
        self.write_files("signs", members)
        path = self.write("signs/GT-all.csv", "\n".join(lines) + "\n")
        self.assertEqual(self.weights("signs", path, ranks=2), self.expected)

    def refused(self, name, path, *words):
        for ranks in (1, 2):
            done = self.run_of(name, path, *words, ranks=ranks)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"\Alockstep: [^\n]*\n\Z")
        return done.stderr

    def test_refusals(self):
        good = self.members[:40]
        cut = good[:17] + [(good[17][0], good[17][1][:-30])] + good[18:]
        self.write_files("cut", cut)
        self.assertIn(f"cut/{good[17][0]}", self.refused("cut", self.folder / "cut"))
        self.assertIn(f"cut.tar.gz:{good[17][0]}", self.refused(
            "cut-tar", self.write("cut.tar.gz", tar_of(cut, "w:gz"))))
        self.write_files("stray", [*good, ("stray.png", good[0][1])])
        self.assertIn("stray.png lies beside folders", self.refused(
            "stray", self.folder / "stray"))
        self.write_files("flat", [(name.replace("/", "-"), content) for name, content in good])
        self.assertIn("no labels", self.refused("flat", self.folder / "flat"))
        rows = self.folder / "labelled.rows"
        self.lockstep("pack", self.csv, "--out", rows, ranks=None)
        for path in (self.write("full.csv", f"filename,label\nfolder/{good[0][0]},0\n"), rows):
            self.assertIn("expected no field `labels`", self.refused(
                "labels", path, "--set", f"data.train.labels={self.csv}"))
        self.write_files("empty", [("readme.txt", b"nothing")])
        self.assertIn("no image files", self.refused("empty", self.folder / "empty"))
        lines = [f"folder/{name},{name[0]}" for name, _ in good]
        for at, line, place in ((7, "folder/0/none.png,0", ":8:1: there is no file"),
                                (9, lines[9].split(",")[0], ":10:1: 1 field"),
                                (11, lines[11][:-1], ":12:1: no label")):
            path = self.write("bad.csv", "\n".join(lines[:at] + [line] + lines[at + 1:]) + "\n")
            self.assertIn(place, self.refused("bad-list", path))
        for header, found in (("filename", "1 name"), ("id,filename,label", "3 names"), ("", "1 name")):
            path = self.write("bad.csv", "\n".join([header, *lines]) + "\n")
            self.assertIn(f"bad.csv:1:1: {found}; expected 2", self.refused("bad-list", path))
        path = self.write("bad.csv", "\n".join([f"folder/{'x' * 300}.png,0", *lines]) + "\n")
        self.assertIn("bad.csv:1:1: there is no file", self.refused("bad-list", path))
        six = [(f"{i % 6}/{i:04}.png", content) for i, (_, content) in enumerate(good)]
        self.write_files("six", six)
        self.assertIn("six/5/0005.png: \"5\" is out of range; expected a label from 0 to 4",
                      self.refused("six", self.folder / "six"))
        self.assertIn("1 or 3 channels", self.refused(
            "deep", self.folder / "folder", "--set", "data.shape.channels=2"))


if __name__ == "__main__":
    unittest.main()
