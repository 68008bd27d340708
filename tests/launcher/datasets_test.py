"""`install datasets`: what it makes of packages that a stand-in for apt-get brings."""

import hashlib
import re
import subprocess
import tomllib
import unittest
import zipfile

from fake_project import ROOT, FakeProjectTest
from png_writer import grey_png

RECIPE = """
[icons]
what = "small icons"
licence = "GPL-2+"
packages = ["theme-one", "theme-two"]
root = "usr/share/icons"
size = [3, 2]
least = 2
skip = 'symbolic'
images = [
  { path = '[a-z]+/(?P<class>apps|places|status)/.*\\.png' },
  { path = '[a-z]+/mimes/.*\\.png', as = "mimetypes" },
]
"""


def icon(level, width=3):
    return grey_png([[level] * width, [255 - level] * width])


class DatasetsTest(FakeProjectTest):
    def setUp(self):
        super().setUp()
        (self.project / "launcher" / "datasets.toml").write_text(RECIPE)
        self.archives = self.folder / "archives"
        self.archives.mkdir()
        self.log = self.folder / "apt.log"
        self.tool("apt-get", f"""
            echo "$*" >>{self.log}
            case " $* " in
              *" update "*) touch {self.folder}/updated; exit 0;;
            esac
            [ -z "$FAKE_OLD_LISTS" ] || [ -e {self.folder}/updated ] ||
              {{ echo 'E: Unable to locate package theme-one'; exit 100; }}
            [ -z "$FAKE_NO_NETWORK" ] || {{ echo 'E: Temporary failure resolving'; exit 100; }}
            cp {self.archives}/* .""")
        self.package("theme-one", "1.0-1", {
            "one/apps/a.png": icon(1), "one/apps/b.png": icon(2), "one/apps/same.png": icon(1),
            "one/apps/large.png": icon(3, width=4), "one/apps/x-symbolic.png": icon(4),
            "one/apps/notes.txt": b"notes", "one/apps/broken.png": b"\x89PNG",
            "one/places/alone.png": icon(5), "one/mimes/c.png": icon(6)})
        self.package("theme-two", "2:3.4~5", {
            "two/apps/deeper/a.png": icon(7), "two/mimes/d.png": icon(8),
            "two/mimes/a.png": icon(1), "two/other/e.png": icon(9)}, link=("two/status/f.png", "../mimes/d.png"))

    def package(self, name, version, files, link=None):
        tree = self.folder / "trees" / name
        content = {f"usr/share/icons/{path}": data for path, data in files.items()}
        content[f"usr/share/doc/{name}/copyright"] = f"Copyright of {name}\n".encode()
        content["DEBIAN/control"] = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b.c>\n"
            "Description: a\n").encode()
        for path, data in content.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        if link:
            path = tree / "usr/share/icons" / link[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(link[1])
        archive = self.archives / f"{name}_{version.replace(':', '%3a')}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, archive],
                       check=True, capture_output=True)

    def install(self, *words, **more):
        return self.launch("install", "datasets", *words, **more)

    def made(self):
        folder = self.project / "data" / "sets"
        return {path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*") if path.is_file() and path.name != "lock"}

    def test_images_go_into_a_folder_for_each_class(self):
        done = self.install()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, "")
        line = "data/sets/icons: 5 images, 2 classes: small icons; GPL-2+"
        self.assertEqual(done.stderr.splitlines()[-1], line)
        made = self.made()
        about = made.pop("about/icons.txt").decode().splitlines()
        self.assertRegex(about[0], "^recipe [0-9a-f]{64}$")
        self.assertEqual(about[1:], ["5 images, 2 classes", "theme-one 1.0-1", "theme-two 2:3.4~5"])
        self.assertEqual(made, {
            "icons/apps/one-apps-a.png": icon(1), "icons/apps/one-apps-b.png": icon(2),
            "icons/apps/two-apps-deeper-a.png": icon(7),
            "icons/mimetypes/one-mimes-c.png": icon(6), "icons/mimetypes/two-mimes-d.png": icon(8),
            "about/icons/theme-one": b"Copyright of theme-one\n",
            "about/icons/theme-two": b"Copyright of theme-two\n",
            "about/icons/classes.txt": b"apps 3\nmimetypes 2\n"})
        self.assertEqual(self.log.read_text(), "-q download theme-one theme-two\n")

    def test_what_is_there_is_not_made_again(self):
        first = self.install("icons").stderr.splitlines()[-1]
        made = self.made()
        self.log.unlink()
        again = self.install("icons")
        self.assertEqual((again.returncode, again.stderr), (0, first + "\n"))
        self.assertFalse(self.log.exists())
        self.assertEqual(self.made(), made)
        (self.project / "launcher" / "datasets.toml").write_text(RECIPE.replace("small", "tiny"))
        again = self.install("icons").stderr
        self.assertEqual(again, first.replace("small", "tiny") + "\n")
        # Another recipe is another set, of which nothing of the first is left.
        (self.project / "launcher" / "datasets.toml").write_text(
            RECIPE.replace("size = [3, 2]", "size = [4, 2]").replace("least = 2", "least = 1")
            .replace("|status", ""))
        self.package("theme-two", "2:3.4~5", {"two/places/g.png": icon(7, width=4)})
        self.assertIn("2 images, 2 classes", self.install("icons").stderr)
        self.assertEqual(sorted(path for path in self.made() if path.startswith("icons/")),
                         ["icons/apps/one-apps-large.png", "icons/places/two-places-g.png"])

    def test_lists_are_fetched_where_the_systems_do_not_do(self):
        done = self.install(FAKE_OLD_LISTS="1")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = self.log.read_text().splitlines()
        self.assertEqual(len(calls), 3)
        own = r"-q -o Dir::State::Lists=(\S+)/lists -o Dir::Cache=\1/cache"
        self.assertRegex(calls[1], rf"^{own} update$")
        self.assertRegex(calls[2], rf"^{own} download theme-one theme-two$")

    def test_what_fails_is_one_line_and_leaves_nothing(self):
        done = self.install(FAKE_NO_NETWORK="1")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.splitlines()[-1], "lockstep: apt-get could not fetch the "
                         "packages of icons: E: Temporary failure resolving")
        self.assertEqual(self.made(), {})
        (self.archives / "theme-one_1.0-1_all.deb").write_bytes(b"!<arch>\n")
        done = self.install()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.splitlines()[-1],
                         "^lockstep: dpkg-deb could not unpack theme-one_1.0-1_all.deb: .")
        self.assertEqual(self.made(), {})

    def test_packages_without_the_images(self):
        (self.project / "launcher" / "datasets.toml").write_text(RECIPE.replace("apps|", ""))
        done = self.install()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.splitlines()[-1],
                         "^lockstep: the packages of icons have no longer the images that "
                         "datasets.toml looks for: usr/share/icons$")
        self.assertEqual(self.made(), {})

    def test_a_file_of_a_wheel(self):
        (self.project / "launcher" / "datasets.toml").write_text("""
            [sklearn_digits]
            what = "digits"
            licence = "CC BY 4.0"
            wheel = "scikit-learn"
            file = "sklearn/data/digits.csv.gz"
            about = "sklearn/digits.rst"
            images = 2
            classes = 10""")
        index = self.folder / "index"
        index.mkdir()
        listed = self.project / "launcher" / "dependencies.toml"
        name, = re.findall(r'"scikit-learn==(.*?)" = ', listed.read_text())
        wheel = index / f"scikit_learn-{name}-cp311-cp311-manylinux_2_28_x86_64.whl"
        info = f"scikit_learn-{name}.dist-info"
        content = {"sklearn/data/digits.csv.gz": "rows", "sklearn/digits.rst": "words",
                   "sklearn/other.py": "", f"{info}/RECORD": "",
                   f"{info}/METADATA": "Metadata-Version: 2.1\nName: scikit-learn\n"
                                       f"Version: {name}\n",
                   f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
                                    "Tag: cp311-cp311-manylinux_2_28_x86_64\n"}
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in content.items():
                archive.writestr(path, text)
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
        done = self.install(**offline)
        self.assertEqual(done.returncode, 1)  # it is not the wheel of the hash
        self.assertRegex(done.stderr.splitlines()[-1],
                         "^lockstep: pip could not fetch scikit-learn for sklearn_digits: ")
        self.assertEqual(self.made(), {})
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        listed.write_text(re.sub(r'("scikit-learn==.*" = \[")[0-9a-f]+', rf"\g<1>{digest}",
                                 listed.read_text()))
        done = self.install(**offline)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.splitlines()[-1],
                         "data/sets/sklearn_digits: 2 images, 10 classes: digits; CC BY 4.0")
        made = self.made()
        self.assertEqual(made.pop("about/sklearn_digits.txt").splitlines()[2:],
                         [f"scikit-learn=={name}".encode()])
        self.assertEqual(made, {"sklearn_digits/digits.csv.gz": b"rows",
                                "about/sklearn_digits/digits.rst": b"words"})

    def test_a_set_that_is_not_there(self):
        done = self.install("icon")
        self.assertEqual((done.returncode, done.stderr),
                         (2, "lockstep: no data set 'icon': there are icons\n"))


class RecipesTest(unittest.TestCase):
    def test_are_whole(self):
        recipes = tomllib.loads((ROOT / "launcher" / "datasets.toml").read_text())
        pinned = tomllib.loads((ROOT / "launcher" / "dependencies.toml").read_text())
        pinned = [name.split("==")[0] for name in pinned["datasets"]["wheels"]]
        self.assertEqual(sorted(recipe["wheel"] for recipe in recipes.values()
                                if "wheel" in recipe), pinned)
        for name, recipe in recipes.items():
            with self.subTest(name):
                self.assertTrue(recipe["what"] and recipe["licence"])
                packages = recipe.get("packages", [])
                self.assertEqual(packages, sorted(set(packages)))
                self.assertTrue(packages or "wheel" in recipe)
                for each in recipe["images"] if "root" in recipe else []:
                    self.assertTrue("as" in each or "class" in re.compile(each["path"]).groupindex)

    def test_have_experiments(self):
        for name in tomllib.loads((ROOT / "launcher" / "datasets.toml").read_text()):
            text = (ROOT / "configs" / f"{name}.textproto").read_text()
            self.assertIn(f'name: "{name}"', text)
            self.assertIn(f'"data/sets/{name}', text)


if __name__ == "__main__":
    unittest.main()
