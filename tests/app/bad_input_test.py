"""Bad usage, experiments and data: one line that says what is wrong, exit code 2, no
run folder; and odd but sound files, which must give the same weights."""

import os
import re
import unittest
import zipfile
from concurrent.futures import ThreadPoolExecutor

from lockstep_run import EXPERIMENT, LockstepTest, csv_text

# Where the faults of the bad CSV files are: far down, so that at 2 ranks it is the
# second that finds them.
BAD_ROW = 700
LINE = BAD_ROW + 2  # lines count from 1, and the first is the header


class BadInputTest(LockstepTest):
    def refuses(self, cases, rank_counts=(None, 2)):
        """cases: name -> (arguments, patterns that the message must match). A single
        rank, without mpirun, gets a named run folder, several get the default one."""

        def run(job):
            name, ranks = job
            arguments = list(cases[name][0])
            if arguments[:1] == ["train"] and ranks is None:
                arguments += ["--run-dir", self.folder / f"run-{name}"]
            return self.run_binary(*arguments, ranks=ranks)

        jobs = [(name, ranks) for name in cases for ranks in rank_counts]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for (name, ranks), done in zip(jobs, pool.map(run, jobs)):
                with self.subTest(name, ranks=ranks):
                    self.assertEqual(done.returncode, 2, done.stderr)
                    lines = done.stderr.splitlines()
                    self.assertEqual(len(lines), 1, done.stderr)
                    self.assertTrue(lines[0].startswith("lockstep: "), lines[0])
                    for pattern in cases[name][1]:
                        self.assertRegex(lines[0], pattern)
                    self.assertFalse((self.folder / f"run-{name}").exists())
                    self.assertFalse((self.folder / "models").exists())

    def with_data(self, name, content):
        """The arguments of a training on this content."""
        path = self.write(name, content)
        return ["train", self.write_experiment(f"{name}.textproto", train=path)]

    def with_text(self, name, old, new):
        """The arguments of a training of the experiment with `old` replaced."""
        self.assertIn(old, EXPERIMENT)
        return ["train", self.write_experiment(f"{name}.textproto",
                                               text=EXPERIMENT.replace(old, new))]

    def with_field(self, name, column, text):
        """... on data whose row BAD_ROW has `text` in that column, from 0, and where
        in the line that is, from 1."""
        lines = csv_text(self.train_rows).splitlines()
        fields = lines[LINE - 1].split(",")
        place = len(",".join(fields[:column])) + 2 if column else 1
        fields[column] = text
        lines[LINE - 1] = ",".join(fields)
        return self.with_data(name, "\n".join(lines) + "\n"), place

    def test_fields_of_rows(self):
        # name: column, field, its name in the header, what the message says of it
        faults = {
            "label-5.csv": (0, "5", "label", ["5", "from 0 to 4"]),
            "pixel-256.csv": (18, "256", "pixel17", ["256", "from 0 to 255"]),
            "pixel-word.csv": (144, "1x", "pixel143", ["1x", "from 0 to 255"]),
            "pixel-quoted.csv": (7, '"12', "pixel6", ["a quote that is not closed", '"12']),
            "label-negative.csv": (0, "-1", "label", ["-1", "expected 5, as data\\.classes"]),
            "label-word.csv": (0, "cat", "label", ["cat", "from 0 to 4"]),
            "label-empty.csv": (0, "", "label", ["empty", "from 0 to 4"]),
            "pixel-negative.csv": (18, "-3", "pixel17", ["-3", "from 0 to 255"]),
            "pixel-huge.csv": (18, "99999999999999999999", "pixel17", ["from 0 to 255"]),
            "pixel-fraction.csv": (7, "0.5", "pixel6", ["0\\.5", "from 0 to 255"]),
            "pixel-blank.csv": (7, " 12", "pixel6", ["space", "from 0 to 255"]),
        }
        cases = {}
        for name, (column, text, title, patterns) in faults.items():
            arguments, place = self.with_field(name, column, text)
            where = re.escape(f"{self.folder / name}:{LINE}:{place}: ") + f'.*"{title}"'
            cases[name] = (arguments, [where, *patterns])
        names = list(cases)
        self.refuses({name: cases[name] for name in names[:4]})
        self.refuses({name: cases[name] for name in names[4:]}, rank_counts=[None])

    def test_rows_and_headers(self):
        good = csv_text(self.train_rows).splitlines()
        short, long, blank, first_of_two, open_quote = (list(good) for _ in range(5))
        short[LINE - 1] = short[LINE - 1].rsplit(",", 1)[0]
        long[LINE - 1] += ",7"
        blank[LINE - 1] = ""
        first_of_two[LINE - 1] = "5" + first_of_two[LINE - 1][1:]
        first_of_two[300] = "x" + first_of_two[300][1:]
        open_quote[0] = open_quote[0].replace("label", '"label')
        cases = {}
        for name, lines, patterns in (
                ("short.csv", short, [f":{LINE}:", "144 columns", "145"]),
                ("two.csv", first_of_two, [":301:1:", '"label"']),
                ("header-only.csv", good[:1], [":2:1:", "no row"]),
                ("long.csv", long, [f":{LINE}:", "146 columns", "145"]),
                ("blank.csv", blank, [f":{LINE}:", "blank"]),
                ("quoted.csv", open_quote, [":1:1:", "a quote that is not closed"]),
                ("no-label.csv", [good[0].replace("label", "lable")] + good[1:],
                 [":1:1:", '"label"', 'did you mean "lable"']),
                ("unlabelled.csv", csv_text(self.test_rows, labelled=False).splitlines(),
                 [":1:1:", '"label"']),
                ("narrow.csv", [line.rsplit(",", 1)[0] for line in good],
                 [":1:1:", "143", "144", "12x12x1"])):
            arguments = self.with_data(name, "\n".join(lines) + "\n")
            cases[name] = (arguments, [re.escape(str(self.folder / name)), *patterns])
        for name, content in (("empty.csv", b""), ("only-bom.csv", b"\xef\xbb\xbf"),
                              ("only-newlines.csv", b"\n\r\n\n")):
            cases[name] = (self.with_data(name, content), [name, "empty"])
        cases["binary.csv"] = (self.with_data("binary.csv", bytes(range(256)) * 9),
                               ["binary\\.csv:1:"])
        on_two_ranks = ("short.csv", "two.csv", "header-only.csv", "empty.csv")
        self.refuses({name: cases[name] for name in on_two_ranks})
        self.refuses({name: case for name, case in cases.items() if name not in on_two_ranks},
                     rank_counts=[None])

    def test_files(self):
        archive = self.folder / "rows.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            out.write(self.train_csv, "train.csv")
        damaged = bytearray(archive.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        self.write("damaged.zip", damaged)

        def member(path, name):
            return ["train", self.experiment, "--set", f"data.train.path={self.folder / path}",
                    "--set", f"data.train.member={name}"]

        nowhere = str(self.folder / "nowhere.csv")
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.refuses({
            "no-data": (["train", self.experiment, "--set", f"data.train.path={nowhere}"],
                        [re.escape(nowhere), "No such file"]),
            "no-member": (member("rows.zip", "trian.csv"),
                          ["rows\\.zip", "trian\\.csv", 'did you mean "train\\.csv"']),
            "not-a-zip": (member("train.csv", "train.csv"), ["train\\.csv", "zip"]),
        })
        self.refuses({
            "member-not-named": (["train", self.experiment, "--set", f"data.train.path={archive}"],
                                 ["rows\\.zip", "member", "train\\.csv"]),
            "damaged-zip": (member("damaged.zip", "train.csv"), ["damaged\\.zip", "damaged"]),
            "a-folder": (["train", self.experiment, "--set", f"data.train.path={self.folder}"],
                         [re.escape(str(self.folder))]),
            "a-pipe": (["train", self.experiment, "--set", f"data.train.path={pipe}"],
                       [re.escape(str(pipe)), "not a file"]),
            "a-zip-from-a-pipe": (member("pipe", "train.csv"), [re.escape(str(pipe)), "not a file"]),
            "experiment-from-a-pipe": (["train", pipe], [re.escape(str(pipe)), "not a file"]),
        }, rank_counts=[None])

    def test_experiments(self):
        def override(value):
            return ["train", self.experiment, "--set", value]

        self.refuses({
            "no-experiment": (["train", "nowhere.textproto"], ["nowhere\\.textproto"]),
            "unknown-field": (self.with_text("unknown-field", "epochs: 2", "epoch: 2"),
                              ["unknown-field\\.textproto:\\d+:\\d+: ", '"epoch"',
                               'did you mean "epochs"']),
            "bad-enum": (self.with_text("bad-enum", "RELU", "RELO"),
                         ["bad-enum\\.textproto:\\d+:\\d+: ", '"RELO"', 'did you mean "RELU"']),
            "small-batch": (override("training.global_batch=4"),
                            ["training\\.global_batch", "4", "training\\.lanes", "5"]),
            "no-gpu": (override("device=CUDA"), ["device", "CUDA"]),
            "kernel-too-large": (override("model.layer[0].conv.kernel=13"),
                                 ["/tiny\\.textproto:13 with its overrides: "
                                  "model\\.layer\\[0\\] \\(conv\\)", "13x13", "12x12x1"]),
        })
        self.refuses({
            "unknown-section": (self.with_text("unknown-section", "training {", "traning {"),
                                ["unknown-section\\.textproto:\\d+:1: ", '"traning"',
                                 'did you mean "training"']),
            "no-brace": (self.with_text("no-brace", "training {", "training"),
                         ["no-brace\\.textproto:\\d+:\\d+: "]),
            "unknown-override": (override("training.epoch=3"), ['"epoch"', '"epochs"']),
            "bad-enum-override": (override("training.precision=FP64"), ['"FP64"', "BF16"]),
            "bad-number": (override("training.epochs=many"), ["training\\.epochs", "many"]),
            "no-equals": (override("training.epochs"), ["training\\.epochs", "="]),
            "no-epochs": (override("training.epochs=0"), ["training\\.epochs", "0"]),
            "more-lanes-than-rows": (["train", self.experiment, "--set", "training.lanes=799",
                                      "--set", "training.global_batch=799"], ["798", "799"]),
            "bad-encoding": (self.with_text("bad-encoding", 'train { path: "', 'train { path: "\\377'),
                             ["bad-encoding\\.textproto:5: data\\.train\\.path: not UTF-8"]),
            "bad-name": (override("name=../up"), ["name", "\\.\\./up"]),
            "pool-too-large": (override("model.layer[2].max_pool.size=11"),
                               ["model\\.layer\\[2\\] \\(max_pool\\)", "11x11", "10x10x6"]),
            "no-flatten": (self.with_text("no-flatten", "layer { flatten {} }", ""),
                           ["/no-flatten\\.textproto:18: model\\.layer\\[4\\] \\(dense\\)", "flatten"]),
            "logits": (override("model.layer[7].dense.units=6"), ["data\\.classes", "6", "5"]),
        }, rank_counts=[None])

    def test_more_ranks_than_lanes(self):
        arguments = ["train", self.experiment, "--set", "training.lanes=2"]
        self.refuses({"ranks": (arguments, ["3 ranks", "training\\.lanes is 2"])}, rank_counts=[3])

    def test_command_lines(self):
        nowhere = self.folder / "nowhere"
        self.refuses({
            "unknown-command": (["trian", self.experiment], ['"trian"', 'did you mean "train"']),
            "unknown-option": (["train", self.experiment, "--epochs", "3"], ["--epochs"]),
            "no-checkpoint": (["evaluate", nowhere], [re.escape(str(nowhere)), "CHECKPOINT"]),
            "submit-nowhere": (["submit", self.train_csv, "--out", nowhere / "x.csv"],
                               ["--out", re.escape(str(nowhere))]),
        })
        self.refuses({
            "no-command": ([], ["subcommand"]),
            "no-argument": (["train"], ["EXPERIMENT"]),
            "no-threads": (["train", self.experiment, "--threads", "0"], ["--threads"]),
            "no-weights": (["evaluate", self.folder], ["CHECKPOINT", "checkpoints/best"]),
            "not-weights": (["evaluate", self.train_csv], ["train\\.csv"]),
            "labels-of-no-data": (["evaluate", self.train_csv, "--labels", "labels.idx"],
                                  ["--labels", "--data"]),
            "out-is-a-folder": (["submit", self.train_csv, "--out", self.folder],
                                ["--out", "folder"]),
            "no-out": (["submit", self.train_csv], ["--out"]),
            "predict-nowhere": (["predict", self.train_csv, "--out", nowhere / "x.csv"],
                                ["--out", re.escape(str(nowhere))]),
            "evaluate-nowhere": (["evaluate", self.train_csv, "--out", nowhere / "x.json"],
                                 ["--out", re.escape(str(nowhere))]),
        }, rank_counts=[None])

    def test_more_threads_than_the_system_gives(self):
        done = self.run_binary("train", self.experiment, "--threads", 4096, ranks=None,
                               before=["sh", "-c", 'ulimit -v 20000000; exec "$@"', "sh"])
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"\Alockstep: 4096 worker threads were asked for, but only "
                                      r"\d+ could be started \([^\n]*\); give fewer\n\Z")

    def test_run_folder_that_cannot_be_made(self):
        for ranks in (None, 2):
            done = self.run_binary("train", self.experiment, "--run-dir",
                                   self.train_csv / "run", ranks=ranks)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, r"\Alockstep: .*train\.csv/run.*\n\Z")


