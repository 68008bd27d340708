"""A network with every kind of layer, which export_test.py trains and read_logits.py
computes on its own."""

SIDE = 6
CHANNELS = 4

EXPERIMENT = """
name: "exported"
seed: 3
data {
  train { path: "%(train)s" }
  test { path: "%(test)s" }
  shape { height: 6 width: 6 channels: 4 }
  classes: 5
  class_names: "ant" class_names: "bee" class_names: "cat" class_names: "d, \\"e\\""
  class_names: "\\303\\251lan"
  normalization: STANDARDIZE
}
model {
  layer { conv { filters: 8 kernel: 4 padding: SAME activation: GELU } }
  layer { batch_norm {} }
  layer { avg_pool { size: 2 stride: 1 } }
  layer { conv { filters: 6 kernel: 3 stride: 2 padding: SAME activation: LEAKY_RELU bias: false } }
  layer { max_pool { size: 2 stride: 1 } }
  layer { dropout { rate: 0.1 } }
  layer { activation { kind: SILU } }
  layer { conv { filters: 5 kernel: 1 activation: TANH } }
  layer { residual {
    layer { conv { filters: 7 kernel: 1 } }
    shortcut { layer { conv { filters: 7 kernel: 1 bias: false } } }
    activation: RELU drop_path: 0.1 } }
  layer { branches { branch {} branch { layer { conv { filters: 3 kernel: 1 } } } } }
  layer { gate {
    layer { avg_pool { global: true } }
    layer { dense { units: 10 activation: SIGMOID } } } }
  layer { repeat { times: 2 layer { residual { layer { conv { filters: 10 kernel: 1 } } } } } }
  layer { flatten {} }
  layer { batch_norm {} }
  layer { dense { units: 16 activation: RELU } }
  layer { dense { units: 9 activation: SIGMOID bias: false } }
  layer { dense { units: 5 } }
}
training { global_batch: 48 lanes: 3 epochs: 3 precision: FP32 }
optimizer { adam { learning_rate: 0.01 } }
"""
