"""What TensorBoard's own reader finds in a folder of event files, for
tests/app/tensorboard_test.py. Run by the Python of the tests' virtual environment; prints
JSON."""

import base64
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def main():
    events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    found = {"scalars": {}, "texts": {}, "images": {}}
    for tag in tags["scalars"]:
        found["scalars"][tag] = [(event.step, event.value) for event in events.Scalars(tag)]
    for tag in tags["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        assert plugin == "text", (tag, plugin)
        found["texts"][tag] = [(event.step, event.tensor_proto.string_val[0].decode())
                               for event in events.Tensors(tag)]
    for tag in tags["images"]:
        found["images"][tag] = [
            (event.step, event.width, event.height,
             base64.b64encode(event.encoded_image_string).decode())
            for event in events.Images(tag)]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
