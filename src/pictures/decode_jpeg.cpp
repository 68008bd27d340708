// libjpeg's header wants FILE to be known.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "lockstep/core/error.h"
#include "pictures/colours.h"
#include "pictures/image_readers.h"
#include "pictures/orientation.h"

namespace lockstep {

namespace {

// libjpeg leaves by a jump when it fails. So what it calls, and what calls it, neither
// throws nor has an object to destroy; Reader's member functions turn that into Errors.

struct Failure {
  std::jmp_buf place;
  std::array<char, JMSG_LENGTH_MAX> message;
};

[[noreturn]] void leave(::j_common_ptr jpeg) {
  auto* failure = static_cast<Failure*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, failure->message.data());
  std::longjmp(failure->place, 1);
}

[[noreturn]] void leave_with(::j_common_ptr jpeg, const char* message) {
  auto* failure = static_cast<Failure*>(jpeg->client_data);
  std::snprintf(failure->message.data(), failure->message.size(), "%s", message);
  std::longjmp(failure->place, 1);
}

// libjpeg goes on after damage, with what it makes up for the pixels; that is no picture.
// What remains are oddities of many good files, such as bytes too many before a marker.
void judge_warning(::j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // no warning
  const int marker = jpeg->err->msg_parm.i[1];
  switch (jpeg->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_JFIF_MAJOR:
      return;
    case JWRN_EXTRANEOUS_DATA:
      if (marker < JPEG_RST0 || marker > JPEG_RST0 + 7) return;
      break;
    case JWRN_JPEG_EOF:
      leave_with(jpeg, "it is cut short");
    default:
      break;
  }
  leave(jpeg);
}

void count_scans(::j_common_ptr jpeg) {
  if (reinterpret_cast<::j_decompress_ptr>(jpeg)->input_scan_number > kMostJpegScans) {
    leave_with(jpeg, "it has too many scans");
  }
}

bool read_header(::jpeg_decompress_struct* jpeg, Failure* failure, const unsigned char* file,
                 std::size_t bytes) {
  if (setjmp(failure->place) != 0) return false;
  ::jpeg_create_decompress(jpeg);
  ::jpeg_mem_src(jpeg, file, bytes);
  ::jpeg_read_header(jpeg, TRUE);
  return true;
}

bool start_pixels(::jpeg_decompress_struct* jpeg, Failure* failure) {
  if (setjmp(failure->place) != 0) return false;
  ::jpeg_start_decompress(jpeg);
  return true;
}

// Adobe's programs write the colours of CMYK inverted: 255 is no ink.
void write_row(const std::uint8_t* row, const ::jpeg_decompress_struct* jpeg, PixelWriter* writer) {
  const int components = jpeg->output_components;
  for (::JDIMENSION x = 0; x < jpeg->output_width; ++x, row += components) {
    if (components == 1) {
      writer->grey(row[0]);
    } else if (components == 3) {
      writer->colour(row[0], row[1], row[2]);
    } else {
      writer->colour(over(0, row[0], row[3]), over(0, row[1], row[3]), over(0, row[2], row[3]));
    }
  }
}

// `row` [output_width, output_components].
bool read_pixels(::jpeg_decompress_struct* jpeg, Failure* failure, std::uint8_t* row,
                 PixelWriter* writer) {
  if (setjmp(failure->place) != 0) return false;
  while (jpeg->output_scanline < jpeg->output_height) {
    if (writer->channels == jpeg->output_components) {
      ::jpeg_read_scanlines(jpeg, &writer->next, 1);
      writer->next += std::size_t{jpeg->output_width} * static_cast<std::size_t>(writer->channels);
    } else {
      ::jpeg_read_scanlines(jpeg, &row, 1);
      write_row(row, jpeg, writer);
    }
  }
  ::jpeg_finish_decompress(jpeg);
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view file) {
    jpeg_.err = ::jpeg_std_error(&errors_);
    jpeg_.client_data = &failure_;
    errors_.error_exit = leave;
    errors_.emit_message = judge_warning;
    const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
    if (!read_header(&jpeg_, &failure_, bytes, file.size())) {
      ::jpeg_destroy_decompress(&jpeg_);
      fail();
    }
    progress_.progress_monitor = count_scans;
    jpeg_.progress = &progress_;
  }
  ~Reader() { ::jpeg_destroy_decompress(&jpeg_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // As the file has them.
  int width() const { return static_cast<int>(jpeg_.image_width); }
  int height() const { return static_cast<int>(jpeg_.image_height); }
  int components() const { return jpeg_.num_components; }

  ReducedPicture read(int factor, int channels) {
    check_size(width(), height());
    jpeg_.scale_num = 8 / static_cast<unsigned>(factor);
    jpeg_.scale_denom = 8;
    choose_colours();
    if (!start_pixels(&jpeg_, &failure_)) fail();
    ReducedPicture reduced = blank_picture(static_cast<int>(jpeg_.output_width),
                                           static_cast<int>(jpeg_.output_height), channels);
    reduced.reduction = {width(), height(), factor};
    std::vector<std::uint8_t> row(jpeg_.output_width *
                                  static_cast<std::size_t>(jpeg_.output_components));
    PixelWriter writer{reduced.picture.pixels.data(), channels};
    if (!read_pixels(&jpeg_, &failure_, row.data(), &writer)) fail();
    return reduced;
  }

 private:
  void choose_colours() {
    switch (jpeg_.jpeg_color_space) {
      case JCS_GRAYSCALE:
        jpeg_.out_color_space = JCS_GRAYSCALE;
        return;
      case JCS_YCbCr:
      case JCS_RGB:
        jpeg_.out_color_space = JCS_RGB;
        return;
      case JCS_CMYK:
      case JCS_YCCK:
        jpeg_.out_color_space = JCS_CMYK;
        return;
      default:
        fail_usage("a JPEG of {} channels; expected 1, 3 or 4", jpeg_.num_components);
    }
  }

  [[noreturn]] void fail() const {
    fail_usage("not a whole JPEG file: {}", failure_.message.data());
  }

  ::jpeg_decompress_struct jpeg_{};
  ::jpeg_error_mgr errors_{};
  ::jpeg_progress_mgr progress_{};
  Failure failure_{};
};

}  // namespace

ImageHeader read_jpeg_header(std::string_view file) {
  const Reader reader(file);
  ImageHeader header{ImageFormat::kJpeg, reader.width(), reader.height(),
                     reader.components() == 1 ? 1 : 3};
  if (swaps_sides(orientation_of(file))) std::swap(header.width, header.height);
  return header;
}

ReducedPicture decode_jpeg(std::string_view file, const DecodeRequest& request) {
  Reader reader(file);
  const int orientation = orientation_of(file);
  const bool swaps = swaps_sides(orientation);
  const int factor = request.reduction(swaps ? reader.height() : reader.width(),
                                       swaps ? reader.width() : reader.height());
  return upright(reader.read(factor, request.channels), orientation);
}

}  // namespace lockstep
