"""What a user may meet: output that nobody reads, folders that hold something else, links in
a run folder, two starts in one second, numbers that are cut short."""

import json
import stat
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from lockstep_run import BINARY, LockstepTest


class MisfortuneTest(LockstepTest):
    def refused(self, *arguments, **more):
        """One line on stderr, exit code 2; the line."""
        done = subprocess.run([BINARY, *map(str, arguments)], cwd=self.folder, text=True,
                              env=self.environment() | more, capture_output=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"\Alockstep: [^\n]+\n\Z")
        return done.stderr

    def begin(self, *arguments, run, **streams):
        return subprocess.Popen(
            [BINARY, "train", self.experiment, "--run-dir", self.folder / run, "--threads", "1",
             *map(str, arguments)], cwd=self.folder, env=self.environment(), **streams)


class OutputTest(MisfortuneTest):
    def test_training_outlives_its_reader(self):
        expected = self.train("read")
        run = self.begin(run="unread", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        run.stdout.close()
        errors = run.stderr.read()
        run.stderr.close()
        self.assertEqual(run.wait(), 0)
        self.assertEqual(errors, "lockstep: output: Broken pipe; the training goes on without it\n")
        self.assertIn(expected, self.metrics("unread")[-1]["weights_digest"])

    def test_output_that_is_the_result_must_be_written(self):
        run = self.folder / "done"
        self.train("done")
        for arguments in (("train", self.experiment, "--print-config"), ("evaluate", run, "--json"),
                          ("train", self.experiment, "--dry-run"), ("inspect", run), ("--help",)):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                done = subprocess.run([BINARY, *map(str, arguments)], stdout=full, text=True,
                                      stderr=subprocess.PIPE, cwd=self.folder,
                                      env=self.environment())
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, r"\Alockstep: [^\n]*No space left on device[^\n]*\n\Z")


class FolderTest(MisfortuneTest):
    def test_a_folder_of_something_else_is_left_alone(self):
        for name in ("logs/diary.txt", "checkpoints/other.pt", "metrics.jsonl", "report.html"):
            for resume in ("never", "auto"):
                with self.subTest(name, resume=resume):
                    mine = self.folder / f"mine-{name.replace('/', '-')}-{resume}"
                    (mine / name).parent.mkdir(parents=True)
                    (mine / name).write_text("mine")
                    line = self.refused("train", self.experiment, "--run-dir", mine, "--resume",
                                        resume)
                    self.assertIn("no run", line)
                    self.assertEqual([path for path in mine.rglob("*") if path.is_file()],
                                     [mine / name])
                    self.assertEqual((mine / name).read_text(), "mine")

    def test_what_the_launcher_has_left_before_the_start_is_of_the_run(self):
        run = self.folder / "of_the_launcher"
        run.mkdir()
        for name in ("outcome.json", "output.log", "cancelled", "watched", "slurm.sh"):
            (run / name).write_text("")
        self.train("of_the_launcher")

    def test_only_a_runs_own_files_are_removed(self):
        self.train("again")
        run = self.folder / "again"
        others = [run / name for name in ("logs/diary.txt", "checkpoints/other.pt",
                                          "tensorboard/notes", "notes.txt")]
        for path in others:
            path.write_text("mine")
        first = set((run / "tensorboard").glob("events.*"))
        self.train("again", "--resume", "never")
        self.assertTrue(all(path.read_text() == "mine" for path in others))
        self.assertFalse(first & set((run / "tensorboard").glob("events.*")))

    def test_starts_in_one_second_have_folders_of_their_own(self):
        def start(_):
            return self.lockstep("train", self.experiment, "--threads", 1, "--set",
                                 "training.epochs=1", ranks=None).stdout

        with ThreadPoolExecutor(8) as pool:
            outputs = list(pool.map(start, range(8)))
        folders = {line.split()[-1] for text in outputs for line in text.splitlines()
                   if line.startswith("run folder")}
        self.assertEqual(len(folders), 8, folders)

    def test_a_run_dir_that_is_a_file(self):
        for more in ((), ("--dry-run",)):
            line = self.refused("train", self.experiment, "--run-dir", self.experiment, *more)
            self.assertIn("is no folder", line)

    def test_resume_and_run_dir_that_differ(self):
        self.train("one")
        for path in ("one", "one/checkpoints/step-00000034"):
            line = self.refused("train", self.experiment, "--resume", self.folder / path,
                                "--run-dir", self.folder / "two")
            self.assertIn("give one of them", line)
            self.assertFalse((self.folder / "two").exists())

    def test_a_checkpoint_outside_of_its_run_folder(self):
        self.train("from")
        copy = self.folder / "copied"
        copy.mkdir()
        checkpoint = self.folder / "from" / "checkpoints" / "step-00000034"
        for path in checkpoint.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        line = self.refused("train", self.experiment, "--resume", copy)
        self.assertIn("it must lie in <run>/checkpoints/", line)


class PartsTest(MisfortuneTest):
    def test_going_on_with_another_build_or_processor_is_said(self):
        self.train("parts", "--set", "training.epochs=1")
        path = self.folder / "parts" / "environment.json"
        first = json.loads(path.read_text())
        first |= {"build": "xxh3:other", "processor_kind": "other", "device": 5}
        path.write_text(json.dumps(first))
        done = self.lockstep("train", self.experiment, "--run-dir", self.folder / "parts",
                             "--threads", 1)
        self.assertRegex(done.stderr, r"another build \(xxh3:other\) and goes on with xxh3:")
        self.assertIn("another kind of processor (other) and goes on with ", done.stderr)
        now = json.loads(path.read_text())
        self.assertEqual(now["earlier"], [{"build": "xxh3:other", "processor_kind": "other",
                                           "device": 5, "world_size": 1}])


