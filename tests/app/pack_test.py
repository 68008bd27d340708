"""Packed rows as a source, held in memory or left in their file, and the cache of decoded rows:
the same weights, evaluations and predictions as from the text that they were made of."""

import gzip
import json
import signal
import struct
import unittest

from lockstep_run import CLASSES, EXPERIMENT, PIXELS, ROWS, SIDE, LockstepTest

EXIT_RESTART = 75
EXIT_USAGE = 2
HEAD_BYTES = 4096

# Of a rank: no row fits, so that all stay in the file.
STREAMED = {"LOCKSTEP_DATA_MEMORY": "1"}

SHAPE = ("--set", f"data.shape.height={SIDE}", "--set", f"data.shape.width={SIDE}",
         "--set", "data.shape.channels=1")


class PackTest(LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = cls.folder / "train.rows"
        done = cls.run_binary("pack", cls.train_csv, "--experiment", cls.experiment,
                              "--out", cls.rows)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.packed = cls.write_experiment("packed.textproto", train=cls.rows)
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "text",
                              "--threads", 1, ranks=None)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.expected = done.stdout.splitlines()[-1].split(":")[1]  # of the text

    def run_with(self, environment, *arguments, ranks=1):
        done = self.start(*arguments, ranks=ranks, **environment).end()
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def weights(self, run, experiment, ranks=1, environment={}):
        return self.digest_of(self.run_with(environment, "train", experiment, "--run-dir",
                                            self.folder / run, "--threads", 1, ranks=ranks))

    def test_the_file_is_the_same_at_every_number_of_ranks(self):
        content = self.rows.read_bytes()
        rows, row_bytes = struct.unpack_from("<2Q", content, 32)
        self.assertEqual((rows, row_bytes), (ROWS, PIXELS))
        for row, (_, pixels) in enumerate(self.train_rows):
            first = HEAD_BYTES + row * PIXELS
            self.assertEqual(list(content[first:first + PIXELS]), pixels)
        for ranks in (2, 3, 4):
            out = self.folder / f"of-{ranks}.rows"
            done = self.lockstep("pack", self.train_csv, *SHAPE, "--out", out, ranks=ranks)
            self.assertEqual(done.stdout.splitlines()[-1],
                             f"{ROWS} rows of {SIDE}x{SIDE}x1, {len(content)} bytes to {out}")
            self.assertEqual(out.read_bytes(), content)

    def test_weights_are_those_of_the_text(self):
        for ranks in (1, 2, 3, 4):
            self.assertEqual(self.weights(f"held-{ranks}", self.packed, ranks), self.expected)
            self.assertEqual(self.weights(f"streamed-{ranks}", self.packed, ranks, STREAMED),
                             self.expected)

    def test_resumed_within_an_epoch(self):
        arguments = ("train", self.packed, "--run-dir", self.folder / "parts", "--threads", 1)
        for ranks, step in ((3, 5), (1, 9), (2, 20)):  # of 17 an epoch
            hold = self.hold("step", step)
            job = self.start(*arguments, ranks=ranks, holds=[hold], **STREAMED)
            hold.reached(job)
            job.send(signal.SIGUSR1)
            hold.go_on(after=signal.SIGUSR1)
            done = job.end()
            self.assertEqual(done.returncode, EXIT_RESTART, done.stderr)
        done = self.run_with(STREAMED, *arguments, ranks=4)
        self.assertIn("going on in", done.stdout)
        self.assertEqual(self.digest_of(done), self.expected)

    def test_used_for_evaluation_and_prediction(self):
        run = self.folder / "text"
        texts = []
        for environment, data in (({}, self.train_csv), ({}, self.rows), (STREAMED, self.rows)):
            for ranks in (1, 3):
                out = self.folder / "out.csv"
                self.run_with(environment, "predict", run, "--data", data, "--out", out,
                              ranks=ranks)
                done = self.run_with(environment, "evaluate", run, "--data", data, "--json",
                                     ranks=ranks)
                texts.append((out.read_text(), done.stdout))
        for text in texts[1:]:
            self.assertEqual(text, texts[0])

    def test_inspected(self):
        seen = json.loads(self.lockstep("inspect", self.rows, "--json").stdout)
        self.assertEqual(seen["format"], "rows")
        self.assertEqual(seen["rows"], ROWS)
        self.assertEqual(seen["shape"], [SIDE, SIDE, 1])
        counts = [sum(label == each for label, _ in self.train_rows) for each in range(CLASSES)]
        self.assertEqual(seen["label_counts"], {str(i): n for i, n in enumerate(counts)})

    def test_a_cut_file_is_refused(self):
        whole = self.rows.read_bytes()
        cut = self.write("cut.rows", whole[:-1])
        experiment = self.write_experiment("cut.textproto", train=cut)
        done = self.run_binary("train", experiment, "--run-dir", self.folder / "cut", ranks=2)
        self.assertEqual(done.returncode, EXIT_USAGE)
        self.assertEqual(done.stderr, f"lockstep: {cut}: a file of rows of {len(whole) - 1} "
                                      f"bytes; its head says {len(whole)}\n")

    def test_a_damaged_row_is_named(self):
        damaged = bytearray(self.rows.read_bytes())
        damaged[HEAD_BYTES + 500 * PIXELS + 3] ^= 16
        path = self.write("damaged.rows", bytes(damaged))
        experiment = self.write_experiment("damaged.textproto", train=path)
        for environment in ({}, STREAMED):
            done = self.start("train", experiment, "--run-dir", self.folder / "damaged",
                              ranks=2, **environment).end()
            self.assertEqual(done.returncode, EXIT_USAGE, done.stderr)
            self.assertIn(f"{path}: the pixels of row 500 are not those that were written",
                          done.stderr)

    def test_a_full_disk_leaves_no_file(self):
        out = self.folder / "limited.rows"
        done = self.run_binary("pack", self.train_csv, *SHAPE, "--out", out,
                               before=("sh", "-c", 'trap "" XFSZ; ulimit -f 50; exec "$@"', "sh"))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"lockstep: {out}: write failed: File too large\n")
        self.assertEqual(list(self.folder.glob("*limited*")), [])


