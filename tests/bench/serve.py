#!/usr/bin/env python3
"""Measures lockstep-serve with wrk (launcher/lockstep install bench): single images on kept
connections.

    tests/bench/serve.py SERVER CHECKPOINT [--connections N] [--seconds S]

First as fast as they are answered; then at about half that rate, where each
connection pauses between its requests. SERVER is the program, CHECKPOINT a model.
"""

import argparse
import http.client
import json
import re
import subprocess
import tempfile

IMAGE_LEVELS = (0, 0, 0, 240)  # repeated


def script(pixels, pause_milliseconds):
    """What wrk sends, in Lua."""
    levels = [IMAGE_LEVELS[i % len(IMAGE_LEVELS)] for i in range(pixels)]
    body = json.dumps({"images": [levels]}, separators=(",", ":"))
    text = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
    text += f"wrk.body = '{body}'\n"
    if pause_milliseconds:
        text += f"function delay() return {pause_milliseconds} end\n"
    return text


def measure(port, pixels, options, pause_milliseconds=0):
    """(requests a second, what wrk printed)."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script(pixels, pause_milliseconds))
        file.flush()
        words = ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}", "--latency"]
        text = subprocess.run([*words, "-s", file.name, f"http://127.0.0.1:{port}/predict"],
                              check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), text


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("server")
    parser.add_argument("checkpoint")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with subprocess.Popen([options.server, options.checkpoint, "--port", "0"], text=True,
                          stdout=subprocess.PIPE) as server:
        try:
            server.stdout.readline()
            port = int(server.stdout.readline().strip().rstrip("/").rpartition(":")[2])
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/schema")
            image = json.load(connection.getresponse())["image"]
            connection.close()
            pixels = image["height"] * image["width"] * image["channels"]
            rate, text = measure(port, pixels, options)
            print(f"--- as fast as answered\n{text}")
            pause = max(1, round(2000 * options.connections / rate))
            print(f"--- pauses of {pause} ms\n{measure(port, pixels, options, pause)[1]}")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
