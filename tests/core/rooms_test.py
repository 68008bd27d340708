"""The rooms hold to the table of rooms: who may include whom, which room alone sees
which library, how long a file may be."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What each room may use directly; use is transitive. `config` may also include the
# options.h of every room; `app` may include everything.
USES = {
    "core": [],
    "comm": ["core"],
    "pictures": ["core"],
    "data": ["core", "comm", "pictures"],
    "model": ["core"],
    "checkpoint": ["core"],
    "parallel": ["comm", "model"],
    "plan": ["parallel"],
    "eval": ["comm", "data", "model"],
    "train": ["parallel", "eval", "checkpoint", "data"],
    "gpu": ["train"],
    "cuda": ["gpu", "comm", "core"],
    "run": ["train", "config"],
    "callbacks": ["run"],
    "report": ["eval", "run"],
    "serve": ["run", "pictures"],
    "exporting": ["model"],
    "config": ["core"],
}

# Which rooms alone may include headers that begin so.
LIBRARIES = {
    ("mpi.h",): {"comm"},
    ("ATen/", "torch/", "c10/"): {"model", "train", "gpu", "cuda"},
    ("cuda.h", "cuda_runtime_api.h"): {"cuda"},
    ("google/protobuf/",): {"config"},
    ("CLI/",): {"app"},
    ("onnx/",): {"exporting"},
    ("cairo",): {"report"},
    ("png.h", "jpeglib.h", "jerror.h"): {"pictures"},
    ("boost/",): {"serve"},
}

GENERATED = {"lockstep/run/version.h", "serve/page_files.h", "cuda/kernel_files.h"}
LARGEST = {".h": 150, ".cpp": 400, ".py": 400}  # lines
LONGEST_FUNCTION = 60  # lines


def may_use(room):
    if room == "app":
        return set(USES) | {"app"}
    return {room}.union(*(may_use(other) for other in USES[room]))


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))
            if path.suffix in LARGEST]


def room_of(path):
    parts = path.relative_to(ROOT).parts  # src/ROOM/... or include/lockstep/ROOM/...
    return parts[1] if parts[0] == "src" else parts[2]


def includes(path):
    """(line number, header) of the file."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found[2]


