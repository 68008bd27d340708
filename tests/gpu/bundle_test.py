"""A bundle runs where there is nothing but a C library, Python and PyTorch, and trains to
the weights that this machine trains to."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
from os import geteuid
from pathlib import Path

import lockstep_run

MAKER = Path(__file__).resolve().parent / "bundle"
BUILD = Path(lockstep_run.BINARY).resolve().parent
LIMIT_MIB = 60
BUNDLE = "/bundle"  # on the bare machine
TORCH = "/torch"
TOOLS = ("sh", "env", "timeout")  # that every machine has
GLIBC_AND_COMPILER = re.compile(
    r"(libm|libdl|librt|libpthread|libutil|libstdc\+\+|libgcc_s)\.so[.0-9]*")


def libraries(program):
    """The paths of all libraries that ldd finds."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True)
    return [Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(", done.stdout, re.MULTILINE)]


def torch_of_the_build():
    """The folder of the LibTorch that the binary is linked to."""
    return next(path.parents[1] for path in libraries(lockstep_run.BINARY)
                if path.name == "libtorch_cpu.so")


class BareMachine:
    """The root folder of a machine with a C library, those of a compiler, Python and
    PyTorch, and nothing else. Commands run in it, in mounts of their own."""

    def __init__(self, root):
        self._root = root
        python = Path(sys.executable).resolve()
        standard = Path(sysconfig.get_path("stdlib"))
        tools = [Path(shutil.which(name)) for name in TOOLS]
        for tool in tools:
            self._copy(tool, Path("/usr/bin") / tool.name)
        self._copy(python, python)
        (root / "usr/bin/python3").symlink_to(python)
        (root / "bin").symlink_to("usr/bin")
        for program in [*tools, python, *standard.glob("lib-dynload/_ctypes.*.so")]:
            for library in libraries(program):
                self._copy(library, library)
        for library in libraries(lockstep_run.BINARY):
            if GLIBC_AND_COMPILER.fullmatch(library.name):
                self._copy(library, library)
        (root / "tmp").mkdir()
        (root / "etc").mkdir()
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
        # The loader's path of the build leads nowhere: the wheel lies in another place.
        self._torch = torch_of_the_build()
        self._shown = {"/proc": "/proc", "/dev": "/dev", "/sys": "/sys", standard: standard,
                       self._torch.parent: TORCH}

    def _copy(self, source, path):
        target = self._root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def show(self, folder, path):
        """Lets a folder of this machine be seen there as `path`."""
        self._shown[folder] = path

    def run(self, *command):
        """Runs the command there; what subprocess.run gives."""
        lines = ["set -e"]
        for folder, path in self._shown.items():
            place = shlex.quote(f"{self._root}{path}")
            lines.append(f"mkdir -p {place}")
            lines.append(f"mount --rbind {shlex.quote(str(folder))} {place}")
        lines.append(shlex.join(["exec", "chroot", str(self._root), *map(str, command)]))
        user = [] if geteuid() == 0 else ["--map-root-user"]
        return subprocess.run(
            ["unshare", "--mount", *user, "sh", "-c", "\n".join(lines)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                 "LOCKSTEP_TORCH": f"{TORCH}/{self._torch.name}"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=lockstep_run.TIME_LIMIT_SECONDS)


def make_bundle(out, *arguments):
    return subprocess.run([MAKER, "--build", BUILD, "--out", out, *map(str, arguments)],
                          capture_output=True, text=True,
                          timeout=lockstep_run.TIME_LIMIT_SECONDS)


class BundleTest(lockstep_run.LockstepTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.bundle = Path(place.name) / "bundle"
        cls.made = make_bundle(cls.bundle)
        if cls.made.returncode != 0:
            raise AssertionError(f"no bundle:\n{cls.made.stdout}{cls.made.stderr}")
        root = Path(place.name) / "root"
        root.mkdir()
        cls.machine = BareMachine(root)
        cls.machine.show(cls.bundle, BUNDLE)
        cls.machine.show(cls.folder, str(cls.folder))
        reached = cls.machine.run("env")
        if reached.returncode != 0:
            raise AssertionError("no mounts of our own can be made: unshare --mount must be "
                                 f"permitted here\n{reached.stderr}")

    def on_bare_machine(self, *arguments):
        """Runs the bundle there; it must succeed."""
        done = self.machine.run(f"{BUNDLE}/run", *arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}\n{done.stdout}{done.stderr}")
        return done

    def test_it_is_small(self):
        size = sum(path.lstat().st_size for path in self.bundle.rglob("*"))
        self.assertLessEqual(size, LIMIT_MIB * 2**20)
        self.assertIn(f": {size / 2**20:.1f} MiB\n", self.made.stdout)

    def test_the_bare_machine_has_no_library_of_the_bundle(self):
        done = self.machine.run(f"{BUNDLE}/bin/lockstep", "--help")
        self.assertEqual(done.returncode, 127)
        self.assertIn("error while loading shared libraries", done.stderr)

    def test_lockstep_starts(self):
        self.assertIn("SUBCOMMAND", self.on_bare_machine("--", "lockstep", "--help").stdout)

    def test_same_weights_alone_and_on_two_ranks(self):
        expected = self.train("here")
        for name, start in {"alone": [], "ranks": ["mpirun", "-np", 2, "rank"]}.items():
            with self.subTest(name):
                done = self.on_bare_machine(
                    "--", *start, "lockstep", "train", self.experiment, "--run-dir",
                    self.folder / name, "--threads", 1)
                self.assertEqual(self.digest_of(done), expected)

    def test_checks_that_need_a_gpu_say_that_there_is_none(self):
        done = self.on_bare_machine("check", "train CUDA FP32, 2")
        self.assertRegex(done.stdout, r"\Anot run  train CUDA FP32, 2 ranks: no GPU \(.*\)\n\Z")

    def test_check_runs_test_programs_on_ranks(self):
        built = BUILD / "tests" / "comm_rank_tests"
        verdict = r"ok      " if built.exists() else "not run "
        done = self.on_bare_machine("check", "comm_rank_tests")
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3, done.stdout)
        for ranks, line in zip(("1 rank", "2 ranks", "4 ranks"), lines):
            self.assertRegex(line, rf"^{verdict} comm_rank_tests CPU, {ranks}: ")

    def test_a_check_that_fails_gives_status_1(self):
        broken = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.bundle, broken / "bundle", symlinks=True)
        (broken / "bundle/configs/digits_fast.textproto").write_text("no_such_field: 1\n")
        done = self.machine.run(broken / "bundle/run", "check", "train CPU FP32, 1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\AFAILED   train CPU FP32, 1 rank: exit status 2\n")
        self.assertIn("no_such_field", done.stdout)

    def test_too_large_is_one_line_and_leaves_nothing(self):
        out = self.folder / "large"
        done = make_bundle(out, "--limit", 1)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Atests/gpu/bundle: .*large would have [0-9.]+ MiB; "
                                      r"at most 1 MiB\n\Z")
        self.assertFalse(out.exists())

    def test_an_archive_holds_one_folder(self):
        out = self.folder / "bundle.tar.gz"
        done = make_bundle(out)
        self.assertEqual(done.returncode, 0, done.stderr)
        listed = subprocess.run(["tar", "-tf", out], capture_output=True, text=True, check=True)
        self.assertIn("lockstep-bundle/run\n", listed.stdout)
        self.assertEqual({line.split("/")[0] for line in listed.stdout.split()},
                         {"lockstep-bundle"})


if __name__ == "__main__":
    unittest.main()
