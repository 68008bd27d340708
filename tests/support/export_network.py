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
  layer { conv { filters: 12 padding_pixels: 2 dilation: 2 groups: 4 activation: HARD_SWISH } }
  layer { group_norm { groups: 3 } }
  layer { conv { filters: 12 padding_pixels: 1 groups: 12 activation: RELU6 bias: false
                 initializer: KAIMING_NORMAL_FAN_OUT } }
  layer { residual {
    layer { conv { filters: 10 kernel: 1 initializer: PYTORCH } }
    layer { layer_norm {} }
    layer { activation { kind: GELU } }
    shortcut { layer { conv { filters: 10 kernel: 1 bias: false } } layer { batch_norm {} } }
    activation: RELU
    drop_path: 0.1
  } }
  layer { branches {
    branch { layer { conv { filters: 3 } } }
    branch { layer { avg_pool { size: 3 stride: 1 } } }
    branch { layer { max_pool { size: 3 stride: 1 } } layer { conv { filters: 4 kernel: 1 } } }
  } }
  layer { gate {
    layer { avg_pool { global: true } }
    layer { dense { units: 17 activation: SIGMOID } }
  } }
  layer { repeat {
    times: 2
    layer { residual { layer { conv { filters: 17 padding: SAME activation: TANH } } } }
  } }
  layer { avg_pool { size: 3 stride: 1 padding_pixels: 1 } }
  layer { max_pool { size: 3 stride: 1 padding_pixels: 1 } }
  layer { avg_pool { size: 2 stride: 1 } }
  layer { conv { filters: 6 kernel: 3 stride: 2 padding: SAME activation: LEAKY_RELU bias: false } }
  layer { max_pool { size: 2 stride: 1 } }
  layer { dropout { rate: 0.1 } }
  layer { activation { kind: SILU } }
  layer { conv { filters: 5 kernel: 1 activation: TANH } }
  layer { flatten {} }
  layer { batch_norm {} }
  layer { layer_norm { epsilon: 0.01 } }
  layer { dense { units: 16 activation: RELU } }
  layer { group_norm { groups: 4 } }
  layer { dense { units: 9 activation: SIGMOID bias: false } }
  layer { dense { units: 5 } }
}
training { global_batch: 48 lanes: 3 epochs: 6 precision: FP32 }
optimizer { adam { learning_rate: 0.002 } }
"""
