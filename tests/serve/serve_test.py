"""lockstep-serve answers as its schema says, and as `lockstep predict` does."""

import base64
import csv
import json
import re
import shutil
import signal
import socket
import subprocess
import unittest
import zlib

from lockstep_run import CLASSES, PIXELS, SIDE
from png_writer import GREY, SIGNATURE, chunk, grey_png, header
from serving import SERVER, RunningServer, ServeTest

JSON = {"Content-Type": "application/json"}


class PredictTest(ServeTest):
    def predicted_rows(self):
        """{row: (class, probabilities)} by the program itself."""
        out = self.folder / "rows.csv"
        self.lockstep("predict", self.checkpoint, "--out", out)
        with out.open() as file:
            lines = list(csv.reader(file))[1:]
        return [(line[1], [float(p) for p in line[2:]]) for line in lines]

    def assert_probabilities(self, seen, expected):
        for a, b in zip(seen, expected, strict=True):
            self.assertAlmostEqual(a, b, delta=0.001)

    def test_rows_have_the_classes_that_the_program_predicts(self):
        images = [pixels for _, pixels in self.test_rows]
        predictions = []
        for first in range(0, len(images), 37):
            part = images[first:first + 37]
            status, answer = self.server.predict({"images": part})
            self.assertEqual(status, 200)
            self.assertEqual([each["seen"] for each in answer["predictions"]], part)
            predictions += answer["predictions"]
        expected = self.predicted_rows()
        self.assertEqual([each["name"] for each in predictions], [name for name, _ in expected])
        self.assertGreater(len({name for name, _ in expected}), 1)
        for each, (_, probabilities) in zip(predictions, expected, strict=True):
            self.assertAlmostEqual(sum(each["probabilities"]), 1, places=9)
            self.assertEqual(each["class"], max(range(CLASSES), key=each["probabilities"].__getitem__))
            self.assert_probabilities(each["probabilities"], probabilities)

    def test_pictures_have_the_classes_that_the_program_predicts(self):
        levels = [[0 if 14 <= y < 22 and 6 <= x < 40 else 255 for x in range(48)]
                  for y in range(40)]
        path = self.write("bar.png", grey_png(levels))
        expected = json.loads(self.lockstep("predict", self.checkpoint, path, "--json").stdout)[0]
        text = base64.b64encode(path.read_bytes()).decode()
        status, answer = self.server.predict({"png": [text, text]})
        self.assertEqual(status, 200)
        self.assertEqual(len(answer["predictions"]), 2)
        for each in answer["predictions"]:
            self.assertEqual(each["name"], expected["class"])
            self.assertEqual(len(each["seen"]), PIXELS)
            self.assert_probabilities(each["probabilities"],
                                      list(expected["probabilities"].values()))

    def test_levels_are_rounded(self):
        status, answer = self.server.predict({"images": [[7.6, 0.2] + [255] * (PIXELS - 2)]})
        self.assertEqual(status, 200)
        self.assertEqual(answer["predictions"][0]["seen"][:3], [8, 0, 255])

    def test_requests_that_are_not_as_the_schema_says(self):
        image = [0] * PIXELS
        large = base64.b64encode(
            SIGNATURE + header(1025, 1024, GREY, 8) + chunk(b"IDAT", zlib.compress(bytes(1026 * 1024)))
            + chunk(b"IEND", b"")).decode()
        for request, message in (
                ("", "not JSON"), ("{", "not JSON"), ('{"images": [[1e999]]}', "number"),
                ("[]", "expected"), ("{}", "expected"), ('"x"', "expected"),
                ({"images": 3}, "expected"), ({"image": [image]}, "expected"),
                ({"images": [image], "png": []}, "expected"),
                ({"images": []}, "0 images"), ({"images": [image[:3]] * 65}, "65 images"),
                ({"images": [image, image[1:]]}, rf"images\[1\]: {PIXELS - 1} values"),
                ({"images": [7]}, "array"), ({"images": [image[1:] + [256]]}, "255"),
                ({"images": [[-1] + image[1:]]}, "pixel 0"),
                ({"images": [[None] + image[1:]]}, "pixel 0"),
                ({"images": [[[[1]]]]}, "deep"), ("[" * 60000, "deep"),
                ('{"a":' * 10000, "deep"),
                ({"png": [3]}, "string"), ({"png": ["@@@@"]}, "base64"),
                ({"png": ["abc"]}, "base64"), ({"png": ["AAAA"]}, r"png\[0\]"),
                ({"png": [large]}, r"png\[0\]")):
            with self.subTest(request=str(request)[:60]):
                status, answer = self.server.predict(request)
                self.assertEqual(status, 400)
                self.assertEqual(list(answer), ["error"])
                self.assertRegex(answer["error"], message)

    def test_more_images_than_may_wait_are_refused(self):
        # One thread takes at most 64 images at a time, so these all wait at some time.
        body = json.dumps({"images": [[0] * PIXELS] * 64}).encode()
        head = (f"POST /predict HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        before = self.server.metric("lockstep_predictions_total")
        connections = [socket.create_connection(("127.0.0.1", self.server.port), 10)
                       for _ in range(40)]
        statuses = []
        for connection in connections:
            connection.sendall(head + body)
        for connection in connections:
            statuses.append(int(connection.makefile("rb").readline().split()[1]))
            connection.close()
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertEqual(self.server.metric("lockstep_predictions_total") - before,
                         64 * statuses.count(200))
        self.server.wait_for(lambda: self.server.metric("lockstep_waiting_images") == 0)


class RoutesTest(ServeTest):
    def test_the_page_has_all_it_needs_and_may_load_nothing_else(self):
        for path, kind in (("/", "text/html"), ("/page.css", "text/css"),
                           ("/page.js", "text/javascript")):
            status, headers, body = self.server.ask("GET", path, None, {"Accept-Encoding": "gzip"})
            self.assertEqual(status, 200)
            self.assertTrue(headers["Content-Type"].startswith(kind))
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertIsNone(headers["Content-Encoding"])
            policy = headers["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; "))
            self.assertNotIn("unsafe", policy)
            self.assertNotRegex(body.decode(), r"""(src|href)=["']https?:""")

    def test_schema(self):
        status, _, body = self.server.ask("GET", "/schema")
        schema = json.loads(body)
        self.assertEqual(status, 200)
        self.assertEqual(schema["model"], "tiny")
        self.assertEqual(schema["classes"], [str(i) for i in range(CLASSES)])
        self.assertEqual(schema["image"], {"height": SIDE, "width": SIDE, "channels": 1})
        pixels = schema["request"]["properties"]["images"]["items"]
        self.assertEqual((pixels["minItems"], pixels["maxItems"]), (PIXELS, PIXELS))

    def test_health_and_head(self):
        self.assertEqual(self.server.ask("GET", "/healthz")[::2], (200, b"ok\n"))
        self.assertEqual(self.server.ask("HEAD", "/healthz")[::2], (200, b""))

    def test_metrics_count(self):
        names = ['lockstep_requests_total{route="/healthz",status="200"}',
                 'lockstep_request_seconds_count{route="/healthz"}',
                 'lockstep_request_seconds_bucket{route="/healthz",le="+Inf"}',
                 'lockstep_requests_total{route="other",status="404"}',
                 "lockstep_predictions_total"]
        before = [self.server.metric(name) for name in names]
        for _ in range(7):
            self.server.ask("GET", "/healthz")
        self.server.ask("GET", "/nothing-here")
        self.server.predict({"images": [[0] * PIXELS] * 3})
        after = [self.server.metric(name) for name in names]
        self.assertEqual([a - b for a, b in zip(after, before)], [7, 7, 7, 1, 3])

    def test_what_is_not_answered(self):
        here = f"127.0.0.1:{self.server.port}"
        body = "{}"
        for status, method, path, headers in (
                (404, "GET", "/index.html", {}), (404, "GET", "/../../etc/passwd", {}),
                (404, "GET", "/page.css/", {}), (404, "GET", "/%2e%2e/etc/passwd", {}),
                (405, "POST", "/", JSON), (405, "GET", "/predict", {}),
                (405, "DELETE", "/healthz", {}), (405, "OPTIONS", "/predict", {}),
                (421, "GET", "/", {"Host": "example.com"}),
                (421, "GET", "/", {"Host": f"example.com:{self.server.port}"}),
                (421, "GET", "/", {"Host": "127.0.0.1"}),
                (421, "GET", "/", {"Host": "127.0.0.1:1"}),
                (421, "GET", "/", {"Host": f"127.0.0.1:{self.server.port}.example.com"}),
                (403, "GET", "/", {"Origin": "http://example.com"}),
                (403, "GET", "/", {"Origin": "null"}),
                (403, "GET", "/", {"Origin": f"https://{here}"}),
                (403, "POST", "/predict", JSON | {"Origin": "http://localhost:1"}),
                (415, "POST", "/predict", {}),
                (415, "POST", "/predict", {"Content-Type": "text/plain"}),
                (415, "POST", "/predict", JSON | {"Content-Encoding": "gzip"}),
                (415, "POST", "/predict", JSON | {"Content-Encoding": "br"}),
                (200, "GET", f"http://{here}/healthz", {}),
                (200, "GET", f"http://{here}", {}), (404, "GET", f"http://{here}/nothing", {}),
                (421, "GET", "http://example.com/healthz", {}),
                (200, "GET", "/", {"Origin": f"http://{here}"}),
                (200, "GET", "/", {"Host": f"LOCALHOST:{self.server.port}"})):
            with self.subTest(method=method, path=path, headers=headers):
                answer = self.server.ask(method, path, body if method == "POST" else None, headers)
                self.assertEqual(answer[0], status)
                self.assertNotIn("Access-Control-Allow-Origin", answer[1])

    def test_bodies_have_a_length_and_a_limit(self):
        start = (f"POST /predict HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                 "Content-Type: application/json\r\n").encode()
        for headers, status in ((b"", 411), (b"Transfer-Encoding: chunked\r\n", 411),
                                (b"Content-Length: 65537\r\n", 413),
                                (b"Content-Length: 99999999999999999999999\r\n", 413),
                                (b"Content-Length: -1\r\n", 400), (b"Content-Length: 1x\r\n", 400),
                                (b"Content-Length: 2\r\nContent-Length: 3\r\n", 400)):
            with self.subTest(headers=headers):
                self.assertEqual(self.server.raw(start + headers + b"\r\n{}"), status)
        self.assertEqual(self.server.predict(" " * 65537)[0], 413)
        self.assertEqual(self.server.predict("{}" + " " * 65534)[0], 400)

    def test_requests_on_one_connection(self):
        request = f"GET /healthz HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as connection:
            connection.sendall(request * 50)
            content = b""
            while content.count(b"\r\n\r\nok\n") < 50:
                part = connection.recv(65536)
                self.assertTrue(part)
                content += part

    def test_bodies_on_one_connection(self):
        body = json.dumps({"images": [[7] * PIXELS]}).encode()
        head = (f"POST /predict?x=1 HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                "Content-Type: application/json\r\nExpect: 100-continue\r\n"
                f"Content-Length: {len(body)}\r\n").encode()
        content = head + b"\r\n" + body + head + b"Connection: close\r\n\r\n" + body
        for size in (1, 7, len(content)):
            with socket.create_connection(("127.0.0.1", self.server.port), 10) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for first in range(0, len(content), size):
                    connection.sendall(content[first:first + size])
                answers = connection.makefile("rb").read()
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", answers), [b"100", b"200"] * 2)
            self.assertEqual(answers.count(b"Connection: close\r\n"), 1)

    def test_an_older_or_broken_request_ends_its_connection(self):
        for request, status in ((b"GET /healthz?x#y HTTP/1.0\r\nHost: localhost:%d\r\n\r\n", b"200"),
                                (b"GET /healthz HTTP/2.0\r\nHost: localhost:%d\r\n\r\n", b"400"),
                                (b"GET /healthz HTTP/1.1\r\nHost : localhost:%d\r\n\r\n", b"400"),
                                (b"GET /healthz HTTP/1.1\r\n : localhost:%d\r\n", b"400")):
            with socket.create_connection(("127.0.0.1", self.server.port), 10) as connection:
                connection.sendall(request % self.server.port)
                answer = connection.makefile("rb").read()
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
            self.assertIn(b"\r\nConnection: close\r\n", answer)
            self.assertTrue(answer.endswith(b"ok\n" if status == b"200" else b'"}'), answer)


class StartTest(ServeTest):
    def fails(self, *arguments):
        done = subprocess.run([SERVER, *map(str, arguments)], cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True, timeout=400)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def test_bad_usage_is_one_line(self):
        self.assertIn("models/digits.safetensors", self.fails())
        self.assertIn("nothing-here", self.fails("nothing-here"))
        self.assertIn("--port", self.fails(self.checkpoint, "--port", "70000"))
        self.assertIn(str(self.server.port),
                      self.fails(self.checkpoint, "--port", self.server.port))

    def test_without_a_checkpoint(self):
        for name, place, root in (("root", "models", True), ("beside", "bin/models", False),
                                  ("above", "models", False)):
            with self.subTest(name):
                folder = self.folder / name
                (folder / place).mkdir(parents=True)
                (folder / "bin").mkdir(exist_ok=True)
                shutil.copy(self.checkpoint / "checkpoints" / "best" / "weights.safetensors",
                            folder / place / "digits.safetensors")
                program = shutil.copy(SERVER, folder / "bin")
                environment = self.environment() | {"LOCKSTEP_ROOT": str(folder)}
                if not root:
                    del environment["LOCKSTEP_ROOT"]
                server = RunningServer(program=program, folder=self.folder,
                                       environment=environment)
                self.addCleanup(server.end)
                self.assertEqual(server.predict({"images": [[0] * PIXELS]})[0], 200)

    def test_signals_end_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = RunningServer(self.checkpoint, folder=self.folder,
                                   environment=self.environment())
            with socket.create_connection(("127.0.0.1", server.port), 10):  # left open
                self.assertEqual(server.ask("GET", "/healthz")[0], 200)
                self.assertEqual(server.end(number), 0)


if __name__ == "__main__":
    unittest.main()