class RoomsTest(unittest.TestCase):
    def setUp(self):
        self.sources = [path for path in files("src", "include") if path.suffix != ".py"]
        self.assertGreater(len(self.sources), 50)

    def faults(self, judge):
        """What judge(path, header) says of each include, with its place."""
        found = []
        for path in self.sources:
            for number, header in includes(path):
                fault = judge(path, header)
                if fault:
                    found.append(f"{path.relative_to(ROOT)}:{number}: {header}: {fault}")
        return "\n".join(found)

    def test_every_file_is_in_a_room(self):
        self.assertLessEqual({room_of(path) for path in self.sources}, set(USES) | {"app"})

    def test_rooms_use_what_they_may(self):
        def judge(path, header):
            room = room_of(path)
            public = re.fullmatch(r"lockstep/(\w+)/(\w+\.h)", header)
            if not public:
                return ""
            if room == "config" and public[2] == "options.h":
                return ""
            return "" if public[1] in may_use(room) else f"{room} may not use {public[1]}"

        self.assertEqual(self.faults(judge), "")

    def test_private_headers_stay_in_their_room(self):
        rooms = set(USES) | {"app"}

        def judge(path, header):
            room = header.split("/")[0]
            if room not in rooms or "/" not in header:
                return ""
            if not path.is_relative_to(ROOT / "src"):
                return "a public header includes a private one"
            return "" if room == room_of(path) else f"private to {room}"

        self.assertEqual(self.faults(judge), "")

    def test_headers_exist(self):
        rooms = set(USES) | {"app"}

        def judge(path, header):
            if header in GENERATED or header.split("/")[0] not in rooms | {"lockstep"}:
                return ""
            return "" if (ROOT / "src" / header).exists() or (ROOT / "include" / header).exists() \
                else "no such file"

        self.assertEqual(self.faults(judge), "")

    def test_libraries_are_seen_by_one_room(self):
        def judge(path, header):
            for prefixes, rooms in LIBRARIES.items():
                if header.startswith(prefixes) and room_of(path) not in rooms:
                    return f"only for {', '.join(sorted(rooms))}"
            return ""

        self.assertEqual(self.faults(judge), "")

    def test_options_are_plain(self):
        # config includes them, and must see neither LibTorch nor MPI.
        standard = re.compile(r"[a-z_]+")

        def judge(path, header):
            if not path.name.endswith("options.h") or standard.fullmatch(header):
                return ""
            plain = header.endswith("options.h") or header.startswith("lockstep/core/")
            return "" if plain else "options may include core and other options alone"

        self.assertEqual(self.faults(judge), "")

    def test_public_headers_hide_libraries(self):
        # fmt is part of the one exception type, tensors of what the computing rooms share.
        def judge(path, header):
            if path.name in ("op_runner.h", "pass.h") and header.startswith("ATen/"):
                return ""
            if not path.is_relative_to(ROOT / "include") or header.startswith("lockstep/"):
                return ""
            return "" if re.fullmatch(r"[a-z_]+|fmt/format\.h", header) else "a library's header"

        self.assertEqual(self.faults(judge), "")

    def test_the_build_repeats_the_table(self):
        lines = re.findall(r"^ *lockstep_(?:room|plugin)\((\w+)(?: USES ([a-z ]+))?",
                           (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
        self.assertEqual({room: sorted(uses.split()) for room, uses in lines},
                         {room: sorted(uses) for room, uses in USES.items()})


class RunFilesTest(unittest.TestCase):
    """Each name in a run folder stands in one header, and in one module of the launcher."""

    HEADERS = ("run/run_files.h", "checkpoint/checkpoint_folder.h", "train/run_state.h")

    def names(self):
        return {name for header in self.HEADERS for name in re.findall(
            r'constexpr const char\* k\w+ = "([^"]+)"',
            (ROOT / "include/lockstep" / header).read_text())}

    def spelt(self, paths, names):
        quoted = re.compile("|".join(f'"{re.escape(name)}"' for name in sorted(names)))
        return "\n".join(f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
                         for path in paths
                         for number, line in enumerate(path.read_text().splitlines(), 1)
                         if quoted.search(line))

    def test_sources_take_the_names_from_there(self):
        headers = {ROOT / "include/lockstep" / header for header in self.HEADERS}
        # Words of other meanings too: keys of JSON, names of callbacks.
        names = self.names() - {"best", "checkpoints", "lock", "logs", "tensorboard", "slurm"}
        self.assertGreater(len(names), 20)
        sources = [path for path in files("src", "include") if path not in headers]
        self.assertEqual(self.spelt(sources, names), "")

    def test_launcher_takes_them_from_its_module(self):
        module = ROOT / "launcher/run_files.py"
        names = set(re.findall(r'^\w+ = "([^"]+)"', module.read_text(), re.MULTILINE))
        self.assertGreater(len(names), 10)
        names -= {"lock", "cancelled"}  # words of other meanings too
        scripts = [path for path in files("launcher") if path != module]
        self.assertEqual(self.spelt(scripts, names), "")

    def test_both_say_the_same(self):
        names = self.names()
        module = (ROOT / "launcher/run_files.py").read_text()
        programs = module.split("# A sweep's")[0]
        of_files = {name.split("/")[-1] for name in re.findall(r'^\w+ = "([^"]+)"', programs,
                                                               re.MULTILINE)}
        self.assertEqual(of_files - names, {"rank-0.log"})
        self.assertTrue({"outcome.json", "output.log"} <= names)


class LengthTest(unittest.TestCase):
    def setUp(self):
        self.sources = [path for path in files("src", "include") if path.suffix != ".py"]

    def test_length_of_files(self):
        long = []
        for path in files("src", "include", "launcher", "tests"):
            lines = path.read_text().count("\n")
            if lines > LARGEST[path.suffix]:
                long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        self.assertEqual("\n".join(long), "")

    def test_functions_are_short(self):
        # As clang-format lays them out: the last brace stands below the first line's beginning.
        long = []
        for path in self.sources:
            first = None
            lines = path.read_text().splitlines()
            for number, line in enumerate(lines):
                opens = re.match(r"( {0,2})(?!namespace|class|struct|enum|union)\S.*\{$", line)
                if opens and first is None and "(" in "".join(lines[max(0, number - 4):number + 1]):
                    first, indent = number, opens[1]
                elif first is not None and re.match(indent + r"\}", line):
                    if number - first >= LONGEST_FUNCTION:
                        long.append(f"{path.relative_to(ROOT)}:{first + 1}: {number - first + 1}")
                    first = None
        self.assertEqual("\n".join(long), "")

    def test_headers_make_no_circle(self):
        included = {}
        for path in self.sources:
            included[path] = {ROOT / base / header for _, header in includes(path)
                              for base in ("include", "src") if (ROOT / base / header).exists()}

        def check(path, above):
            self.assertNotIn(path, above)
            for other in included.pop(path, ()):
                check(other, above | {path})

        for path in self.sources:
            check(path, set())


if __name__ == "__main__":
    unittest.main()
