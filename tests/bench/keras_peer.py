#!/usr/bin/env python3
"""Keras with TensorFlow on the work of configs/digits.textproto; prints JSON.

Images lie in memory as floats, ready to use. The time is that of one epoch of
`--steps` steps, after one epoch that does not count.

With `--accuracy A` it reads the data set and trains with that experiment's
callbacks until the validation accuracy is at least A at the end of an epoch; the
time is that from the start of the process.
"""

import time

BEGIN = time.perf_counter()

import argparse  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import zipfile  # noqa: E402
from pathlib import Path  # noqa: E402

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

BATCH = 128


def make_network() -> keras.Model:
    """The network of configs/digits.textproto; Keras' defaults are its settings."""

    def conv(filters: int) -> layers.Layer:
        return layers.Conv2D(filters, 3, activation="relu")

    def block(filters: int) -> list[layers.Layer]:
        return [
            conv(filters), layers.BatchNormalization(), conv(filters),
            layers.MaxPooling2D(2), layers.Dropout(0.25),
        ]  # fmt: skip

    network = keras.Sequential([
        keras.Input((28, 28, 1)), *block(32), *block(64),
        conv(128), layers.BatchNormalization(), layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(512, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5),
        layers.Dense(256, activation="relu"), layers.Dropout(0.5),
        layers.Dense(10),
    ])  # fmt: skip
    network.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return network


def load_rows() -> tuple[np.ndarray, np.ndarray]:
    """Images [rows, 28, 28, 1] in [0, 1] and labels, in random order."""
    path = Path(__file__).resolve().parents[2] / "data" / "digit-recognizer.zip"
    with zipfile.ZipFile(path) as archive:
        rows = pd.read_csv(io.BytesIO(archive.read("train.csv"))).to_numpy(np.uint8)
    rows = rows[np.random.default_rng(1).permutation(len(rows))]
    return rows[:, 1:].reshape(-1, 28, 28, 1).astype(np.float32) / 255, rows[:, 0]


class StopAt(keras.callbacks.Callback):
    """Ends the training when the validation accuracy is reached."""

    def __init__(self, accuracy: float) -> None:
        super().__init__()
        self._accuracy = accuracy
        self.seconds = float("inf")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Looks at the epoch's accuracy."""
        print(f"epoch {epoch + 1}: {logs['val_accuracy']:.4f}", flush=True)
        if logs["val_accuracy"] >= self._accuracy:
            self.seconds = time.perf_counter() - BEGIN
            self.model.stop_training = True


def train_to(accuracy: float) -> dict[str, float]:
    """Trains with the callbacks of configs/digits.textproto."""
    images, labels = load_rows()
    cut = len(images) // 5
    stop = StopAt(accuracy)
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="val_loss", factor=0.5, patience=3, min_lr=1e-7
    )
    make_network().fit(
        images[cut:], labels[cut:], batch_size=BATCH, epochs=50, verbose=0,
        validation_data=(images[:cut], labels[:cut]), callbacks=[plateau, stop],
    )  # fmt: skip
    return {"seconds_to_accuracy": stop.seconds}


def time_steps(steps: int) -> dict[str, float]:
    """Measures one epoch."""
    generator = np.random.default_rng(1)
    rows = steps * BATCH
    images = generator.random((rows, 28, 28, 1), dtype=np.float32)
    labels = generator.integers(0, 10, rows)
    network = make_network()
    network.fit(images, labels, batch_size=BATCH, verbose=0)
    begin = time.perf_counter()
    network.fit(images, labels, batch_size=BATCH, verbose=0)
    seconds = (time.perf_counter() - begin) / steps
    return {"seconds_per_step": seconds, "images_per_second": BATCH / seconds}


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--accuracy", type=float)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(1)
    measured = train_to(options.accuracy) if options.accuracy else time_steps(options.steps)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
