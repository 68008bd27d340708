"""Configures and builds the program, and does nothing when it is up to date."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from console import CommandError, LauncherError, run_step
from dependencies import install_packages, missing_packages, present_torch, provide_test_venv
from dependencies import provide_torch, read_list
from job import available_cores


class Project:
    """The folders of this source tree, and the steps that bring it up to date."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.deps = root / ".deps"
        self.build = root / "build"
        self.binary = self.build / "lockstep"
        self.server = self.build / "lockstep-serve"

    def install(self, sets: list[str]) -> None:
        """Installs what a build needs, and further sets of packages."""
        with self._locked():
            install_packages(["build", *sets])
            if "test" in sets:
                provide_test_venv(self.deps)
            provide_torch(self.deps)

    def prepare(self, program: Path | None = None) -> str:
        """Installs what a program, by default `binary`, needs and builds it; returns what
        was done."""
        program = program or self.binary
        name = "launcher.stamp" if program == self.binary else f"{program.name}.stamp"
        stamp = self.build / name
        # Without the lock: who may only read here can run what another has built.
        torch = present_torch(self.deps)
        if torch and _is_marked(program, stamp, self._digest(torch)) and not missing_packages(
                read_list()["packages"]["build"]):
            return "up to date"
        with self._locked():
            install_packages(["build"])
            torch = provide_torch(self.deps)
            digest = self._digest(torch)
            if _is_marked(program, stamp, digest):
                return "up to date"
            stamp.unlink(missing_ok=True)  # the program is about to change
            self._configure(torch, tests=False)
            self._ninja(program.name, "Building Lockstep")
            stamp.write_text(digest)
            return "built"

    def prepare_tests(self) -> None:
        """Installs what the tests need and builds everything."""
        with self._locked():
            install_packages(["build", "test"])
            provide_test_venv(self.deps)
            self._configure(provide_torch(self.deps), tests=True)
            self._ninja("all", "Building Lockstep and its tests")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Lets one launcher at a time install and build."""
        try:
            self.deps.mkdir(exist_ok=True)
            lock = (self.deps / "lock").open("w")
        except OSError as error:
            raise LauncherError(
                f"the build is not up to date and cannot be made here ({error}); {self._owner()}, "
                "who owns this folder, can: launcher/lockstep build") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _owner(self) -> str:
        try:
            return self.root.owner()
        except (KeyError, OSError):
            return "the user"

    def _digest(self, torch: Path) -> str:
        """Of the names, sizes and times of all that the program is built from."""
        digest = hashlib.sha256(f"{torch}\n".encode())
        sources = [self.root / "CMakeLists.txt", *self._files("include"), *self._files("src")]
        for path in sources:
            status = path.stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _files(self, folder: str) -> list[Path]:
        walk = os.walk(self.root / folder)
        return sorted(Path(at, name) for at, _, names in walk for name in names)

    def _configure(self, torch: Path, *, tests: bool) -> None:
        cache = self._cache()
        fresh = [] if cache.get("CMAKE_HOME_DIRECTORY") in (None, str(self.root)) else ["--fresh"]
        current = (
            (self.build / "build.ninja").exists()
            and not fresh
            and cache.get("LOCKSTEP_TORCH") == str(torch)
            and (cache.get("LOCKSTEP_TESTS") == "ON" or not tests)
        )
        if current:
            return
        # Tests once asked for stay on, so that switching commands rebuilds nothing.
        keep = tests or cache.get("LOCKSTEP_TESTS") == "ON"
        command = ["cmake", *fresh, "-S", str(self.root), "-B", str(self.build), "-G", "Ninja"]
        command += [f"-DLOCKSTEP_TORCH={torch}", f"-DLOCKSTEP_TESTS={'ON' if keep else 'OFF'}"]
        self._run("Configuring the build", command)

    def _cache(self) -> dict[str, str]:
        try:
            text = (self.build / "CMakeCache.txt").read_text()
        except OSError:
            return {}
        return dict(re.findall(r"^([A-Z_]+):\w+=(.*)$", text, re.MULTILINE))

    def _ninja(self, target: str, title: str) -> None:
        jobs = str(_parallel_compilers())
        self._run(title, ["ninja", "-C", str(self.build), "-j", jobs, target])

    def _run(self, title: str, command: list[str]) -> None:
        try:
            # So that another folder of the project finds the same objects.
            run_step(title, command, {"CCACHE_BASEDIR": str(self.root)} | os.environ)
        except CommandError as error:
            sys.stderr.write(error.output)
            raise LauncherError(f"the build failed: see {command[0]}'s output above") from None


def _is_marked(program: Path, stamp: Path, digest: str) -> bool:
    """Whether the program was built from what `digest` is of."""
    try:
        return program.exists() and stamp.read_text() == digest
    except OSError:
        return False


def _parallel_compilers() -> int:
    """As many as there are cores, with 1.5 GB of free memory each."""
    free = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    by_memory = int(free[1]) // 1_500_000 if free else 1
    return max(1, min(available_cores(), by_memory))
