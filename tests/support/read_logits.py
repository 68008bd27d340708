"""Logits of an exported model by other people's software, for tests/app/export_test.py.
Run by the Python of the tests' virtual environment: read_logits.py KIND MODEL PIXELS,
PIXELS being a JSON file of rows of raw pixels [height, width, channels]; prints JSON."""

import json
import sys
from math import erf

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

    def role(path, kind, name):
        return weights[f"{path}.{kind}.{name}"]

    def bias(path, kind, outputs):
        return weights.get(f"{path}.{kind}.bias", np.zeros(outputs))

    def windows_of(x, size, padding=(0, 0), around=0.0):  # [n, h, w, channels, size, size]
        x = np.pad(x, ((0, 0), padding, padding, (0, 0)), constant_values=around)
        return np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))

    def conv(x, path, stride=1, padding=(0, 0), dilation=1, groups=1):
        weight = role(path, "conv", "weight")  # [filters, kernel, kernel, inputs / groups]
        reach = dilation * (weight.shape[1] - 1) + 1
        windows = windows_of(x, reach, padding)[:, ::stride, ::stride, :, ::dilation, ::dilation]
        y = [np.einsum("nhwcij,fijc->nhwf", mine, filters)
             for mine, filters in zip(np.split(windows, groups, axis=3), np.split(weight, groups))]
        return np.concatenate(y, axis=3) + bias(path, "conv", len(weight))

    def affine(x, path, kind):
        return x * role(path, kind, "scale") + role(path, kind, "shift")

    def batch_norm(x, path):
        mean = role(path, "batch_norm", "running_mean")
        variance = role(path, "batch_norm", "running_variance")
        return affine((x - mean) / np.sqrt(variance + 0.001), path, "batch_norm")

    def normal(x, axis, epsilon):
        distance = x - x.mean(axis=axis, keepdims=True)
        return distance / np.sqrt((distance ** 2).mean(axis=axis, keepdims=True) + epsilon)

    def group_norm(x, path, groups):
        grouped = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
        return affine(normal(grouped, (1, 3), 1e-5).reshape(x.shape), path, "group_norm")

    def layer_norm(x, path, epsilon=1e-6):
        return affine(normal(x, -1, epsilon), path, "layer_norm")

    def dense(x, path):
        weight = role(path, "dense", "weight")
        return x @ weight.T + bias(path, "dense", len(weight))

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def gelu(x):
        return x / 2 * (1 + np.vectorize(erf)(x / np.sqrt(2)))

    x = batch_norm(gelu(conv(x, "0", padding=(1, 2))), "1")
    x = conv(x, "2", padding=(2, 2), dilation=2, groups=4)
    x = group_norm(x * np.clip(x + 3, 0, 6) / 6, "3", 3)
    x = np.clip(conv(x, "4", padding=(1, 1), groups=12), 0, 6)
    inner = gelu(layer_norm(conv(x, "5.residual.0"), "5.residual.1"))
    shortcut = batch_norm(conv(x, "5.residual.shortcut.0"), "5.residual.shortcut.1")
    x = np.maximum(inner + shortcut, 0)
    x = np.concatenate([conv(x, "6.branches.0.0"), windows_of(x, 3).mean(axis=(4, 5)),
                        conv(windows_of(x, 3).max(axis=(4, 5)), "6.branches.2.1")], axis=3)
    x = x * sigmoid(dense(x.mean(axis=(1, 2)), "7.gate.1"))[:, None, None]
    for time in range(2):
        x = x + np.tanh(conv(x, f"8.repeat.{time}.0.residual.0", padding=(1, 1)))
    x = windows_of(x, 3, (1, 1)).mean(axis=(4, 5))
    x = windows_of(x, 3, (1, 1), -np.inf).max(axis=(4, 5))
    x = windows_of(x, 2).mean(axis=(4, 5))
    x = conv(x, "12", stride=2, padding=(1, 1))
    x = np.where(x > 0, x, 0.01 * x)
    x = windows_of(x, 2).max(axis=(4, 5))
    x = x * sigmoid(x)
    x = np.tanh(conv(x, "16"))
    x = layer_norm(batch_norm(x.reshape(len(x), -1), "18"), "19", 0.01)
    x = group_norm(np.maximum(dense(x, "20"), 0), "21", 4)
    x = sigmoid(dense(x, "22"))
    return dense(x, "23"), metadata


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
