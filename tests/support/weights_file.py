"""Safetensors files taken apart and put together again."""

import json
import struct


def read_weights(path):
    """(metadata, {name: (shape, bytes)}), the tensors in the order of the file."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = tensor["data_offsets"]
        tensors[name] = (tensor["shape"], content[8 + length + first:8 + length + last])
    return metadata, tensors


def weights_content(metadata, tensors):
    """The file of these, all of them of fp32."""
    header, data = {"__metadata__": metadata}, b""
    for name, (shape, values) in tensors.items():
        offsets = [len(data), len(data) + len(values)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data
