"""Writes the rows of a CSV file (label first, whole numbers) in formats that other tools read and
write: NumPy's, by NumPy; ARFF and LIBSVM's text.

    write_sets.py ROWS.csv FOLDER HEIGHT WIDTH CHANNELS
"""

import csv
import sys
from pathlib import Path

import numpy as np


def write_arrays(folder, images, labels):
    rows, height, width, channels = images.shape
    grey = images[..., 0] if channels == 1 else images
    flat = images.reshape(rows, -1)
    one_hot = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.uint8)
    np.save(folder / "images.npy", grey)
    np.save(folder / "labels.npy", labels)
    np.savez(folder / "stored.npz", x_train=grey, y_train=labels.astype(np.uint8))
    np.savez_compressed(folder / "one_hot.npz", labels=one_hot,
                        images=np.asfortranarray(images.astype(np.float64)))
    np.savez_compressed(folder / "planes.npz", X=images.transpose(0, 3, 1, 2), Y=labels)
    np.savez(folder / "flat.npz", data=flat.astype(">i2"), target=labels[:, None].astype(float),
             note=np.array(["of any kind"]))
    np.savez(folder / "real.npz", arr_0=flat.astype(np.float32) / 8 - 3, arr_1=labels)
    np.savez_compressed(folder / "images_alone.npz", grey)
    np.savez_compressed(folder / "labels_alone.npz", labels)
    first, second = 3 * rows // 5, 4 * rows // 5
    parts = {"train": slice(0, first), "val": slice(first, second), "test": slice(second, rows)}
    arrays = {f"{name}_images": grey[part] for name, part in parts.items()}
    arrays |= {f"{name}_labels": labels[part, None].astype(np.uint8)
               for name, part in parts.items()}
    np.savez_compressed(folder / "splits.npz", **arrays)


def write_texts(folder, images, labels):
    flat = images.reshape(len(images), -1).tolist()
    header = ["% Of the tests.", "@RELATION 'some rows'", ""]
    header += [f"@ATTRIBUTE 'pixel {i}' INTEGER" for i in range(len(flat[0]))]
    values = ",".join(f"'class {label}'" for label in sorted(set(labels.tolist())))
    header += [f"@ATTRIBUTE class {{{values}}}", "@DATA"]
    dense = [",".join(map(str, row)) + f",'class {label}'"
             for row, label in zip(flat, labels.tolist())]
    sparse = ["{" + ", ".join([*(f"{i} {v}" for i, v in enumerate(row) if v),
                               f"{len(row)} 'class {label}'"]) + "}"
              for row, label in zip(flat, labels.tolist())]
    (folder / "dense.arff").write_text("\n".join(header + dense) + "\n")
    (folder / "sparse.arff").write_text("\r\n".join(header + ["% comment", ""] + sparse))
    lines = [" ".join([str(label), *(f"{i + 1}:{v}" for i, v in enumerate(row) if v)])
             for row, label in zip(flat, labels.tolist())]
    (folder / "rows.svm").write_text("\n".join(lines) + "\n")


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    shape = tuple(map(int, sys.argv[3:6]))
    with open(source, newline="") as file:
        lines = csv.reader(file)
        next(lines)
        rows = np.array([list(map(int, line)) for line in lines])
    images, labels = rows[:, 1:].astype(np.uint8).reshape(-1, *shape), rows[:, 0]
    write_arrays(folder, images, labels)
    write_texts(folder, images, labels)


if __name__ == "__main__":
    main()
