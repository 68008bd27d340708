"""Installs what dependencies.toml lists: Debian packages, and LibTorch and the tests'
Python packages into .deps/."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from console import CommandError, LauncherError, Step, run_step

LIST = Path(__file__).resolve().with_name("dependencies.toml")


def read_list() -> dict[str, Any]:
    """The content of dependencies.toml."""
    with LIST.open("rb") as file:
        return tomllib.load(file)


# --- Debian packages ---


def missing_packages(wanted: list[str]) -> list[str]:
    """Those of `wanted` that are not installed."""
    try:
        query = subprocess.run(
            ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *wanted],
            capture_output=True, text=True, check=False,
        )
    except FileNotFoundError:
        raise LauncherError(
            "no dpkg-query here: the launcher installs packages on Debian and its relatives only;"
            f" on another system install what {LIST.name} lists and build with cmake"
        ) from None
    installed = {
        line.split()[1] for line in query.stdout.splitlines() if line.startswith("installed ")
    }
    return [package for package in wanted if package not in installed]


def install_packages(sets: list[str]) -> None:
    """Installs the packages of the named sets that are missing."""
    lists = read_list()["packages"]
    unknown = [name for name in sets if name not in lists]
    if unknown:
        raise LauncherError(
            f"no package set {unknown[0]!r}: there are {', '.join(sorted(lists))}", status=2
        )
    missing = missing_packages([package for name in sets for package in lists[name]])
    if not missing:
        return
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = [*_become_root(missing), "apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    try:
        run_step("Updating the package lists", [*apt, "update"], env)
    except CommandError:
        # One broken source must not stop an install that does not need it.
        pass
    plural = "" if len(missing) == 1 else "s"
    title = f"Installing {len(missing)} Debian package{plural} ({_short(missing)})"
    try:
        run_step(title, [*apt, "install", "-y", "--no-install-recommends", *missing], env)
    except CommandError as error:
        raise LauncherError(f"apt-get could not install the packages: {error.reason()}") from None


def _short(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")


def _become_root(missing: list[str]) -> list[str]:
    """The words before a command that needs root."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if allowed.returncode == 0:
            return ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    raise LauncherError(
        "packages are missing and this user may not install them; run: "
        f"sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
    )


# --- pip ---

# The settings of the user's that count: where wheels come from, and how they get here. What
# comes is held to its hash.
SOURCES = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert",
           "client-cert", "proxy", "timeout", "default-timeout", "retries", "cache-dir",
           "no-cache-dir", "keyring-provider")
OPTIONS = ("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input",
           "--progress-bar=off", "--require-hashes")


def pip_environment(pip: list[str]) -> dict[str, str]:
    """That of pip, with no other settings than SOURCES."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    file = {name: os.environ[name] for name in ("PIP_CONFIG_FILE",) if name in os.environ}
    listed = subprocess.run([*pip, "config", "list"], env=env | file, capture_output=True, text=True,
                            check=False)
    found = re.findall(r"^(global|install|download)\.([a-z-]+)=(['\"].*['\"])$", listed.stdout,
                       re.MULTILINE)
    # What is set for a command comes before what is set for all, and the environment first.
    for _, name, value in sorted(found, key=lambda each: each[0] != "global"):
        if name in SOURCES:
            env[_variable(name)] = ast.literal_eval(value)
    env |= {each: os.environ[each] for each in map(_variable, SOURCES) if each in os.environ}
    return env | {"PIP_CONFIG_FILE": os.devnull}


def _variable(setting: str) -> str:
    return "PIP_" + setting.upper().replace("-", "_")


def requirements(names: list[str]) -> str:
    """A file for pip: each name with the hashes of the wheels that it may be."""
    hashes = read_list()["sha256"]
    return "".join(f"{name} {' '.join(f'--hash=sha256:{each}' for each in hashes[name])}\n"
                   for name in names)


# --- The tests' Python packages ---


def provide_test_venv(deps: Path) -> None:
    """Makes the virtual environment of the tests in `deps` where it is not there."""
    packages = read_list()["test_venv"]["packages"]
    wanted = "\n".join([sys.version, *packages]) + "\n"
    venv = deps / "test-venv"
    stamp = venv / ".packages"  # the mark of a whole install
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(venv, ignore_errors=True)
    pip = [str(venv / "bin" / "python3"), "-m", "pip"]
    wheels = venv / "requirements.txt"
    try:
        run_step("Making the tests' Python environment", [sys.executable, "-m", "venv", str(venv)])
        wheels.write_text(requirements(packages))
        run_step(f"Installing {len(packages)} Python packages for the tests",
                 [*pip, "install", *OPTIONS, "-r", str(wheels)], pip_environment(pip))
    except CommandError as error:
        raise LauncherError(f"could not make {venv}: {error.reason()}") from None
    stamp.write_text(wanted)


# --- LibTorch ---


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU; LOCKSTEP_WHEELS=cpu or cuda says otherwise."""
    choice = os.environ.get("LOCKSTEP_WHEELS", "")
    if choice not in ("", "cpu", "cuda"):
        raise LauncherError(f"LOCKSTEP_WHEELS is {choice!r}: expected cpu or cuda", status=2)
    return choice == "cuda" or (not choice and Path("/dev/nvidiactl").exists())


