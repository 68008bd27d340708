"""The kernels compile for every architecture in use by the compiler that compiles them on
a GPU's host, and take their arguments as the host lays them out."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from nvrtc import compile_kernels

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
KERNELS = SOURCES / "gpu" / "kernels"
SOURCE = "gpu/kernels/kernels.cu"
ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]


def options(architecture, bf16):
    # As src/cuda/nvrtc.cpp has them.
    return [f"--gpu-architecture={architecture}", "-std=c++17", f"-DLOCKSTEP_BF16={bf16}"]


def headers():
    """The texts that the build gives the compiler, by the names by which they are included."""
    patterns = re.search(r"file\(GLOB kernel_files CONFIGURE_DEPENDS RELATIVE \S+\s+([^)]*)\)",
                         (ROOT / "CMakeLists.txt").read_text())[1].split()
    paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix().split("/", 1)[1]: path.read_text()
            for path in paths if path.name != "kernels.cu"}


def kernels():
    """What the table says: (struct, whether its threads wait for one another) by kernel."""
    rows = re.findall(r"ROW\(k\w+, (\w+), (\w+), k(None|Some)\)", (KERNELS / "table.h").read_text())
    return {name: (struct, barriers == "Some") for name, struct, barriers in rows}


def host_sizes(structs):
    """Bytes of each struct, as the host's compiler lays it out."""
    program = "#include <cstdio>\n#include \"gpu/kernels/layer_arguments.h\"\nint main() {\n"
    for each in structs:
        program += f'  std::printf("{each} %zu\\n", sizeof(lockstep::gpu::{each}));\n'
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "sizes"
        subprocess.run([shutil.which("c++"), "-x", "c++", "-std=c++20", "-I", str(SOURCES),
                        "-I", str(ROOT / "include"), "-o", str(binary), "-"], input=program + "}\n", text=True, check=True)
        lines = subprocess.run([str(binary)], capture_output=True, text=True,
                               check=True).stdout.splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines}


class KernelsCompileTest(unittest.TestCase):
    def setUp(self):
        self.source = (SOURCE, (SOURCES / SOURCE).read_text())
        self.headers = headers()

    def test_every_kernel_on_every_architecture(self):
        wanted = kernels()
        self.assertGreater(len(wanted), 10)
        sizes = host_sizes(sorted({struct for struct, _ in wanted.values()}))
        wanted = {name: (sizes[struct], waits) for name, (struct, waits) in wanted.items()}
        for architecture in ARCHITECTURES:
            for bf16 in (0, 1):
                with self.subTest(architecture=architecture, bf16=bf16):
                    log, ptx, code = compile_kernels(self.source, self.headers,
                                                     options(architecture, bf16))
                    self.assertEqual(log, "")
                    found = re.findall(r"\.entry (\w+)\(\s*\.param \.align \d+ \.b8 \w+\[(\d+)\]"
                                       r"\s*\)(.*?)\n}\n", ptx, re.DOTALL)
                    self.assertEqual({name: (int(size), "bar.sync" in body)
                                      for name, size, body in found}, wanted)
                    self.assertTrue(all(name.encode() in code for name in wanted))

    def test_the_build_hands_over_these_texts(self):
        generated = Path(os.environ["LOCKSTEP"]).parent / "generated" / "cuda" / "kernel_files.h"
        if not generated.exists():
            self.skipTest("built without GPU support")
        files = re.findall(r'\{"([^"]+)",\s*R"kernel\((.*?)\)kernel"\}', generated.read_text(),
                           re.DOTALL)
        self.assertEqual(dict(files), self.headers | dict([self.source]))

    def test_a_kernel_takes_what_the_table_says(self):
        broken = dict(self.headers)
        table = broken["gpu/kernels/table.h"]
        broken["gpu/kernels/table.h"] = table.replace("gate_forward, Gate,", "gate_forward, Norm,")
        log, ptx, _ = compile_kernels(self.source, broken, options("sm_90", 0))
        self.assertIsNone(ptx)
        self.assertIn("gate_forward does not take what gpu/kernels/table.h says", log)

    def test_a_fault_is_named_with_its_place(self):
        broken = dict(self.headers)
        text = broken["gpu/kernels/norm.cuh"]
        line = next(number for number, each in enumerate(text.splitlines(), 1)
                    if "norm.variance[c] = variance;" in each)
        broken["gpu/kernels/norm.cuh"] = text.replace("norm.variance[c] = variance;",
                                                      "norm.varianse[c] = variance;")
        log, ptx, _ = compile_kernels(self.source, broken, options("sm_90", 0))
        self.assertIsNone(ptx)
        self.assertRegex(log, rf'(?m)^gpu/kernels/norm\.cuh\({line}\): error: .*"varianse"')


if __name__ == "__main__":
    unittest.main()
