"""The options of launcher/lockstep sweep, and its help."""

from __future__ import annotations

import argparse

from console import EXIT_USAGE, LauncherError
from slurm import sbatch_words

EPILOG = """\
values of --set:
  PATH=1e-3,3e-3       a list; each value is a run
  PATH=1:5, 1:9:2      whole numbers with both ends, in steps
  PATH="a,b","c,d"     commas within quotes or brackets do not separate values
  PATH=VALUE           the same in every run
  with --samples also PATH=log(1e-4,1e-2) and PATH=uniform(0,0.5)

Ctrl-C, TERM or HUP lets every run save, and the sweep ends with exit code 75; the
same command with its --run-dir, or sweep --resume DIR, goes on: runs that are done are not
repeated. Exit code 0 means that all runs are done.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        raise LauncherError(f"sweep: {message} (see sweep --help)", EXIT_USAGE)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The words after `sweep`; those that do not go together are refused."""
    options = _parser().parse_args(arguments)
    _check_usage(options)
    return options


def _parser() -> argparse.ArgumentParser:
    made = _Parser(prog="lockstep sweep", epilog=EPILOG,
                   description="Trains an experiment once for each combination of settings.",
                   formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    made.add_argument("experiment", nargs="?", metavar="EXPERIMENT", help="file (.textproto)")
    made.add_argument("--set", action="append", default=[], dest="settings", metavar="PATH=VALUES",
                      help="a field and its values; may be repeated")
    made.add_argument("--samples", type=_count, default=0, metavar="N",
                      help="draw N combinations at random instead of all")
    made.add_argument("--sample-seed", type=int, default=1, metavar="SEED",
                      help="of the draws (default 1)")
    made.add_argument("--jobs", type=_count, metavar="J",
                      help="runs side by side; by default one a core")
    made.add_argument("-np", type=_count, dest="ranks", metavar="N", help="ranks of each run (1)")
    made.add_argument("--threads", type=_count, metavar="T",
                      help="threads of each rank; by default the cores shared by the runs")
    made.add_argument("--run-dir", metavar="DIR",
                      help="the sweep's folder; default models/<name>-sweep/<UTC time>")
    made.add_argument("--resume", metavar="DIR", help="go on with the sweep of a folder")
    made.add_argument("--task", type=int, metavar="N",
                      help="with --resume: run number N alone, as a job of an array does")
    made.add_argument("--slurm", action="store_true",
                      help="submit the runs as one array of Slurm jobs; --jobs: at a time")
    made.add_argument("--time", default="", metavar="LIMIT", help="with --slurm: of each run")
    made.add_argument("--partition", default="", metavar="NAME", help="with --slurm")
    made.add_argument("--sbatch", type=sbatch_words, action="append", default=[], metavar="OPTION",
                      help="with --slurm: any other option, as --sbatch=--account=x or, quoted "
                           "as for a shell, --sbatch '-A x'")
    made.add_argument("--print", action="store_true", dest="print_script",
                      help="with --slurm: only show the script (builds what is missing)")
    made.add_argument("--dry-run", action="store_true", help="check and list the runs, and end")
    made.add_argument("--print-command", action="store_true",
                      help="print the command line of each run, and end (builds what is missing)")
    return made


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 to 4096")
    return int(text)


def _check_usage(options: argparse.Namespace) -> None:
    if options.resume and (options.experiment or options.settings or options.run_dir
                           or options.samples):
        raise LauncherError("--resume takes experiment and settings from the folder; expected "
                            "no EXPERIMENT, --set, --samples or --run-dir beside it", EXIT_USAGE)
    if not options.resume and not options.experiment:
        raise LauncherError("sweep needs an EXPERIMENT file, or --resume DIR (see sweep --help)",
                            EXIT_USAGE)
    if options.task is not None and not options.resume:
        raise LauncherError("--task needs --resume DIR", EXIT_USAGE)
    if not options.slurm and (options.time or options.partition or options.sbatch
                              or options.print_script):
        raise LauncherError("--time, --partition, --sbatch and --print need --slurm", EXIT_USAGE)
