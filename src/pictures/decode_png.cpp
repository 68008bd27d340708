#include "lockstep/pictures/decode_png.h"

#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "pictures/colours.h"
#include "pictures/image_readers.h"

namespace lockstep {

namespace {

// libpng leaves by a jump when it fails. So what it calls, and what calls it, neither
// throws nor has an object to destroy; Reader's member functions turn that into Errors.
// The simplified interface would spare this, but libpng 1.6.39 of Debian 12 misreads
// interlaced files of 16 bits through it.

struct Input {
  const char* next;
  std::size_t left;
  std::array<char, 128> message;
};

void read_bytes(::png_structp png, ::png_bytep to, std::size_t count) {
  auto* input = static_cast<Input*>(::png_get_io_ptr(png));
  if (count > input->left) ::png_error(png, "it ends too early");
  std::memcpy(to, input->next, count);
  input->next += count;
  input->left -= count;
}

[[noreturn]] void leave(::png_structp png, ::png_const_charp message) {
  auto* input = static_cast<Input*>(::png_get_error_ptr(png));
  std::snprintf(input->message.data(), input->message.size(), "%s", message);
  ::png_longjmp(png, 1);
}

void ignore_warning(::png_structp /*png*/, ::png_const_charp /*message*/) {}

// Up to the pixels; false where libpng fails. They come as red, green, blue, opacity,
// with 8 bits each.
bool read_header(::png_structp png, ::png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  // What is no part of the pixels, and could take much memory.
  ::png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  // As many as the format has; the caller's limit is on the pixels.
  ::png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  ::png_read_info(png, info);
  ::png_set_expand(png);
  ::png_set_scale_16(png);
  ::png_set_gray_to_rgb(png);
  ::png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
  return true;
}

struct Target {
  PixelWriter writer;
  int background;
};

// A row of red, green, blue, opacity.
void write_row(const std::uint8_t* row, ::png_uint_32 width, Target& target) {
  for (const std::uint8_t* end = row + 4 * std::size_t{width}; row != end; row += 4) {
    const int opacity = row[3];
    if (opacity == 255) {
      target.writer.colour(row[0], row[1], row[2]);
      continue;
    }
    target.writer.colour(over(target.background, row[0], opacity),
                         over(target.background, row[1], opacity),
                         over(target.background, row[2], opacity));
  }
}

// `rows` [height, width, 4] for interlaced files, which come in several passes, else
// [width, 4]; false where libpng fails.
bool read_pixels(::png_structp png, ::png_infop info, std::uint8_t* rows, Target* target) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  const int passes = ::png_set_interlace_handling(png);
  ::png_read_update_info(png, info);
  const ::png_uint_32 width = ::png_get_image_width(png, info);
  const std::size_t step = passes == 1 ? 0 : ::png_get_rowbytes(png, info);
  for (int pass = 1; pass <= passes; ++pass) {
    for (::png_uint_32 y = 0; y < ::png_get_image_height(png, info); ++y) {
      ::png_read_row(png, rows + y * step, nullptr);
      if (pass == passes) write_row(rows + y * step, width, *target);
    }
  }
  ::png_read_end(png, nullptr);
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view file)
      : input_{file.data(), file.size(), {}},
        png_(::png_create_read_struct(PNG_LIBPNG_VER_STRING, &input_, leave, ignore_warning)),
        info_(::png_create_info_struct(png_)) {}
  ~Reader() { ::png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void start() {
    if (info_ == nullptr) fail_internal("libpng could not be started");
    ::png_set_read_fn(png_, &input_, read_bytes);
    if (!read_header(png_, info_)) fail();
  }

  // After start().
  int width() const { return static_cast<int>(::png_get_image_width(png_, info_)); }
  int height() const { return static_cast<int>(::png_get_image_height(png_, info_)); }

  int channels() const {
    const int type = ::png_get_color_type(png_, info_);
    ::png_colorp palette = nullptr;
    int entries = 0;
    if (type == PNG_COLOR_TYPE_PALETTE) ::png_get_PLTE(png_, info_, &palette, &entries);
    const bool coloured = std::any_of(palette, palette + entries, [](const ::png_color& entry) {
      return entry.red != entry.green || entry.green != entry.blue;
    });
    return coloured || (palette == nullptr && (type & PNG_COLOR_MASK_COLOR) != 0) ? 3 : 1;
  }

  void read_into(Picture& picture, int background) {
    const bool interlaced = ::png_get_interlace_type(png_, info_) != PNG_INTERLACE_NONE;
    std::vector<std::uint8_t> rows(4 * static_cast<std::size_t>(width()) *
                                   static_cast<std::size_t>(interlaced ? height() : 1));
    Target target{{picture.pixels.data(), picture.channels}, background};
    if (!read_pixels(png_, info_, rows.data(), &target)) fail();
  }

 private:
  [[noreturn]] void fail() const { fail_usage("not a whole PNG file: {}", input_.message.data()); }

  Input input_;
  ::png_structp png_;
  ::png_infop info_;
};

void check_signature(std::string_view file) {
  constexpr std::size_t kSignatureBytes = 8;
  const auto* bytes = reinterpret_cast<png_const_bytep>(file.data());
  if (file.size() >= kSignatureBytes && ::png_sig_cmp(bytes, 0, kSignatureBytes) == 0) return;
  fail_usage("not a PNG file: {} without a PNG's first 8", count_of(file.size(), "byte"));
}

}  // namespace

ImageHeader read_png_header(std::string_view file) {
  check_signature(file);
  Reader reader(file);
  reader.start();
  return {ImageFormat::kPng, reader.width(), reader.height(), reader.channels()};
}

Picture decode_png(std::string_view file, int channels, std::int64_t most_pixels, int background) {
  check_signature(file);
  Reader reader(file);
  reader.start();
  Picture picture{reader.width(), reader.height(), channels, {}};
  const std::int64_t count = std::int64_t{picture.width} * picture.height;
  if (count > most_pixels) {
    fail_usage("{} x {} pixels; expected at most {} pixels", picture.width, picture.height,
               most_pixels);
  }
  picture.pixels.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(channels));
  reader.read_into(picture, background);
  return picture;
}

}  // namespace lockstep