class CacheTest(LockstepTest):
    """Of a source that must be unpacked: IDX images, gzipped."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pixels = b"".join(bytes(each) for _, each in cls.train_rows)
        labels = bytes(label for label, _ in cls.train_rows)
        images = cls.write("images.gz", gzip.compress(
            struct.pack(">4I", 0x803, ROWS, SIDE, SIDE) + pixels))
        names = cls.write("labels.gz", gzip.compress(struct.pack(">2I", 0x801, ROWS) + labels))
        text = EXPERIMENT.replace('train { path: "%(train)s" }',
                                  f'train {{ path: "{images}" labels: "{names}" }}')
        cls.experiment = cls.write_experiment("idx.textproto", text=text)
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.folder / "none",
                              "--threads", 1, "--set", "data.cache=NONE", ranks=None)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        cls.expected = done.stdout.splitlines()[-1].split(":")[1], done.stderr

    def weights(self, run, cache, ranks=1, **environment):
        done = self.start("train", self.experiment, "--run-dir", self.folder / run, "--threads",
                          1, "--set", f"data.cache={cache}", ranks=ranks, **environment).end()
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.digest_of(done), done.stderr

    def test_weights_are_the_same_and_it_is_made_once(self):
        cache = self.folder / "cache"
        self.assertEqual(self.weights("first", cache, ranks=3), self.expected)
        made = [(path, path.stat().st_mtime_ns) for path in cache.iterdir()]
        self.assertEqual(len(made), 1)
        for ranks in (1, 2, 4):
            self.assertEqual(self.weights(f"again-{ranks}", cache, ranks), self.expected)
            streamed = self.weights(f"streamed-{ranks}", cache, ranks, **STREAMED)
            self.assertEqual(streamed, self.expected)
        self.assertEqual([(path, path.stat().st_mtime_ns) for path in cache.iterdir()], made)

    def test_where_it_cannot_be_written_a_line_says_so(self):
        no_folder = self.write("no-folder", "x")
        digest, errors = self.weights("no", no_folder, ranks=2)
        self.assertEqual(digest, self.expected[0])
        self.assertEqual(errors.count("\n"), 1)
        self.assertIn("decoded rows are not kept for the next start", errors)

    def test_of_itself_for_what_does_not_fit_into_memory(self):
        home = self.folder / "home"
        caches = {"XDG_CACHE_HOME": "", "HOME": str(home)}
        self.assertEqual(self.weights("small", "AUTO", **caches), self.expected)
        self.assertFalse(home.exists())
        self.assertEqual(self.weights("large", "AUTO", ranks=2, **caches, **STREAMED),
                         self.expected)
        self.assertEqual(len(list((home / ".cache/lockstep").iterdir())), 1)


if __name__ == "__main__":
    unittest.main()
