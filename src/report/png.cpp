#include <cairo.h>

#include <cmath>
#include <memory>
#include <vector>

#include "lockstep/core/error.h"
#include "lockstep/pictures/encode_png.h"
#include "report/base64.h"
#include "report/render.h"
#include "report/text.h"
#include "report/theme.h"

namespace lockstep {

namespace {

constexpr int kScale = 2;
constexpr const char* kFont = "DejaVu Sans";

struct Destroy {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
  void operator()(cairo_t* context) const { cairo_destroy(context); }
  void operator()(cairo_font_options_t* options) const { cairo_font_options_destroy(options); }
};
using Surface = std::unique_ptr<cairo_surface_t, Destroy>;
using Context = std::unique_ptr<cairo_t, Destroy>;
using FontOptions = std::unique_ptr<cairo_font_options_t, Destroy>;

void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  fail_internal("drawing a picture of the report failed: {}", cairo_status_to_string(status));
}

Picture picture_of(const Surface& surface) {
  cairo_surface_flush(surface.get());
  Picture picture{cairo_image_surface_get_width(surface.get()),
                  cairo_image_surface_get_height(surface.get()),
                  3,
                  {}};
  picture.pixels.resize(static_cast<std::size_t>(picture.width) * picture.height * 3);
  std::uint8_t* pixel = picture.pixels.data();
  const unsigned char* row = cairo_image_surface_get_data(surface.get());
  for (int y = 0; y < picture.height; ++y, row += cairo_image_surface_get_stride(surface.get())) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(row);
    for (int x = 0; x < picture.width; ++x) {
      for (const int shift : {16, 8, 0}) *pixel++ = static_cast<std::uint8_t>(words[x] >> shift);
    }
  }
  return picture;
}

// Of 0xRRGGBB words.
Surface surface_of(const Picture& image) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height));
  check(cairo_surface_status(surface.get()));
  unsigned char* data = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  const std::uint8_t* pixel = image.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, pixel += image.channels) {
      const unsigned green = pixel[image.channels == 3 ? 1 : 0];
      const unsigned blue = pixel[image.channels == 3 ? 2 : 0];
      reinterpret_cast<std::uint32_t*>(data + y * stride)[x] =
          *pixel * 0x10000U + green * 0x100U + blue;
    }
  }
  cairo_surface_mark_dirty(surface.get());
  return surface;
}

class Painter {
 public:
  explicit Painter(cairo_t* to) : to_(to) {}

  void operator()(const Curve& curve) {
    set_colour(curve.colour, curve.opacity);
    cairo_new_path(to_);  // a label leaves its end as the current point
    cairo_set_line_width(to_, curve.width);
    cairo_set_line_join(to_, CAIRO_LINE_JOIN_ROUND);
    for (const Point& point : curve.points) cairo_line_to(to_, point.x, point.y);
    cairo_stroke(to_);
  }

  void operator()(const Box& box) {
    set_colour(box.colour, box.opacity);
    cairo_rectangle(to_, box.corner.x, box.corner.y, box.width, box.height);
    cairo_fill(to_);
  }

  void operator()(const Dot& dot) {
    set_colour(dot.colour, 1);
    cairo_new_path(to_);
    cairo_arc(to_, dot.centre.x, dot.centre.y, dot.radius, 0, 2 * M_PI);
    cairo_fill(to_);
  }

  void operator()(const Label& label) {
    set_colour(label.colour, 1);
    cairo_select_font_face(
        to_, kFont, CAIRO_FONT_SLANT_NORMAL,
        label.weight == Weight::kBold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(to_, label.size);
    const std::string text = valid_text(label.text);
    cairo_text_extents_t extents;
    cairo_text_extents(to_, text.c_str(), &extents);
    const double part = label.anchor == Anchor::kStart ? 0 : label.anchor == Anchor::kEnd ? 1 : 0.5;
    cairo_move_to(to_, label.at.x - part * extents.x_advance, label.at.y);
    cairo_show_text(to_, text.c_str());
  }

  void operator()(const PlacedPicture& picture) {
    const Surface image = surface_of(picture.image);
    cairo_save(to_);
    cairo_translate(to_, picture.corner.x, picture.corner.y);
    cairo_scale(to_, picture.width / picture.image.width, picture.height / picture.image.height);
    cairo_set_source_surface(to_, image.get(), 0, 0);
    cairo_pattern_set_filter(cairo_get_source(to_), CAIRO_FILTER_NEAREST);
    cairo_rectangle(to_, 0, 0, picture.image.width, picture.image.height);
    cairo_fill(to_);
    cairo_restore(to_);
  }

 private:
  void set_colour(Colour colour, double opacity) {
    const unsigned value = light_colour(colour);
    cairo_set_source_rgba(to_, (value >> 16U) / 255.0, (value >> 8U & 0xFFU) / 255.0,
                          (value & 0xFFU) / 255.0, opacity);
  }

  cairo_t* to_;
};

}  // namespace

std::string png_file(const Drawing& drawing) {
  const Surface surface(cairo_image_surface_create(
      CAIRO_FORMAT_RGB24, kScale * static_cast<int>(std::ceil(drawing.width)),
      kScale * static_cast<int>(std::ceil(drawing.height))));
  check(cairo_surface_status(surface.get()));
  const Context context(cairo_create(surface.get()));
  // Nothing of the machine's own settings for screens.
  const FontOptions options(cairo_font_options_create());
  cairo_font_options_set_antialias(options.get(), CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(context.get(), options.get());
  cairo_set_source_rgb(context.get(), 1, 1, 1);
  cairo_paint(context.get());
  cairo_scale(context.get(), kScale, kScale);
  Painter painter(context.get());
  for (const Shape& shape : drawing.shapes) std::visit(painter, shape);
  check(cairo_status(context.get()));
  return encode_png(picture_of(surface));
}

std::string png_file(const Picture& image) { return encode_png(image); }

std::string data_address(const Picture& image) {
  return "data:image/png;base64," + base64(png_file(image));
}

}  // namespace lockstep
