"""A network of torchvision with weights drawn at random and statistics of some images, for
tests/app/torchvision_maps_test.py. Run by the Python of the benchmarks' virtual environment:
torchvision_weights.py NETWORK CLASSES PIXELS OUT, PIXELS being a JSON file of rows of pixels
[height, width, 3]; writes its state_dict and prints the rows' probabilities of each class as
JSON."""

import json
import sys

import torch
import torchvision
from safetensors.torch import save_file


def main():
    name, classes, pixels, out = sys.argv[1:]
    torch.manual_seed(3)
    network = getattr(torchvision.models, name)(weights=None, num_classes=int(classes))
    with open(pixels) as file:
        rows = torch.tensor(json.load(file), dtype=torch.float32)
    side = round((rows.shape[1] / 3) ** 0.5)
    images = rows.view(-1, side, side, 3).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        for module in network.modules():  # scales and shifts that count
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(3):
            network.train()(images)
        logits = network.eval()(images)
    save_file(network.state_dict(), out)
    json.dump(torch.softmax(logits.double(), 1).tolist(), sys.stdout)


if __name__ == "__main__":
    main()
