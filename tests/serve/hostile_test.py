"""Requests meant to harm: the server lives on, small, and answers the others."""

import http.client
import os
import random
import socket
import threading
import time
import unittest

from lockstep_run import PIXELS
from serving import ServeTest

MOST_RESIDENT_BYTES = 256 << 20
MOST_CONNECTIONS = 64


class HostileTest(ServeTest):
    def setUp(self):
        self.open = []
        self.addCleanup(lambda: [connection.close() for connection in self.open])

    def tearDown(self):
        self.assert_answers()
        # Sanitizers take memory of their own.
        if "LOCKSTEP_SANITIZED" not in os.environ:
            self.assertLess(self.server.resident_bytes(), MOST_RESIDENT_BYTES)

    def assert_answers(self):
        """Others are answered, without waiting for the limits of those who harm."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=4)
        connection.request("GET", "/healthz")
        self.assertEqual(connection.getresponse().read(), b"ok\n")
        connection.close()
        self.assertEqual(self.server.predict({"images": [[0] * PIXELS]})[0], 200)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.server.port), 10)
        self.open.append(connection)
        return connection

    def is_refused(self, connection):
        """Whether the server ends the connection, if it answers at all with an error."""
        try:
            content = connection.makefile("rb").read()
        except ConnectionError:
            return True
        return content == b"" or content.startswith(b"HTTP/1.1 4")

    def test_many_idle_connections(self):
        for _ in range(200):
            self.connect()
        self.assert_answers()
        self.assertLessEqual(self.server.metric("lockstep_connections"), MOST_CONNECTIONS)

    def test_many_half_requests(self):
        for i in range(200):
            self.connect().sendall(b"POST /predict HTTP/1.1\r\nX: " + b"x" * i)
            if i % 50 == 0:
                self.assert_answers()

    def test_others_are_answered(self):
        """While 200 connections send their headers a byte at a time, for ever."""
        slow = [self.connect() for _ in range(200)]
        ended = threading.Event()

        def drip():
            while not ended.is_set():
                for i, connection in enumerate(slow):
                    try:
                        connection.sendall(b"X")
                    except ConnectionError:
                        connection.close()
                        slow[i] = self.connect()
                time.sleep(0.01)

        thread = threading.Thread(target=drip)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)
        for _ in range(20):
            for ask in (lambda: self.server.ask("GET", "/healthz"),
                        lambda: self.server.predict({"images": [[0] * PIXELS]})):
                self.assertEqual(self.asked_again(ask)[0], 200)
            connections = self.asked_again(lambda: self.server.metric("lockstep_connections"))
            self.assertLessEqual(connections, MOST_CONNECTIONS)

    def asked_again(self, ask):
        """As a client does whose request comes so late that its connection waited longest of all."""
        for _ in range(9):
            try:
                return ask()
            except ConnectionError:
                pass
        return ask()

    def test_headers_that_never_end_in_time(self):
        connection = self.connect()
        start = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\n")
        connection.settimeout(0.5)
        ended = False
        while not ended and time.monotonic() < start + 30:  # a byte now and then for ever
            try:
                connection.sendall(b"X")
                ended = connection.recv(100) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                ended = True
        self.assertTrue(ended)

    def test_a_body_that_never_comes(self):
        connection = self.connect()
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                           "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{".encode())
        connection.settimeout(30)
        answer = connection.makefile("rb").readline()
        self.assertNotIn(b"200", answer)

    def test_lines_of_ten_megabytes(self):
        long = b"x" * (10 << 20)
        for content in (b"GET /" + long, b"GET / HTTP/1.1\r\nX: " + long, long, b"\0" * (10 << 20)):
            connection = self.connect()
            try:
                connection.sendall(content)
            except ConnectionError:
                continue
            self.assertTrue(self.is_refused(connection))

    def test_many_headers(self):
        connection = self.connect()
        try:
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100000)
        except ConnectionError:
            return
        self.assertTrue(self.is_refused(connection))

    def test_not_http(self):
        numbers = random.Random(3)
        for _ in range(200):
            content = numbers.randbytes(1 + numbers.randrange(2000)) + b"\r\n\r\n"
            self.assertNotEqual(self.server.raw(content), 200)

    def test_flipped_bytes_of_a_request(self):
        numbers = random.Random(4)
        body = b'{"images":[[' + b",".join([b"9"] * PIXELS) + b"]]}"
        head = (f"POST /predict HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        request = head + body
        self.assertEqual(self.server.raw(request), 200)
        for _ in range(300):
            content = bytearray(request)
            for _ in range(1 + numbers.randrange(3)):
                content[numbers.randrange(len(content))] = numbers.randrange(256)
            connection = self.connect()
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            try:
                line = connection.makefile("rb").readline()
            except ConnectionError:
                line = b""
            connection.close()
            self.assertTrue(line == b"" or line.startswith(b"HTTP/1.1 "), line)

    def test_answers_that_nobody_reads(self):
        request = f"GET /schema HTTP/1.1\r\nHost: localhost:{self.server.port}\r\n\r\n".encode()
        for _ in range(10):
            connection = self.connect()
            connection.setblocking(False)
            try:
                for _ in range(200):
                    connection.send(request * 100)
            except (BlockingIOError, ConnectionError):
                pass
        self.assert_answers()


if __name__ == "__main__":
    unittest.main()
