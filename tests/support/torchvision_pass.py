"""A pass of a ResNet of the torchvision package and of ours with the same weights: run by a Python
that has the package, as torchvision_pass.py DEPTH EXPERIMENT FOLDER; prints JSON of how far ours,
which NETWORK_PASS computes in fp32, is from torchvision's in double, and how far torchvision's own
in fp32 is."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from weights_file import read_weights, weights_content

CHANNELS, CLASSES = 3, 19
# (side of the images, samples, how near to 0 the input of a relu may be: 1e-5 is far above its
# rounding, and more than the many relus of the deeper one leave).
SIZES = {18: (32, 4, 1e-5), 50: (64, 8, 0)}
ROLES = {"weight": "scale", "bias": "shift", "running_mean": "running_mean",
         "running_var": "running_variance"}


def names_of(model):
    """{torchvision's name of a module: ours}"""
    names = {"conv1": "0.conv", "bn1": "1.batch_norm"}
    index = 4
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        for place, block in enumerate(getattr(model, stage)):
            inner, ours = f"{stage}.{place}", f"{index}.residual"
            count = sum(name.startswith("conv") for name, _ in block.named_children())
            for number in range(count):
                names[f"{inner}.conv{number + 1}"] = f"{ours}.{3 * number}.conv"
                names[f"{inner}.bn{number + 1}"] = f"{ours}.{3 * number + 1}.batch_norm"
            names[f"{inner}.downsample.0"] = f"{ours}.shortcut.0.conv"
            names[f"{inner}.downsample.1"] = f"{ours}.shortcut.1.batch_norm"
            index += 1
    return names | {"fc": f"{index + 1}.dense"}


def ours(names, name, tensor):
    """(our name, values in our layout)"""
    module, role = name.rsplit(".", 1)
    values = tensor.detach().numpy()
    if names[module].endswith("batch_norm"):
        role = ROLES[role]
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    return f"{names[module]}.{role}", np.ascontiguousarray(values, dtype="<f4")


def make_model(depth, seed):
    torch.manual_seed(seed)
    model = getattr(torchvision.models, f"resnet{depth}")(num_classes=CLASSES)
    # Scales, shifts and statistics away from ones and zeros, so that they count.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.3, 0.3)
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return model


def nearest_to_zero(model, images):
    """Of all that relus are given in a training step. One whose input is 0 but for rounding passes
    its gradient on or not by the last bit, and one such bit of a late layer makes the gradients of
    all layers before differ by a hundredth."""
    found = []
    hooks = [module.register_forward_pre_hook(lambda _, given: found.append(given[0].abs().min()))
             for module in model.modules() if isinstance(module, torch.nn.ReLU)]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return min(found).item()


def pass_of(model, names, images, labels):
    """(loss, {our name: gradient in our layout}) of a training step."""
    model.train().zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels, reduction="sum")
    loss.backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        values = parameter.grad.double().numpy()
        gradients[ours(names, name, parameter.grad)[0]] = (
            values.transpose(0, 2, 3, 1) if values.ndim == 4 else values.copy())
    return loss.item(), gradients


def write(path, tensors):
    path.write_bytes(weights_content({}, {name: (list(values.shape), values.tobytes())
                                          for name, values in tensors.items()}))


def read(path):
    _, tensors = read_weights(path)
    return {name: np.frombuffer(content, "<f4").reshape(shape).astype(np.float64)
            for name, (shape, content) in tensors.items()}


def distance(mine, other):
    """Of all values together."""
    return float(np.linalg.norm(mine - other) / np.linalg.norm(other))


def main():
    depth, experiment, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    side, samples, margin = SIZES[depth]
    for seed in range(depth, 1000):
        model = make_model(depth, seed)
        images = torch.randn(samples, CHANNELS, side, side)
        if nearest_to_zero(copy.deepcopy(model).double().train(), images.double()) > margin:
            break
    names = names_of(model)
    labels = torch.randint(CLASSES, (samples,))
    tensors = dict(ours(names, name, tensor) for name, tensor in model.state_dict().items()
                   if not name.endswith("num_batches_tracked"))
    tensors["images"] = np.ascontiguousarray(images.numpy().transpose(0, 2, 3, 1))
    tensors["labels"] = labels.numpy().astype("<f4")
    write(folder / "input.safetensors", tensors)
    subprocess.run([os.environ["NETWORK_PASS"], experiment, folder / "input.safetensors",
                    folder / "output.safetensors", f"data.classes={CLASSES}",
                    f"data.shape.height={side}", f"data.shape.width={side}"], check=True)
    found = read(folder / "output.safetensors")

    with torch.no_grad():
        logits = model.double().eval()(images.double()).numpy()
    _, rounded = pass_of(model.float(), names, images, labels)
    model = model.double()
    loss, gradients = pass_of(model, names, images.double(), labels)
    json.dump({"seed": seed,
               "parameters": len(gradients),
               "unknown": sorted(set(found) - set(gradients) - {"logits", "loss"}),
               "logits": float(np.abs(found["logits"] - logits).max() / np.abs(logits).max()),
               "spread_of_logits": float(logits.std(axis=1).min()),
               "loss": float(abs(found["loss"][0] - loss) / loss),
               "gradients": {name: distance(found[name], values)
                             for name, values in gradients.items()},
               "torchvisions": {name: distance(rounded[name], values)
                                for name, values in gradients.items()}}, sys.stdout)


if __name__ == "__main__":
    main()
