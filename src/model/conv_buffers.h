// What DirectConv rearranges into. Internal to the model room.
#pragma once

#include "model/resized.h"

namespace lockstep {

// A thread's, for one layer after the other.
template <typename In, typename Out>
struct ConvBuffers {
  Buffer<In> weights;                // as correlations want them
  Buffer<In> inputs;                 // of a correlation, of a few samples
  Buffer<In> x_samples, dy_samples;  // [height, width, samples, channels]
  Buffer<In> left;                   // one of both, by rows: [channels, the rest]
  Buffer<Out> dy;                    // with zeros for filters that there are not
  Buffer<Out> stored;                // weights on their way
  Buffer<Out> whole;                 // weights of unfolded images
  Buffer<float> turned;              // their sums
  Buffer<Out> bias;                  // with zeros for filters that there are not
  Buffer<float> sums;                // [taps, channels, filters]
};

template <typename In, typename Out>
ConvBuffers<In, Out>& conv_buffers() {
  thread_local ConvBuffers<In, Out> of_thread;
  return of_thread;
}

}  // namespace lockstep