def present_torch(deps: Path) -> Path | None:
    """The folder of LibTorch where it is there as it should be."""
    if chosen := os.environ.get("LOCKSTEP_TORCH"):
        folder = Path(chosen).resolve()
        if not (folder / "lib" / "libtorch_cpu.so").exists():
            raise LauncherError(
                f"LOCKSTEP_TORCH is {chosen!r}: expected a folder with lib/libtorch_cpu.so",
                status=2,
            )
        return folder
    torch = deps / "torch"
    if torch.is_symlink():  # a LibTorch that the user has put there
        return torch
    wheels = read_list()["wheels"]
    kind = "cuda" if has_gpu() else "cpu"
    try:
        present = (torch / ".wheels").read_text().strip()
    except OSError:
        present = ""
    # The set for GPUs serves a machine without one as well.
    return torch if present in (_digest(wheels, kind), _digest(wheels, "cuda")) else None


def provide_torch(deps: Path) -> Path:
    """The same, which is fetched into `deps` when it is not there."""
    if torch := present_torch(deps):
        return torch
    _install_wheels(deps, read_list()["wheels"], "cuda" if has_gpu() else "cpu")
    return deps / "torch"


def _digest(wheels: dict[str, Any], kind: str) -> str:
    """Of all that decides what an install puts into .deps/."""
    content = {key: wheels[key] for key in ("python_version", "platforms", "keep", "skip", kind)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _install_wheels(deps: Path, wheels: dict[str, Any], kind: str) -> None:
    partial = deps / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    files = partial / "files"
    files.mkdir(parents=True)
    try:
        _fetch(wheels, kind, partial)
        _unpack(wheels, kind, partial, files)
        (files / "torch" / ".wheels").write_text(_digest(wheels, kind) + "\n")
        # torch/ comes last: it holds the mark of a whole install.
        for folder in ("torch", "nvidia"):
            shutil.rmtree(deps / folder, ignore_errors=True)
        for folder in ("nvidia", "torch"):
            (files / folder).rename(deps / folder)
    except OSError as error:
        raise LauncherError(f"could not install into {deps}: {error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(wheels: dict[str, Any], kind: str, partial: Path) -> None:
    names = wheels[kind]["names"]
    size = wheels[kind].get("megabytes")
    size = f" ({size} MB)" if size else f" ({len(names)} wheels)"
    download_wheels(names, wheels["title"], partial, wheels, size)


def download_wheels(names: list[str], title: str, folder: Path,
                    target: dict[str, Any] | None = None, size: str = "") -> None:
    """Fetches wheels into `folder`: for the Python and the platforms of `target`, or for the
    Python that runs this."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        install_packages(["pip"])
    listed = folder / "requirements.txt"
    listed.write_text(requirements(names))
    command = [*pip, "download", *OPTIONS, "-r", str(listed)]
    if target:
        command += ["--python-version", target["python_version"], "--implementation", "cp"]
        for platform in target["platforms"]:
            command += ["--platform", platform]
    # pip's own temporary files are as large: /tmp may be a small memory disk.
    env = pip_environment(pip) | {"TMPDIR": str(folder)}
    try:
        run_step(f"Fetching {title}{size}", [*command, "--dest", str(folder)], env)
    except CommandError as error:
        raise LauncherError(f"pip could not fetch {title}: {error.reason()}") from None


def _unpack(wheels: dict[str, Any], kind: str, partial: Path, files: Path) -> None:
    import zipfile  # slow to import, and seldom needed

    keep, skip = wheels["keep"], wheels["skip"] + wheels[kind]["skip"]

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in keep) and not any(
            fnmatch.fnmatchcase(name, pattern) for pattern in skip
        )

    with Step(f"Unpacking {wheels['title']}"):
        for wheel in sorted(partial.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(files, [n for n in archive.namelist() if wanted(n)])
            wheel.unlink()
