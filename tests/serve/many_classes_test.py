"""A model of 10,000 classes, whose answers have megabytes: the server's memory does not follow
them, however slowly they are taken."""

import json
import math
import os
import random
import re
import socket
import struct
import unittest

from lockstep_run import CLASSES, PIXELS
from serving import ServeTest
from weights_file import read_weights, weights_content

MANY = 10_000
CONNECTIONS = 48
IMAGES = 64  # of a request
MOST_RESIDENT_BYTES = 256 << 20


def with_classes(path, classes):
    """The file of weights, with another last layer for as many classes."""
    numbers = random.Random(1)
    metadata, tensors = read_weights(path)
    text = metadata["lockstep.experiment"]
    for field in ("classes", "units"):
        text, count = re.subn(rf"\b{field}: {CLASSES}\b", f"{field}: {classes}", text)
        assert count == 1, text
    for name, (shape, _) in tensors.items():
        if shape[0] == CLASSES:
            shape = [classes, *shape[1:]]
            values = [numbers.gauss(0, 0.1) for _ in range(math.prod(shape))]
            tensors[name] = (shape, struct.pack(f"<{len(values)}f", *values))
    return weights_content({**metadata, "lockstep.experiment": text}, tensors)


class ManyClassesTest(ServeTest):
    @classmethod
    def train_model(cls):
        super().train_model()
        best = cls.checkpoint / "checkpoints" / "best" / "weights.safetensors"
        cls.checkpoint = cls.write("many.safetensors", with_classes(best, MANY))

    def ask_without_reading(self):
        body = json.dumps({"images": [[0] * PIXELS] * IMAGES}).replace(" ", "").encode()
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.server.port))
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                           "Content-Type: application/json\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def count_of(self, status):
        return self.server.metric(f'lockstep_requests_total{{route="/predict",status="{status}"}}')

    def test_slow_readers(self):
        for _ in range(CONNECTIONS):
            self.ask_without_reading()
        self.server.wait_for(lambda: self.count_of(200) + self.count_of(503) == CONNECTIONS)
        self.assertGreater(self.count_of(200), 0)
        # Sanitizers take memory of their own.
        if "LOCKSTEP_SANITIZED" not in os.environ:
            self.assertLess(self.server.resident_bytes(), MOST_RESIDENT_BYTES)
        # All room is free again.
        for _ in range(3):
            status, answer = self.server.predict({"images": [[0] * PIXELS] * IMAGES})
            self.assertEqual((status, len(answer["predictions"])), (200, IMAGES))
            for prediction in answer["predictions"]:
                self.assertAlmostEqual(sum(prediction["probabilities"]), 1)
                self.assertEqual(len(prediction["probabilities"]), MANY)

    def test_schema_names_all_classes(self):
        for method, empty in (("GET", False), ("HEAD", True)):
            status, headers, body = self.server.ask(method, "/schema")
            self.assertEqual((status, headers["Content-Type"], body == b""),
                             (200, "application/json", empty))
        text = self.server.ask("GET", "/schema")[2]
        self.assertEqual(json.loads(text)["classes"], [str(i) for i in range(MANY)])
        self.assertEqual(headers["Content-Length"], str(len(text)))


if __name__ == "__main__":
    unittest.main()
