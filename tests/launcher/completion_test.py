"""Bash completion offers what the commands take, and their help has examples that do."""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPLETION = ROOT / "launcher" / "completion.bash"
sys.path.insert(0, str(ROOT / "launcher"))

LOADER = SourceFileLoader("launcher", str(ROOT / "launcher" / "lockstep"))
LAUNCHER = importlib.util.module_from_spec(importlib.util.spec_from_loader("launcher", LOADER))
sys.modules["launcher"] = LAUNCHER
LOADER.exec_module(LAUNCHER)
OPTION = re.compile(r"(?<![\w<-])--?[a-z][a-z-]*\b")


def help_of(command):
    """What a command of the program prints for --help."""
    words = [os.environ["LOCKSTEP"], *command.split(), "--help"]
    if command == "serve":
        words = [os.environ["LOCKSTEP_SERVE"], "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=400).stdout


def options_in(text):
    """The options that begin the lines of a help text."""
    lines = re.findall(r"^  (-\S+(?:, ?-\S+)*)", text, re.M)
    return {option for line in lines for option in OPTION.findall(line)} - {"-h"}


def program_commands():
    text = help_of("").partition("Subcommands:")[2].partition("Examples:")[0]
    return re.findall(r"^  (\w+) ", text, re.M)


class CompletionTest(unittest.TestCase):
    def complete(self, *words, cwd=ROOT):
        """What bash offers for the last of the words after `lockstep`."""
        script = ('source "$1"; shift; COMP_WORDS=(lockstep "$@"); COMP_CWORD=$#; _lockstep; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "--norc", "-c", script, "bash", COMPLETION, *words],
                              cwd=cwd, capture_output=True, text=True, check=True, timeout=200)
        self.assertEqual(done.stderr, "")
        return {line for line in done.stdout.splitlines() if line}

    def test_commands(self):
        known = {*LAUNCHER.PARALLEL_COMMANDS, *LAUNCHER.OTHER_COMMANDS, *LAUNCHER.OWN_COMMANDS}
        self.assertEqual(self.complete(""), known | {"--help", "--version"})
        self.assertLessEqual(set(program_commands()), known)
        self.assertEqual(self.complete("ev"), {"evaluate"})

    def test_options_are_those_of_the_help(self):
        of_launcher = options_in(LAUNCHER.USAGE) - {"-h"}
        self.assertIn("--max-restarts", of_launcher)
        for command in [*program_commands(), "serve"]:
            with self.subTest(command):
                offered = self.complete(command, "-")
                of_program = options_in(help_of(command))
                self.assertLessEqual(of_program, offered)
                self.assertLessEqual(offered, of_program | of_launcher)
                self.assertIn("--print-command", offered)
                if command == "train":
                    self.assertLessEqual(of_launcher, offered)

    def test_options_of_the_launchers_own_commands(self):
        import slurm_command
        import sweep_options
        for command, text in (("slurm", slurm_command.USAGE),
                              ("sweep", sweep_options._parser().format_help())):
            with self.subTest(command):
                own = options_in(text) - {"-h"}
                self.assertGreater(len(own), 8)
                self.assertLessEqual(own, self.complete(command, "-"))

    def test_options_that_begin_as_the_word(self):
        self.assertEqual(self.complete("train", "--r"), {"--run-dir", "--resume"})
        self.assertEqual(self.complete("export", "--format", ""),
                         {"onnx", "torchscript", "safetensors"})
        self.assertEqual(self.complete("train", "--set", ""), set())

    def test_package_sets(self):
        packages = tomllib.loads((ROOT / "launcher" / "dependencies.toml").read_text())["packages"]
        offered = self.complete("install", "")
        self.assertIn("test", offered)
        self.assertLessEqual(offered, {"datasets", *packages})
        sets = tomllib.loads((ROOT / "launcher" / "datasets.toml").read_text())
        self.assertEqual(self.complete("install", "datasets", ""), set(sets))

    def test_experiment_files(self):
        configs = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").glob("*.textproto")}
        self.assertGreater(len(configs), 2)
        self.assertEqual(self.complete("train", ""), configs)
        self.assertEqual(self.complete("bench", "configs/fash"),
                         {"configs/fashion.textproto", "configs/fashion_resnet.textproto"})
        with tempfile.TemporaryDirectory() as folder:
            for name in ("a b.textproto", "a.csv"):
                Path(folder, name).touch()
            Path(folder, "around").mkdir()
            self.assertEqual(self.complete("train", "a", cwd=folder), {"a b.textproto", "around"})
            self.assertEqual({Path(path).name for path in self.complete("train", "", cwd=folder)},
                             {Path(path).name for path in configs})

    def test_run_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("digits/one", "digits/two", "alone", "digits/none"):
                run = Path(folder, "models", name)
                run.mkdir(parents=True)
                if run.name != "none":
                    (run / "experiment.textproto").touch()
            runs = {"models/alone", "models/digits/one", "models/digits/two"}
            for command in ("evaluate", "report", "inspect", "serve"):
                self.assertLessEqual(runs, self.complete(command, "", cwd=folder))
            self.assertEqual(self.complete("evaluate", "", cwd=folder), runs)
            self.assertEqual(self.complete("train", "x", "--resume", "", cwd=folder),
                             runs | {"auto", "never"})

    def test_it_completes_the_launcher_by_its_path(self):
        done = subprocess.run(["bash", "--norc", "-c", f"source {COMPLETION}; complete -p lockstep"],
                              capture_output=True, text=True, check=True, timeout=200)
        self.assertEqual(done.stdout, "complete -F _lockstep lockstep\n")


class ExamplesTest(unittest.TestCase):
    def test_help_has_examples_with_options_that_exist(self):
        for command in ["", *program_commands(), "serve"]:
            with self.subTest(command):
                text = help_of(command)
                examples = re.findall(r"^  lockstep (.*)$", text.partition("Examples:\n")[2], re.M)
                self.assertIn(len(examples), (2, 3))
                for example in examples:
                    if command:
                        self.assertEqual(example.split()[0], command)
                    used = set(OPTION.findall(example))
                    self.assertLessEqual(used, options_in(text) | {"--help"}, example)


if __name__ == "__main__":
    unittest.main()
