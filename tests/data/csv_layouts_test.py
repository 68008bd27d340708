"""CSV files in the layouts of well-known sets, as Python's csv module writes them: what
`inspect` says of them, and that a training reads the rows of the plain file."""

import collections
import csv
import gzip
import io
import json
import unittest

from lockstep_run import CLASSES, PIXELS, ROWS, SIDE, LockstepTest

MODEL = """
name: "layouts"
data {
  train { path: "%(train)s" }
  shape { height: 12 width: 12 channels: 1 }
  classes: 5
}
model {
  layer { flatten {} }
  layer { dense { units: 5 } }
}
training { global_batch: 512 lanes: 4 epochs: 1 }
"""
NAMES = [f"pixel{i}" for i in range(PIXELS)]
WORDS = ["ant", "bee, \"the\" one", "cat's", "dog;x", "eel"]  # in the order of the alphabet
SETTINGS_OF_TRANSPOSED = ["--set", "data.csv.layout=TRANSPOSED"]


def written(lines, **dialect):
    text = io.StringIO()
    csv.writer(text, **{"lineterminator": "\n"} | dialect).writerows(lines)
    return text.getvalue()


def transposed(pixels):
    return [pixels[x % SIDE * SIDE + x // SIDE] for x in range(PIXELS)]


class CsvLayoutsTest(LockstepTest):
    plain_digest = None

    def found(self, name, content, *words):
        path = self.write(name, content)
        return json.loads(self.lockstep("inspect", path, "--json", *words, ranks=None).stdout)

    def expected_digest(self):
        """That of the plain file, which is trained once."""
        if self.plain_digest is None:
            type(self).plain_digest = self.data_digest("plain", self.train_csv)
        return self.plain_digest

    def data_digest(self, name, path, *words, ranks=None):
        experiment = self.write_experiment(f"{name}.textproto", path, MODEL)
        self.train(name, *words, experiment=experiment, ranks=ranks)
        state = self.folder / name / "checkpoints" / "best" / "state.json"
        return json.loads(state.read_text())["data_digest"]

    def layouts(self):
        """(name, lines, dialect, settings, what is found) of files with the same rows."""
        rows = self.train_rows
        plain = [[y] + p for y, p in rows]
        header = ["label"] + NAMES
        lists = [[y, " ".join(map(str, p))] for y, p in rows]
        labelled = "header; label: column \"label\"; pixels 0 to 255"
        bare = "no header; label: the first column; pixels 0 to 255"
        yield "no-header", plain, {}, [], bare
        yield ("no-header-last", [p + [y] for y, p in rows], {}, [],
               "no header; label: the last column; pixels 0 to 255")
        yield "from-1", [[y + 1] + p for y, p in rows], {}, [], bare
        yield ("with-a-gap", [header] + [[y if y < 3 else y + 1] + p for y, p in rows], {}, [],
               labelled)
        yield "transposed", [[y] + transposed(p) for y, p in rows], {}, SETTINGS_OF_TRANSPOSED, bare
        yield ("all-quoted", [header] + plain, {"quoting": csv.QUOTE_ALL}, [], labelled)
        yield ("quoted-names", [header] + plain, {"quoting": csv.QUOTE_NONNUMERIC}, [], labelled)
        yield "crlf", [header] + plain, {"lineterminator": "\r\n"}, [], labelled
        yield ("semicolons", [header] + plain, {"delimiter": ";"}, [],
               "header; ';' between; label: column \"label\"; pixels 0 to 255")
        yield ("tabs", plain, {"delimiter": "\t"}, [],
               "no header; tabs between; label: the first column; pixels 0 to 255")
        yield ("blanks", plain, {"delimiter": " "}, [],
               "no header; blanks between; label: the first column; pixels 0 to 255")
        yield ("index", [[""] + header] + [[i] + row for i, row in enumerate(plain)], {}, [],
               "header; label: column \"label\"; id: the first column; pixels 0 to 255")
        yield ("id", [["id"] + header] + [[i] + row for i, row in enumerate(plain)], {}, [],
               "header; label: column \"label\"; id: column \"id\"; pixels 0 to 255")
        yield ("text", [NAMES + ["character"]] + [p + [WORDS[y]] for y, p in rows], {}, [],
               "header; label: column \"character\", text; pixels 0 to 255")
        yield ("number-and-text",
               [NAMES + ["label", "character"]] + [p + [y, WORDS[y]] for y, p in rows], {}, [],
               "header; label: column \"label\"; ignored: column \"character\"; pixels 0 to 255")
        yield ("point-zero", [header] + [[y] + [f"{v}.0" for v in p] for y, p in rows], {}, [],
               "header; label: column \"label\"; real pixels")
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC):
            yield (f"list-{quoting}", [["emotion", " pixels"]] + lists, {"quoting": quoting}, [],
                   "header; label: column \"emotion\"; all pixels: column \"pixels\"; pixels 0 to "
                   "255")

    def test_all_have_the_rows_of_the_plain_file(self):
        labels = collections.Counter(y for y, _ in self.train_rows)
        expected = self.expected_digest()
        for number, (name, lines, dialect, settings, found) in enumerate(self.layouts()):
            with self.subTest(name):
                text = written(lines, **dialect)
                seen = self.found(f"{name}.csv", text)
                self.assertEqual((seen["found"], seen["rows"], seen["shape"]),
                                 (found, ROWS, [SIDE, SIDE, 1]))
                # Without data.classes a gap in the numbers is a class without rows.
                counts = [count for count in seen["label_counts"].values() if count > 0]
                self.assertEqual(counts, [labels[y] for y in sorted(labels)])
                ranks = (None, 2, 3)[number % 3]
                path = self.folder / f"{name}.csv"
                self.assertEqual(self.data_digest(name, path, *settings, ranks=ranks), expected)

    def test_labels_are_as_the_csv_module_reads_them(self):
        lines = [NAMES + ["character"]] + [p + [WORDS[y]] for y, p in self.train_rows]
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC):
            text = written(lines, quoting=quoting)
            read = collections.Counter(row["character"] for row in csv.DictReader(io.StringIO(text)))
            self.assertEqual(self.found("words.csv", text)["label_counts"], dict(read))

    def test_packed(self):
        text = written([[y] + p for y, p in self.train_rows])
        path = self.write("rows.csv.gz", gzip.compress(text.encode()))
        self.assertEqual(self.data_digest("packed", path), self.expected_digest())

    def test_labels_in_a_file_of_their_own(self):
        expected = self.expected_digest()
        images = self.write("images.csv", written([p for _, p in self.train_rows]))
        named = self.write("named.csv", written([["id"] + NAMES] + [
            [f"row{i}"] + p for i, (_, p) in enumerate(self.train_rows)]))
        labels = [y for y, _ in self.train_rows]
        joined = [[f"row{i}", WORDS[y]] for i, y in enumerate(labels)]
        for name, source, lines in (("lines", images, [[y] for y in labels]),
                                    ("words", images, [["what"]] + [[WORDS[y]] for y in labels]),
                                    ("joined", named, [["id", "label"]] + joined[::-1])):
            with self.subTest(name):
                path = self.write(f"{name}.labels", written(lines))
                words = ["--set", f"data.train.labels={path}"]
                self.assertEqual(self.data_digest(name, source, *words, ranks=2), expected)
        path = self.write("unnamed.labels", written([["id", "label"]] + joined[::-1]))
        done = self.run_binary("inspect", images, "--labels", path, ranks=None)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}: has ids, but the rows of {images} have none", done.stderr)
        path = self.write("fewer.labels", written([[y] for y in labels[1:-1]]))
        done = self.run_binary("inspect", images, "--labels", path, ranks=None)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}: {ROWS - 2} lines; expected {ROWS}, as there are rows", done.stderr)

    def test_the_split_of_the_source(self):
        uses = ["Training" if i % 6 else ("PublicTest" if i % 12 else "PrivateTest")
                for i in range(ROWS)]
        lines = [["emotion", "pixels", "Usage"]] + [
            [y, " ".join(map(str, p)), use] for (y, p), use in zip(self.train_rows, uses)]
        found = self.found("split.csv", written(lines))
        self.assertEqual(found["found"],
                         "header; label: column \"emotion\"; split: column \"Usage\"; all pixels: "
                         "column \"pixels\"; pixels 0 to 255")
        expected = collections.Counter(
            str(y) for (y, _), use in zip(self.train_rows, uses) if use == "Training")
        self.assertEqual(found["label_counts"], dict(sorted(expected.items())))

    def test_a_fault_ends_with_its_place(self):
        """In each layout a row without its last field, a field that is wrong, a blank line."""
        for name, lines, dialect, _, _ in self.layouts():
            text = written(lines, **dialect)
            end = dialect.get("lineterminator", "\n")
            separator = dialect.get("delimiter", ",")
            rows = text.split(end)
            line = 500
            row = rows[line - 1]
            quote = '"' if row.startswith('"') else ""
            bad = len(row[:row.rindex(separator)]) + 2 if name.startswith("list") else 1
            wrong = (row + "?" if name.startswith("list") else
                     f"{quote}x{quote}" + row[row.index(separator):])
            faults = {"short": (row[:row.rindex(separator)],
                                len(row[:row.rindex(separator)]) + 1),
                      "blank": ("", 1)}
            if name not in ("index", "id"):
                faults["wrong"] = (wrong, bad)
            for fault, (with_fault, column) in faults.items():
                with self.subTest(name, fault=fault):
                    damaged = end.join(rows[:line - 1] + [with_fault] + rows[line:])
                    path = self.write("damaged.csv", damaged)
                    done = self.run_binary("inspect", path, ranks=None)
                    self.assertEqual(done.returncode, 2, done.stdout)
                    self.assertIn(f"{path}:{line}:{column}: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
