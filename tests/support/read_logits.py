"""Logits of an exported model by other people's software, for tests/app/export_test.py.
Run by the Python of the tests' virtual environment: read_logits.py KIND MODEL PIXELS,
PIXELS being a JSON file of rows of raw pixels [height, width, channels]; prints JSON."""

import json
import sys

import numpy as np
from export_network import CHANNELS, SIDE


def onnx(path, pixels):
    """By ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    [given], [wanted] = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == (
        "pixels", "tensor(float)", ["batch", CHANNELS, SIDE, SIDE]), given
    assert (wanted.name, wanted.shape) == ("logits", ["batch", 5]), wanted
    [logits] = session.run(None, {"pixels": pixels.transpose(0, 3, 1, 2).astype(np.float32)})
    return logits, session.get_modelmeta().custom_metadata_map


def torchscript(path, pixels):
    """By the torch package."""
    import torch

    extra = {f"lockstep.{name}": "" for name in
             ("experiment", "normalization", "framing", "classes", "validation_accuracy")}
    module = torch.jit.load(path, _extra_files=extra)
    given = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        logits = module(given)
    return logits.numpy(), {key: value if isinstance(value, str) else value.decode()
                            for key, value in extra.items()}


def safetensors(path, pixels):
    """From weights read by the safetensors package, layer by layer in double."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}
    scale = json.loads(metadata["lockstep.normalization"])
    x = pixels * np.array(scale["factor"]) + np.array(scale["offset"])

    def bias(name, outputs):
        return weights.get(name, np.zeros(outputs))

    def conv(x, index, stride=1, before=0, after=0):
        weight = weights[f"{index}.conv.weight"]  # [filters, kernel, kernel, inputs]
        x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[1:3], axis=(1, 2))
        windows = windows[:, ::stride, ::stride]  # [n, h, w, inputs, kernel, kernel]
        y = np.einsum("nhwcij,fijc->nhwf", windows, weight)
        return y + bias(f"{index}.conv.bias", len(weight))

    def norm(x, index):
        mean, variance, factor, shift = (
            weights[f"{index}.batch_norm.{role}"]
            for role in ("running_mean", "running_variance", "scale", "shift"))
        return (x - mean) / np.sqrt(variance + 0.001) * factor + shift

    def dense(x, index):
        weight = weights[f"{index}.dense.weight"]
        return x @ weight.T + bias(f"{index}.dense.bias", len(weight))

    def windows_of(x):  # 2x2
        return np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 2))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    from math import erf
    x = conv(x, 0, 1, 1, 2)
    x = x / 2 * (1 + np.vectorize(erf)(x / np.sqrt(2)))
    x = norm(x, 1)
    x = windows_of(x).mean(axis=(4, 5))
    x = conv(x, 3, 2, 1, 1)
    x = np.where(x > 0, x, 0.01 * x)
    x = windows_of(x).max(axis=(4, 5))
    x = x * sigmoid(x)
    x = np.tanh(conv(x, 7))
    x = np.maximum(conv(x, "8.residual.0") + conv(x, "8.residual.shortcut.0"), 0)
    x = np.concatenate([x, conv(x, "9.branches.1.0")], axis=3)
    x = x * sigmoid(dense(x.mean(axis=(1, 2), keepdims=True), "10.gate.1"))
    for round in range(2):
        x = x + conv(x, f"11.repeat.{round}.0.residual.0")
    x = norm(x.reshape(len(x), -1), 13)
    x = np.maximum(dense(x, 14), 0)
    x = sigmoid(dense(x, 15))
    return dense(x, 16), metadata


def main():
    kind, model, path = sys.argv[1:]
    with open(path) as file:
        rows = np.array(json.load(file))
    pixels = rows.reshape(len(rows), SIDE, SIDE, CHANNELS)
    kinds = {"onnx": onnx, "safetensors": safetensors, "torchscript": torchscript}
    logits, metadata = kinds[kind](model, pixels)
    json.dump({"logits": logits.tolist(), "metadata": metadata}, sys.stdout)


if __name__ == "__main__":
    main()
