#!/usr/bin/env python3
"""Takes a worked example out of src/README.md.

    tests/docs/take_example.py --list NAME       the paths of its files, a line each
    tests/docs/take_example.py NAME FOLDER       writes them below FOLDER, which is its own

An example is a heading and the blocks of code below it: ```cpp PATH is a new file, ```diff
PATH changes one of the project's. A change has parts, with @@ between: its lines that begin
with a blank or - stand in the file once, and are replaced by those with a blank or +. NAME is
what the example's own program is called, NAME.cpp.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(cpp|diff) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def example(name):
    """(kind, path, text) of the blocks of the example."""
    for section in re.split(r"^### ", (ROOT / "src/README.md").read_text(), flags=re.MULTILINE):
        blocks = BLOCK.findall(section)
        if f"{name}.cpp" in (path for _, path, _ in blocks):
            return blocks
    sys.exit(f"src/README.md: no example has {name}.cpp")


def changed(path, text, change):
    for part in re.split(r"^@@\n", change, flags=re.MULTILINE):
        lines = part.splitlines()
        old = "".join(line[1:] + "\n" for line in lines if line[:1] != "+")
        new = "".join(line[1:] + "\n" for line in lines if line[:1] != "-")
        if ("\n" + text).count("\n" + old) != 1:
            sys.exit(f"src/README.md changes {path} where this does not stand once:\n{old}")
        text = text.replace(old, new)
    return text


def main(arguments):
    if arguments[0] == "--list":
        print("\n".join(path for _, path, _ in example(arguments[1])))
        return
    folder = Path(arguments[1])
    blocks = example(arguments[0])
    # What an earlier state of the page left would be found before the sources.
    wanted = {folder / path for _, path, _ in blocks}
    for old in [*folder.rglob("*.cpp"), *folder.rglob("*.h"), *folder.rglob("*.cuh")]:
        if old not in wanted:
            old.unlink()
    for kind, path, text in blocks:
        to = folder / path
        if kind == "diff":
            text = changed(path, (ROOT / path).read_text(), text)
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists() or to.read_text() != text:
            to.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
