#include "model/unfolding.h"

#include <algorithm>
#include <type_traits>

#include "model/conv_kernels.h"

namespace lockstep {

bool unfolds(const ConvForm& form) {
  return form.in.channels % kFiltersOfVector != 0 && !form.input_gradient;
}

// A row of taps is completed to an even one.
bool is_too_large_unfolded(const ConvForm& form) {
  constexpr std::int64_t kMost = std::int64_t{1} << 23;  // values of an unfolded image
  const std::int64_t row = form.kernel * form.in.channels + 1;
  return std::int64_t{form.out.height} * form.out.width * form.kernel * row > kMost;
}

template <typename T>
Unfolding<T>::Unfolding(const ConvForm& form)
    : form_(form),
      taps_(form.kernel * form.in.channels),
      row_((taps_ + 1) / 2 * 2),
      height_((form.out.height - 1) * form.stride + form.kernel),
      width_((form.out.width - 1) * form.stride + form.kernel) {}

template <typename T>
const T* Unfolding<T>::unfold(std::int64_t samples, const T* x) {
  x = with_margins(samples, x);
  const std::int64_t pixels = std::int64_t{form_.out.height} * form_.out.width;
  unfolded_.resize(static_cast<std::size_t>(samples * pixels * channels()));
  const auto copy = [](auto... arguments) {
    if constexpr (std::is_same_v<T, float>) {
      arrange_kernels().copy_floats(arguments...);
    } else {
      arrange_kernels().copy_bf16(arguments...);
    }
  };
  const std::int64_t x_row = width_ * form_.in.channels;
  T* to = unfolded_.data();
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t i = 0; i < form_.out.height; ++i, to += form_.out.width * channels()) {
      for (std::int64_t u = 0; u < form_.kernel; ++u) {
        copy(x + (n * height_ + i * form_.stride + u) * x_row, form_.stride * form_.in.channels,
             form_.out.width, taps_, row_, to + u * row_, channels());
      }
    }
  }
  return unfolded_.data();
}

template <typename T>
const T* Unfolding<T>::with_margins(std::int64_t samples, const T* x) {
  const ImageShape& in = form_.in;
  const std::int64_t above = form_.rows_before;
  const std::int64_t left = form_.columns_before;
  if (above == 0 && left == 0 && height_ == in.height && width_ == in.width) return x;
  const std::int64_t row = width_ * in.channels;
  const std::int64_t columns = std::min<std::int64_t>(in.width, width_ - left);
  margins_.assign(static_cast<std::size_t>(samples * height_ * row), T{});
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t i = above; i < std::min(height_, in.height + above); ++i) {
      std::copy_n(x + (n * in.height + i - above) * in.width * in.channels, columns * in.channels,
                  margins_.data() + (n * height_ + i) * row + left * in.channels);
    }
  }
  return margins_.data();
}

template class Unfolding<float>;
template class Unfolding<std::uint16_t>;

}  // namespace lockstep
