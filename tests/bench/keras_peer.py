#!/usr/bin/env python3
"""Keras with TensorFlow on the work of configs/digits.textproto; prints JSON.

Images lie in memory as floats, ready to use. The time is that of one epoch of
`--steps` steps, after one epoch that does not count.
"""

import argparse
import json
import os
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers

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


def main() -> None:
    """Measures one epoch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    keras.utils.set_random_seed(1)
    generator = np.random.default_rng(1)
    rows = options.steps * BATCH
    images = generator.random((rows, 28, 28, 1), dtype=np.float32)
    labels = generator.integers(0, 10, rows)
    network = make_network()
    network.fit(images, labels, batch_size=BATCH, verbose=0)
    begin = time.perf_counter()
    network.fit(images, labels, batch_size=BATCH, verbose=0)
    seconds = (time.perf_counter() - begin) / options.steps
    print(json.dumps({"seconds_per_step": seconds, "images_per_second": BATCH / seconds}))


if __name__ == "__main__":
    main()
