"""Drives Chromium by its DevTools protocol, over a WebSocket (RFC 6455)."""

import base64
import json
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TIME_LIMIT_SECONDS = 60


class WebSocket:
    """A connection that sends and receives texts."""

    def __init__(self, address):
        place, path = re.fullmatch(r"ws://([^/]+)(/.*)", address).groups()
        host, port = place.split(":")
        self._socket = socket.create_connection((host, int(port)), TIME_LIMIT_SECONDS)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = self._file.readline()
        if b" 101 " not in answer:
            raise ConnectionError(answer)
        while self._file.readline() != b"\r\n":
            pass

    def send(self, text):
        content = text.encode()
        mask = secrets.token_bytes(4)
        size = len(content)
        if size < 126:
            head = struct.pack(">BB", 0x81, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", 0x81, 0xFE, size)
        else:
            head = struct.pack(">BBQ", 0x81, 0xFF, size)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))
        self._socket.sendall(head + mask + masked)

    def receive(self):
        content = b""
        while True:
            first, size = self._read(2)
            if size == 126:
                size = struct.unpack(">H", self._read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self._read(8))[0]
            part = self._read(size)
            if first & 0x0F in (0, 1):  # not a ping
                content += part
                if first & 0x80:
                    return content.decode()

    def close(self):
        self._file.close()
        self._socket.close()

    def _read(self, size):
        content = self._file.read(size)
        if len(content) < size:
            raise ConnectionError("the browser is gone")
        return content


class Browser:
    """One page of a browser of its own."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
             f"--user-data-dir={self._folder.name}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self._number = 0
        self.errors = []  # of scripts, and what the page's policy forbade
        self._page = WebSocket(self._page_address())
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def _page_address(self):
        port_file = os.path.join(self._folder.name, "DevToolsActivePort")
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while time.monotonic() < end:
            try:
                with open(port_file) as file:
                    port = int(file.readline())
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [each for each in json.load(answer) if each["type"] == "page"]
                if pages:
                    return pages[0]["webSocketDebuggerUrl"]
            except (OSError, ValueError):
                pass
            time.sleep(0.05)
        raise AssertionError("the browser does not start")

    def call(self, method, **parameters):
        """The result of a DevTools method."""
        self._number += 1
        self._page.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._page.receive())
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(message["params"]["exceptionDetails"]["text"])
            if message.get("method") == "Log.entryAdded":
                entry = message["params"]["entry"]
                if entry["level"] == "error":
                    self.errors.append(entry["text"])
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]

    def evaluate(self, script):
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"])
        return result["result"].get("value")

    def wait_for(self, script):
        """Until the JavaScript expression is true."""
        end = time.monotonic() + TIME_LIMIT_SECONDS
        while not self.evaluate(script):
            if time.monotonic() > end:
                raise AssertionError(f"never true: {script}")
            time.sleep(0.05)

    def size(self, width, height, phone):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def drag(self, points):
        """The mouse's button is pressed at the first point and let go at the last."""
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 2), "mouseReleased"]
        for kind, (x, y) in zip(kinds, points, strict=True):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                      clickCount=1)

    def swipe(self, points):
        """The same with a finger."""
        for i, (x, y) in enumerate(points[:-1]):
            self.call("Input.dispatchTouchEvent", type="touchMove" if i else "touchStart",
                      touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def screenshot(self):
        """The page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def end(self):
        self._page.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()