class LinkTest(MisfortuneTest):
    """A run folder from elsewhere may have links in it."""

    def link(self, run, name):
        """A link in a run folder to a file that nobody may write to."""
        victim = self.folder / f"victim-{name.replace('/', '-')}"
        victim.write_text("precious")
        path = self.folder / run / name
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
        return victim

    def test_nothing_is_written_through_a_link(self):
        self.train("linked")
        victim = self.link("linked", "metrics.jsonl")
        self.train("linked", "--set", "training.epochs=3")
        self.assertEqual(victim.read_text(), "precious")
        self.assertFalse((self.folder / "linked" / "metrics.jsonl").is_symlink())
        for name in ("lock", "logs/rank-0.log"):
            with self.subTest(name):
                victim = self.link("linked", name)
                done = self.run_binary("train", self.experiment, "--run-dir",
                                       self.folder / "linked", "--set", "training.epochs=4",
                                       ranks=None)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, r"\Alockstep: [^\n]+\n\Z")
                self.assertEqual(victim.read_text(), "precious")
                (self.folder / "linked" / name).unlink()

    def test_names_of_temporary_files_are_no_trap(self):
        self.train("trap")
        victims = [self.link("trap", name) for name in ("report.html.tmp", "evaluation.json.tmp")]
        self.lockstep("report", self.folder / "trap", ranks=None)
        self.assertTrue(all(victim.read_text() == "precious" for victim in victims))

    def test_output_files_keep_mode_and_neighbours(self):
        self.train("modes")
        out = self.folder / "out.json"
        out.write_text("old")
        out.chmod(0o600)
        neighbour = self.folder / "out.json.tmp"
        neighbour.write_text("precious")
        link = self.folder / "link.json"
        link.symlink_to(out)
        self.lockstep("evaluate", self.folder / "modes", "--out", link, ranks=None)
        self.assertTrue(link.is_symlink())
        self.assertIn("accuracy", out.read_text())
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        self.assertEqual(neighbour.read_text(), "precious")


class NumbersTest(MisfortuneTest):
    def test_numbers_that_are_cut_short(self):
        for value in ("1e-", "1e", "1e+", ".5e", "1.e", "1e-x", "0x", "--1", "1 2"):
            with self.subTest(value):
                line = self.refused("train", self.experiment, "--print-config", "--set",
                                    f"optimizer.adam.learning_rate={value}")
                self.assertIn(f'expected a number, got "{value}"', line)
        for value in ("010", "1e1", "3.0", "0x", ""):
            if value:
                self.refused("train", self.experiment, "--print-config", "--set",
                             f"training.epochs={value}")

    def test_limits_of_the_environment(self):
        for value in ("abc", "-1", "nan", "inf", "0", "5s", ""):
            for name in ("SOFT", "HARD", "LONG_WORK"):
                variable = f"LOCKSTEP_{name}_LIMIT_SECONDS"
                done = subprocess.run(
                    ["mpirun", "-q", "-np", "1", BINARY, "train", self.experiment,
                     "--print-config"], cwd=self.folder, text=True, capture_output=True,
                    env=self.environment() | {variable: value})
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(f'lockstep: {variable} is "{value}": expected seconds', done.stderr)
                if value != "abc":
                    break

    def test_steps_below_zero(self):
        self.assertIn("--from", self.refused("verify", self.folder, "--from", -1))
        self.assertIn("--to", self.refused("verify", self.folder, "--to", -1))

    def test_a_name_that_no_folder_can_have(self):
        for more in ((), ("--dry-run",)):
            line = self.refused("train", self.experiment, "--set", "name=" + 300 * "x", *more)
            self.assertIn("at most 200", line)


class HeaderTest(MisfortuneTest):
    def train_on(self, text, *more):
        path = self.write("rows.csv", text)
        return self.refused("train", self.experiment, "--set", f"data.train.path={path}", *more)

    def test_a_first_row_is_not_lost(self):
        rows = [[label, *pixels] for label, pixels in self.train_rows[:60]]
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        place = text.splitlines()[0].split(",")
        unique = next(value for value in place if place.count(value) == 1)
        line = self.train_on(text, "--set", f"data.label_column={unique}")
        self.assertIn(f'rows.csv:1:1: no header, so no column "{unique}" for data.label_column', line)

    def test_a_label_that_only_counts_rows(self):
        lines = self.train_csv.read_text().splitlines()[:61]
        rows = [lines[0]] + [f"{i},{line.partition(',')[2]}" for i, line in enumerate(lines[1:])]
        line = self.train_on("\n".join(rows) + "\n", "--set", "data.classes=60", "--set",
                             "model.layer[7].dense.units=60")
        self.assertIn('is "label" a column of ids?', line)

    def test_columns_of_one_name(self):
        text = self.train_csv.read_text().replace("pixel143", "pixel7", 1)
        self.assertIn('columns 9 and 145 of the header have one name, "pixel7"',
                      self.train_on(text))

    def test_columns_that_are_counted_are_a_header(self):
        text = self.train_csv.read_text()
        names = ",".join(map(str, range(145)))
        self.write("counted.csv", names + text[text.index("\n"):])
        self.lockstep("train", self.experiment, "--dry-run", "--set",
                      f"data.train.path={self.folder / 'counted.csv'}", "--set",
                      "data.label_column=0", ranks=None)


if __name__ == "__main__":
    unittest.main()
