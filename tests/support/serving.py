"""Starts lockstep-serve and asks it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time

from lockstep_run import TIME_LIMIT_SECONDS, LockstepTest

SERVER = os.environ["LOCKSTEP_SERVE"]


class RunningServer:
    """A server on a port that the system chose, until end()."""

    def __init__(self, *arguments, folder, environment, program=SERVER):
        self.process = subprocess.Popen(
            [program, "--port", "0", *map(str, arguments)], cwd=folder,
            env=environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.title = self.process.stdout.readline()
        self.address = self.process.stdout.readline().strip()
        self.port = int(self.address.rstrip("/").rpartition(":")[2])

    def running(self):
        return self.process.poll() is None

    def end(self, number=signal.SIGTERM):
        """The exit status after a signal."""
        if self.running():
            self.process.send_signal(number)
        try:
            return self.process.wait(TIME_LIMIT_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            kilobytes = [line.split()[1] for line in file if line.startswith("VmHWM:")]
        return int(kilobytes[0]) * 1024

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def predict(self, request):
        """(status, answer) of POST /predict; `request` is JSON or its text."""
        text = request if isinstance(request, (str, bytes)) else json.dumps(request)
        status, _, body = self.ask("POST", "/predict", text, {"Content-Type": "application/json"})
        return status, json.loads(body)

    def raw(self, content, wait_seconds=10):
        """The status of the answer to these bytes; None when there is none."""
        with socket.create_connection(("127.0.0.1", self.port), wait_seconds) as connection:
            try:
                connection.sendall(content)
                line = connection.makefile("rb").readline()
            except ConnectionError:
                return None
        return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else None

    def metric(self, name):
        """The value of a metric, labels as in its line; 0 when there is no such line."""
        for line in self.ask("GET", "/metrics")[2].decode().splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return 0.0

    def wait_for(self, condition):
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("did not come true")
            time.sleep(0.02)


class ServeTest(LockstepTest):
    """A test with a tiny trained model, served."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.train_model()
        cls.server = cls.start_server()

    @classmethod
    def train_model(cls):
        cls.checkpoint = cls.folder / "run"
        done = cls.run_binary("train", cls.experiment, "--run-dir", cls.checkpoint, "--set",
                              "training.epochs=1", "--threads", 1)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    @classmethod
    def start_server(cls, *arguments, checkpoint=None):
        server = RunningServer(checkpoint or cls.checkpoint, *arguments, folder=cls.folder,
                               environment=cls.environment())
        cls.addClassCleanup(server.end)
        return server
