"""Makes the sets of images that datasets.toml lists, below data/sets/: of Debian packages,
which are fetched and unpacked there and not installed, and of Python wheels."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from console import EXIT_USAGE, CommandError, LauncherError, Step, run_step, say
from dependencies import download_wheels, read_list
from job import available_cores

LIST = Path(__file__).resolve().with_name("datasets.toml")
GLYPHS = Path(__file__).resolve().with_name("glyphs.py")

Recipe = dict[str, Any]
WORDS = ("what", "licence")  # of a recipe: they decide nothing


def read_recipes() -> dict[str, Recipe]:
    """The content of datasets.toml."""
    with LIST.open("rb") as file:
        return tomllib.load(file)


def make_sets(root: Path, names: list[str]) -> None:
    """Makes the named sets, or all of them, where they are not there yet; says of each what
    it is."""
    recipes = read_recipes()
    if unknown := [name for name in names if name not in recipes]:
        raise LauncherError(
            f"no data set {unknown[0]!r}: there are {', '.join(recipes)}", EXIT_USAGE)
    sets = root / "data" / "sets"
    try:
        with _locked(sets):
            for name in names or recipes:
                recipe = recipes[name]
                made = _made(sets, name, recipe) or _make(sets, name, recipe)
                say(f"data/sets/{name}: {made}: {recipe['what']}; {recipe['licence']}")
    except OSError as error:
        raise LauncherError(
            f"{error.filename or sets}: {error.strerror or error}") from None


@contextlib.contextmanager
def _locked(sets: Path) -> Iterator[None]:
    """Lets one launcher at a time make sets."""
    (sets / "about").mkdir(parents=True, exist_ok=True)
    with (sets / "about" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- One set ---
#
# NAME/ holds the images alone; about/NAME.txt says of what it was made, and about/NAME/ has
# the packages' own words on copyright.


def _digest(name: str, recipe: Recipe) -> str:
    """Of all here that decides what the set is."""
    content = [{key: value for key, value in recipe.items() if key not in WORDS}, _wheels(recipe)]
    if name == "glyphs":
        content.append(GLYPHS.read_text())
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _made(sets: Path, name: str, recipe: Recipe) -> str | None:
    """How many images and classes the set has where it is there already, made as it would
    be now."""
    try:
        digest, made, *_ = (sets / "about" / f"{name}.txt").read_text().splitlines()
    except (OSError, ValueError):
        return None
    return made if (sets / name).is_dir() and digest == f"recipe {_digest(name, recipe)}" else None


def _make(sets: Path, name: str, recipe: Recipe) -> str:
    partial = sets / "about" / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    about, images, packages = partial / "about", partial / "images", partial / "packages"
    for folder in (about, images, packages):
        folder.mkdir(parents=True)
    try:
        versions = []
        if "packages" in recipe:
            versions += fetch_packages(name, recipe["packages"], packages, about)
        if "wheel" in recipe:
            versions += fetch_wheel(name, recipe, packages)
        made = _fill(name, recipe, packages, images, about)
        _put(sets, name, partial)
        lines = [f"recipe {_digest(name, recipe)}", made, *versions]
        # Comes last: it is the mark of a whole set.
        (sets / "about" / f"{name}.txt").write_text("".join(f"{each}\n" for each in lines))
        return made
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fill(name: str, recipe: Recipe, packages: Path, images: Path, about: Path) -> str:
    if name == "glyphs":
        return _draw_glyphs(packages, images)
    if "file" in recipe:
        (about / Path(recipe["about"]).name).write_bytes((packages / recipe["about"]).read_bytes())
        (packages / recipe["file"]).rename(images / Path(recipe["file"]).name)
        return _told(recipe["images"], recipe["classes"])
    counts = sort_images(recipe, packages, images)
    if len(counts) < 2:
        raise LauncherError(f"the packages of {name} have no longer the images that "
                            f"{LIST.name} looks for: {recipe['root']}")
    with (about / "classes.txt").open("w") as file:
        file.writelines(f"{each} {count}\n" for each, count in counts.items())
    return _told(sum(counts.values()), len(counts))


def _told(images: int, classes: int) -> str:
    return f"{images} images, {classes} classes"


def _put(sets: Path, name: str, partial: Path) -> None:
    """The finished folders to their places."""
    (sets / "about" / f"{name}.txt").unlink(missing_ok=True)
    for source, target in (("images", sets / name), ("about", sets / "about" / name)):
        shutil.rmtree(target, ignore_errors=True)
        (partial / source).rename(target)


# --- Images in folders ---


def sort_images(recipe: Recipe, packages: Path, out: Path) -> dict[str, int]:
    """Moves a package's images into a folder for each class, equal files once; returns how
    many each class has."""
    patterns = [(re.compile(each["path"]), each.get("as")) for each in recipe["images"]]
    skip = re.compile(recipe["skip"]) if "skip" in recipe else None
    seen: set[bytes] = set()
    chosen: dict[str, list[tuple[Path, str]]] = {}
    for name, path in _files(packages, recipe["root"]):
        label = None if skip and skip.search(name) else _class(patterns, name)
        if label is None:
            continue
        content = path.read_bytes()
        if "size" in recipe and png_size(content) != tuple(recipe["size"]):
            continue
        digest = hashlib.sha256(content).digest()
        if digest not in seen:
            seen.add(digest)
            chosen.setdefault(label, []).append((path, name.replace("/", "-")))
    counts = {label: len(files) for label, files in sorted(chosen.items())
              if len(files) >= recipe["least"]}
    for label in counts:
        (out / label).mkdir()
        for path, name in chosen[label]:
            path.chmod(0o644)
            path.rename(out / label / name)
    return counts


def _files(packages: Path, root: str) -> list[tuple[str, Path]]:
    """The plain files of all packages below `root`, with their paths from there, in order."""
    found = []
    for package in packages.iterdir():
        for path in (package / root).rglob("*"):
            if path.is_file() and not path.is_symlink():
                found.append((path.relative_to(package / root).as_posix(), path))
    return sorted(found)


def _class(patterns: list[tuple[re.Pattern[str], str | None]], name: str) -> str | None:
    for pattern, label in patterns:
        if fit := pattern.fullmatch(name):
            return label or fit["class"]
    return None


def png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, which begins with them."""
    if len(content) < 24 or content[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


# --- Glyphs ---


def _draw_glyphs(packages: Path, images: Path) -> str:
    fonts = packages.with_name("fonts")
    fonts.mkdir()
    for package in sorted(packages.iterdir()):
        if (folder := package / "usr" / "share" / "fonts").is_dir():
            folder.rename(fonts / package.name)
    env = os.environ | {"PYTHONPATH": str(packages)}  # where Pillow's wheel is unpacked
    command = [sys.executable, str(GLYPHS), str(fonts), str(images)]
    try:
        return run_step("Drawing the glyphs", [*command, "--jobs", str(available_cores())],
                        env).strip()
    except CommandError as error:
        raise LauncherError(f"could not draw the glyphs: {error.reason()}") from None


# --- Packages ---


def fetch_packages(name: str, wanted: list[str], into: Path, about: Path) -> list[str]:
    """Unpacks Debian packages, each into a folder of its own, and copies their copyright
    files to `about`; returns what came, a line each."""
    archives = into.with_name("archives")
    archives.mkdir()
    _download(name, wanted, archives)
    versions = []
    with Step(f"Unpacking the packages of {name}"):
        for archive in sorted(archives.iterdir()):
            package, version, _ = urllib.parse.unquote(archive.name).split("_")
            versions.append(f"{package} {version}")
            (into / package).mkdir()
            done = subprocess.run(["dpkg-deb", "-x", archive, into / package],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise LauncherError(f"dpkg-deb could not unpack {archive.name}: "
                                    f"{CommandError(done.stderr).reason()}")
            archive.unlink()
            words = into / package / "usr/share/doc" / package / "copyright"
            if words.is_file():
                shutil.copyfile(words, about / package)
    return versions


def _download(name: str, wanted: list[str], archives: Path) -> None:
    """With the package lists of the system, or where those have not all of the packages, or
    an older version, with lists fetched for this alone: nobody needs to be root."""
    plural = "" if len(wanted) == 1 else "s"
    title = f"Fetching {len(wanted)} Debian package{plural} for {name}"
    try:
        run_step(title, ["apt-get", "-q", "download", *wanted], folder=archives)
        return
    except CommandError:
        shutil.rmtree(archives)
        archives.mkdir()
    state = archives.with_name("apt")
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    apt = ["apt-get", "-q", "-o", f"Dir::State::Lists={state}/lists",
           "-o", f"Dir::Cache={state}/cache"]
    try:
        run_step("Fetching the package lists", [*apt, "update"])
        run_step(title, [*apt, "download", *wanted], folder=archives)
    except CommandError as error:
        raise LauncherError(
            f"apt-get could not fetch the packages of {name}: {error.reason()}") from None


def _wheels(recipe: Recipe) -> list[str]:
    """The one that a recipe names, with the version that dependencies.toml pins."""
    return [each for each in read_list()["datasets"]["wheels"]
            if each.split("==")[0] == recipe.get("wheel")]


def fetch_wheel(name: str, recipe: Recipe, into: Path) -> list[str]:
    """Unpacks the wheel of a set; returns what came, in a line."""
    wheels = into.with_name("wheels")
    wheels.mkdir()
    names = _wheels(recipe)
    # Of a wheel of which a file alone is wanted, any Python's will do: that of the one pinned.
    target = read_list()["wheels"] if "file" in recipe else None
    download_wheels(names, f"{recipe['wheel']} for {name}", wheels, target)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            members = [recipe["file"], recipe["about"]] if "file" in recipe else None
            archive.extractall(into, members)
    return names