class OddInputTest(LockstepTest):
    def test_line_ends_and_byte_order_mark(self):
        content = csv_text(self.train_rows).encode()
        variants = {
            "crlf.csv": content.replace(b"\n", b"\r\n"),
            "bom.csv": b"\xef\xbb\xbf" + content,
            "no-final-newline.csv": content[:-1],
            "all.csv": b"\xef\xbb\xbf" + content[:-1].replace(b"\n", b"\r\n"),
        }
        expected = self.train("plain", "--set", "training.epochs=1")
        for index, (name, variant) in enumerate(variants.items()):
            with self.subTest(name):
                path = self.write(name, variant)
                experiment = self.write_experiment(f"{name}.textproto", train=path)
                digest = self.train(f"run-{name}", "--set", "training.epochs=1",
                                    experiment=experiment, ranks=1 + index % 3)
                self.assertEqual(digest, expected)

    def test_zip_member_and_last_label_column(self):
        with zipfile.ZipFile(self.folder / "rows.zip", "w", zipfile.ZIP_DEFLATED) as out:
            out.write(self.train_csv, "inner/train.csv")
        lines = [line.split(",", 1) for line in csv_text(self.train_rows).splitlines()]
        self.write("label-last.csv", "".join(f"{rest},{label}\n" for label, rest in lines))
        expected = self.train("csv", "--set", "training.epochs=1")
        for run, source, ranks in (("zip", "path=rows.zip data.train.member=inner/train.csv", 2),
                                   ("last", "path=label-last.csv", 3)):
            overrides = [f"data.train.{source.split()[0]}", *source.split()[1:]]
            arguments = [part for each in overrides for part in ("--set", each)]
            digest = self.train(run, "--set", "training.epochs=1", *arguments, ranks=ranks)
            self.assertEqual(digest, expected, run)


if __name__ == "__main__":
    unittest.main()
