// Images of few channels as images of many: each output's pixel holds the inputs that its
// convolution's kernel covers, so that the convolution becomes one of a single tap.
// Internal to the model room; one thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "model/conv_form.h"

namespace lockstep {

// Whether it is so that a convolution is computed.
bool unfolds(const ConvForm& form);
bool is_too_large_unfolded(const ConvForm& form);

// T: float, or the bits of bf16.
template <typename T>
class Unfolding {
 public:
  explicit Unfolding(const ConvForm& form);

  // Of an unfolded pixel: [kernel, row], a row of the kernel's taps and channels being
  // completed by a zero where they are odd.
  std::int64_t channels() const { return form_.kernel * row_; }

  // x [samples, in] to [samples, out.height, out.width, channels()].
  const T* unfold(std::int64_t samples, const T* x);

  // [rows, kernel, kernel, in.channels] to [rows, channels()], and back.
  template <typename Value>
  void widen_rows(std::int64_t rows, const Value* from, Value* to) const;
  template <typename Value>
  void narrow_rows(std::int64_t rows, const Value* from, Value* to) const;

 private:
  const T* with_margins(std::int64_t samples, const T* x);

  ConvForm form_;
  std::int64_t taps_;            // of a row, times channels
  std::int64_t row_;             // the same, even
  std::int64_t height_, width_;  // of the inputs with their margins
  std::vector<T> margins_;
  std::vector<T> unfolded_;
};

template <typename T>
template <typename Value>
void Unfolding<T>::widen_rows(std::int64_t rows, const Value* from, Value* to) const {
  for (std::int64_t i = 0; i < rows * form_.kernel; ++i, from += taps_, to += row_) {
    for (std::int64_t t = 0; t < row_; ++t) to[t] = t < taps_ ? from[t] : Value{};
  }
}

template <typename T>
template <typename Value>
void Unfolding<T>::narrow_rows(std::int64_t rows, const Value* from, Value* to) const {
  for (std::int64_t i = 0; i < rows * form_.kernel; ++i, from += row_, to += taps_) {
    for (std::int64_t t = 0; t < taps_; ++t) to[t] = from[t];
  }
}

extern template class Unfolding<float>;
extern template class Unfolding<std::uint16_t>;

}  // namespace lockstep
