// Relu, max pooling, dropout.
#pragma once

#include "gpu/kernels/common.cuh"

namespace lockstep::gpu {

// Grid: a thread an output.
LOCKSTEP_KERNEL gate_forward(const Gate gate) {
  const long long at = thread_number();
  const long long count =
      static_cast<long long>(gate.samples) * gate.out_height * gate.out_width * gate.channels;
  if (at >= count) return;
  const int c = static_cast<int>(at % gate.channels);
  const long long pixel = at / gate.channels;
  const int ox = static_cast<int>(pixel % gate.out_width);
  const int oy = static_cast<int>(pixel / gate.out_width % gate.out_height);
  const long long n = pixel / gate.out_width / gate.out_height;
  float best = 0;
  int place = -1;
  for (int k = 0; k < gate.size * gate.size; ++k) {
    const int y = oy * gate.stride - gate.padding + k / gate.size;
    const int x = ox * gate.stride - gate.padding + k % gate.size;
    if (y < 0 || y >= gate.height || x < 0 || x >= gate.width) continue;
    const float value = load(gate.in, ((n * gate.height + y) * gate.width + x) * gate.channels + c);
    if (place < 0 || value > best || value != value) {  // a NaN stays
      place = k;
      best = value;
    }
  }
  const bool shut = gate.relu != 0 && !(best > 0);
  best = relu_if(gate.relu != 0, best);
  const bool dropped = is_dropped(gate.dropout, at);
  gate.code[at] = shut || dropped ? kClosed : static_cast<unsigned char>(place);
  store(gate.out, at, dropped ? 0.0F : best * gate.dropout.keep_scale);
}

// Grid: a thread an input: it takes from every window that it won, in window order.
LOCKSTEP_KERNEL gate_backward(const Gate gate) {
  const long long at = thread_number();
  const long long count =
      static_cast<long long>(gate.samples) * gate.height * gate.width * gate.channels;
  if (at >= count) return;
  const int c = static_cast<int>(at % gate.channels);
  const long long pixel = at / gate.channels;
  const int x = static_cast<int>(pixel % gate.width);
  const int y = static_cast<int>(pixel / gate.width % gate.height);
  const long long n = pixel / gate.width / gate.height;
  const int padded_y = y + gate.padding;  // counted from the first window's first pixel
  const int padded_x = x + gate.padding;
  const int past_y = padded_y - gate.size + gate.stride;  // of the first window, times the stride
  const int past_x = padded_x - gate.size + gate.stride;
  const int first_y = past_y < 0 ? 0 : past_y / gate.stride;
  const int first_x = past_x < 0 ? 0 : past_x / gate.stride;
  float sum = 0;
  for (int oy = first_y; oy < gate.out_height && oy * gate.stride <= padded_y; ++oy) {
    for (int ox = first_x; ox < gate.out_width && ox * gate.stride <= padded_x; ++ox) {
      const long long out = ((n * gate.out_height + oy) * gate.out_width + ox) * gate.channels + c;
      const int place = (padded_y - oy * gate.stride) * gate.size + padded_x - ox * gate.stride;
      if (gate.code[out] == place) sum += load(gate.in, out) * gate.dropout.keep_scale;
    }
  }
  store(gate.out, at, sum);
}

}  // namespace lockstep::gpu
