"""The networks that tests/bench/torch_peer.py trains, as PyTorch writes them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


def digits() -> nn.Sequential:
    """The network of configs/digits.textproto, with its batch-norm settings."""

    def conv(inputs: int, filters: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, filters, 3), nn.ReLU()]

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    return nn.Sequential(
        *conv(1, 32), norm(32), *conv(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *conv(32, 64), norm(64), *conv(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        *conv(64, 128), norm(128), nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(512, 512), nn.ReLU(), nn.BatchNorm1d(512, eps=1e-3, momentum=0.01),
        nn.Dropout(0.5),
        nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(256, 10),
    )  # fmt: skip


def plain() -> nn.Sequential:
    """The network of tests/bench/plain.textproto."""

    def pair(inputs: int, filters: int) -> list[nn.Module]:
        return [
            nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(filters, eps=1e-3),
            nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        ]  # fmt: skip

    return nn.Sequential(
        *pair(3, 64), *pair(64, 128), *pair(128, 256), nn.Flatten(), nn.Linear(4096, 10)
    )


def resnet18() -> nn.Module:
    """Torchvision's, that of configs/resnet18.textproto."""
    from torchvision.models import resnet18 as make

    return make(num_classes=19)


def mobilenet() -> nn.Module:
    """Torchvision's MobileNetV2, with the stride of configs/mobilenet.textproto."""
    from torchvision.models import MobileNetV2

    # Expansion, channels, repeats and strides as torchvision's, but for one stride.
    blocks = [
        [1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1],
        [6, 160, 3, 1], [6, 320, 1, 1],
    ]  # fmt: skip
    return MobileNetV2(num_classes=19, inverted_residual_setting=blocks)


class Residual(nn.Module):
    """The sum of layers and their input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self._layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of any images that the layers give back in the same shape."""
        return x + self._layers(x)


def fashion_resnet() -> nn.Module:
    """That of configs/fashion_resnet.textproto."""

    def conv(inputs: int, filters: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, filters, 3, padding=1, bias=False),
                nn.BatchNorm2d(filters), nn.ReLU()]  # fmt: skip

    def residual(channels: int) -> nn.Module:
        return Residual(*conv(channels, channels), *conv(channels, channels))

    return nn.Sequential(
        *conv(1, 48), *conv(48, 48), nn.MaxPool2d(2), *conv(48, 96), residual(96),
        nn.MaxPool2d(2), *conv(96, 192), residual(192),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(192, 10),
    )  # fmt: skip


@dataclass(frozen=True)
class Network:
    """How a network is made, and what it takes: images [channels, height, width]."""

    make: Callable[[], nn.Module]
    image: tuple[int, int, int]
    classes: int
    rows: int


NETWORKS = {
    "digits": Network(digits, (1, 28, 28), 10, 33600),
    "plain": Network(plain, (3, 32, 32), 10, 4096),
    "fashion_resnet": Network(fashion_resnet, (1, 28, 28), 10, 58800),
    "resnet18": Network(resnet18, (3, 64, 64), 19, 4096),
    "mobilenet": Network(mobilenet, (3, 64, 64), 19, 4096),
}
