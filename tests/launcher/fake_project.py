"""A copy of the project with stand-ins for the outside tools and the program."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What a program, a shell script, begins with: the launcher asks it of the experiment.
ANSWER_NEEDS = """
    case " $* " in *" --needs "*) echo '{"name": "tiny", "lanes": 4, "gpus": false,
      "train": [], "validation": [], "test": [], "weights": [],
      "metric": "val_accuracy"}'; exit;; esac
"""


class FakeProjectTest(unittest.TestCase):
    """A test of the launcher as a user starts it, in such a copy."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.project = self.folder / "project"
        self.tools = self.folder / "tools"
        for path in (self.tools, self.project / "src", self.project / "include"):
            path.mkdir(parents=True)
        shutil.copytree(ROOT / "launcher", self.project / "launcher")
        (self.project / "CMakeLists.txt").write_text("")
        torch = self.folder / "torch"
        (torch / "lib").mkdir(parents=True)
        (torch / "lib" / "libtorch_cpu.so").write_text("")
        (self.project / ".deps").mkdir()
        (self.project / ".deps" / "torch").symlink_to(torch)
        # Says that every package asked for is installed.
        self.tool("dpkg-query", 'shift 3; for p in "$@"; do echo "installed $p"; done')
        self.tool("cmake", f"""
            mkdir -p {self.project}/build; touch {self.project}/build/build.ninja
            echo CMAKE_HOME_DIRECTORY:INTERNAL={self.project} >{self.project}/build/CMakeCache.txt
            for a in "$@"; do case $a in -D*)
              a=${{a#-D}}; echo ${{a%%=*}}:PATH=${{a#*=}} >>{self.project}/build/CMakeCache.txt;;
            esac; done""")
        self.program = f"""#!/bin/sh
            {ANSWER_NEEDS}
            echo "program $* in $PWD, root $LOCKSTEP_ROOT"
            exit ${{FAKE_STATUS:-0}}\n"""
        (self.folder / "program").write_text(self.program)
        self.tool("ninja", f"""
            echo ninja >>{self.folder}/ninja.log
            [ -z "$FAKE_NINJA" ] || {{ echo 'x.cpp:1: error: no such type'; exit 1; }}
            cp {self.folder}/program {self.project}/build/lockstep
            chmod 755 {self.project}/build/lockstep""")
        self.tool("mpirun", """
            while [ "${1##*/}" != lockstep ]; do shift; done
            "$@" """)

    def tool(self, name, script):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    def environment(self, **more):
        dropped = ("LOCKSTEP_TORCH", "LOCKSTEP_WHEELS", "LOCKSTEP_ROOT")
        env = {key: value for key, value in os.environ.items() if key not in dropped}
        return env | {"PATH": f"{self.tools}:{env['PATH']}"} | more

    def launch(self, *words, cwd=None, **more):
        return subprocess.run(
            [sys.executable, self.project / "launcher" / "lockstep", *words],
            cwd=cwd or self.folder, env=self.environment(**more), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )
