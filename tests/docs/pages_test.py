"""The project's pages: their links lead somewhere, the paths that they name are there, and
what they repeat of the sources is as it stands there."""

import importlib.util
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("[a-z]*/README.md"))]

# Words in capitals, as variables are, in files that read variables.
OTHER_WORDS = {"AMX", "AUTO", "AVX2", "AVX512", "AVX512_BF16", "CMAKE_HOME_DIRECTORY", "LOCKSTEP_",
               "LOCKSTEP_TESTS", "NONE", "ON", "PALS", "PIP_", "RUNNING", "VAL_LOSS"}


def prose(page):
    """The page without its blocks of code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(page):
    """As GitHub makes them of the headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)}


def first_cells(text, begin):
    """Those of the rows of the table whose header begins so."""
    table = text[text.index(begin):].split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")]
            for line in table.splitlines()[2:]]


class LinksTest(unittest.TestCase):
    def test_lead_to_files_and_headings(self):
        dead = []
        for page in PAGES:
            for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
                path, _, anchor = link.partition("#")
                to = (page.parent / path).resolve() if path else page
                if "://" in link or not to.exists() or not to.is_relative_to(ROOT) \
                        or (anchor and anchor not in anchors(to)):
                    dead.append(f"{page.relative_to(ROOT)}: {link}")
        self.assertEqual(dead, [])

    def test_each_page_is_linked_from_the_first(self):
        linked = set(re.findall(r"\]\(([\w/]+README\.md)", prose(ROOT / "README.md")))
        self.assertEqual(linked, {str(page.relative_to(ROOT)) for page in PAGES[1:]})

    def test_the_first_page_is_short(self):
        self.assertLessEqual((ROOT / "README.md").read_text().count("\n"), 250)

    def test_paths_exist(self):
        missing = []
        for page in PAGES:
            for path in re.findall(r"`((?:src|include|tests|launcher|configs|data)/[\w./-]+)[` ]",
                                   prose(page)):
                if not (ROOT / path).exists() and not path.startswith("data/sets/"):
                    missing.append(f"{page.relative_to(ROOT)}: {path}")
        self.assertEqual(missing, [])


class RoomsTableTest(unittest.TestCase):
    def test_is_what_the_rooms_are_held_to(self):
        spec = importlib.util.spec_from_file_location("rooms", ROOT / "tests/core/rooms_test.py")
        rooms = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(rooms)
        text = (ROOT / "src/README.md").read_text()
        told = {room.strip("`"): set(re.findall(r"\w+", uses)) for room, _, uses
                in first_cells(text, "| room |")}
        self.assertEqual(told.pop("app"), {"all"})
        told["config"] = {"core"}  # "every room's options.h"
        # The library apart links to no room; what it uses is told by its sources.
        self.assertEqual({room: uses for room, uses in told.items() if room != "cuda"},
                         {room: set(uses) for room, uses in rooms.USES.items() if room != "cuda"})


class VariablesTest(unittest.TestCase):
    maxDiff = None

    def in_sources(self):
        found = {}
        for folder in ("src", "include", "launcher"):
            for path in sorted((ROOT / folder).rglob("*")):
                if path.suffix in (".md", ".pyc") or not path.is_file():
                    continue
                text = path.read_text(errors="replace")
                reads = "getenv" in text or "_from_environment" in text \
                    or re.search(r"\benv\b|environ", text) and folder == "launcher"
                if not reads:
                    continue
                words = re.findall(r'"([A-Z][A-Z0-9_]+(?:_[a-z_]+)?)"', text)
                words += re.findall(r"\$\{*([A-Z][A-Z0-9_]+)", text) if folder == "launcher" else []
                for word in words:
                    if word not in OTHER_WORDS:
                        found.setdefault(word, str(path.relative_to(ROOT)))
        return found

    def test_the_page_lists_those_that_the_sources_read(self):
        text = (ROOT / "launcher/README.md").read_text()
        told = {name for row in first_cells(text, "| variable |")
                for name in re.findall(r"`(\w+)`", row[0])}
        read = self.in_sources()
        self.assertGreater(len(read), 40)
        self.assertEqual({name: path for name, path in read.items() if name not in told}, {})
        self.assertEqual(told - set(read), set())


if __name__ == "__main__":
    unittest.main()
