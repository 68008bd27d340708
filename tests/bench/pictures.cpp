// Times what becomes of image files on one thread: bench_pictures HEIGHT WIDTH CHANNELS
// FILE... [-- REPEATS]. Prints images/s of decoding and fitting, of decoding alone at full
// size, and the time that fitting a whole picture takes; medians over repeats.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/pictures/decode_image.h"
#include "lockstep/pictures/fit_picture.h"

namespace lockstep {

namespace {

// The median time of work(), in seconds, and that its results are used.
template <typename Work>
double seconds_of(int repeats, const Work& work) {
  std::vector<double> seconds;
  std::size_t used = 0;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    used += work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    seconds.push_back(took.count());
  }
  if (used == 0) fail_internal("nothing was made");
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void bench(const std::string& path, const ImageShape& shape, int repeats) {
  std::ifstream stream(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  const PictureFitOptions options;
  const double both = seconds_of(repeats, [&] { return fit_image(file, shape, options).size(); });
  const double decoding =
      seconds_of(repeats, [&] { return decode_image(file, shape.channels).pixels.size(); });
  const Picture picture = decode_image(file, shape.channels);
  fmt::print("{}: {} x {} to {} x {} x {}: {:.0f} images/s; decoded at full size {:.0f} images/s",
             path, picture.width, picture.height, shape.height, shape.width, shape.channels,
             1 / both, 1 / decoding);
  for (const Resampling resampling : {Resampling::kArea, Resampling::kBilinear}) {
    const double fitting = seconds_of(repeats, [&] {
      return fit_picture(picture, shape, {Fit::kStretch, resampling, 0}).size();
    });
    fmt::print("; fitted by {} in {:.3f} ms", resampling == Resampling::kArea ? "area" : "triangle",
               1e3 * fitting);
  }
  fmt::print("\n");
}

}  // namespace

}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: bench_pictures HEIGHT WIDTH CHANNELS FILE... [-- REPEATS]\n");
    return 2;
  }
  std::vector<std::string> files(argv + 4, argv + argc);
  int repeats = 1000;
  if (files.size() > 2 && files[files.size() - 2] == "--") {
    repeats = std::max(1, std::atoi(files.back().c_str()));
    files.resize(files.size() - 2);
  }
  try {
    const lockstep::ImageShape shape{std::atoi(argv[1]), std::atoi(argv[2]), std::atoi(argv[3])};
    for (const std::string& file : files) lockstep::bench(file, shape, repeats);
    return 0;
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
