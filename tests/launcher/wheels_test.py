"""What pip is told: hashes of all wheels, and no setting of the user's but where to fetch."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "launcher"))

import dependencies  # noqa: E402

PIP = [sys.executable, "-m", "pip"]
CONFIG = """
[global]
index-url = https://mirror.example/simple
target = /elsewhere
[download]
index-url = https://other.example/simple
pre = true
"""


class WheelsTest(unittest.TestCase):
    def test_every_wheel_has_its_hashes(self):
        listed = dependencies.read_list()
        wheels = listed["wheels"]
        names = [*listed["test_venv"]["packages"], *wheels["cpu"]["names"], *wheels["cuda"]["names"],
                 *listed["datasets"]["wheels"]]
        self.assertEqual(sorted(set(names)), sorted(listed["sha256"]))
        for line in dependencies.requirements(names).splitlines():
            self.assertRegex(line, r"^[\w-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+$")

    def test_settings_that_count(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(CONFIG)
            config.flush()
            theirs = {name: value for name, value in os.environ.items()
                      if not name.startswith("PIP_")}
            theirs |= {"PIP_CONFIG_FILE": config.name, "PIP_NO_DEPS": "0", "PIP_USER": "1",
                       "PIP_FIND_LINKS": "/some/where", "PIP_REQUIREMENT": "/x.txt"}
            with mock.patch.dict(os.environ, theirs, clear=True):
                env = dependencies.pip_environment(PIP)
        expected = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "/some/where",
                    "PIP_INDEX_URL": "https://other.example/simple"}
        self.assertEqual(env, env | expected)
        # The machine may have settings too.
        allowed = {"PIP_" + each.upper().replace("-", "_") for each in dependencies.SOURCES}
        found = {name for name in env if name.startswith("PIP_")}
        self.assertLessEqual(found, allowed | {"PIP_CONFIG_FILE"})
        self.assertEqual(env["PATH"], os.environ["PATH"])


if __name__ == "__main__":
    unittest.main()
