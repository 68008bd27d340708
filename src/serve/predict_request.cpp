#include "serve/predict_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.h"
#include "lockstep/core/text.h"
#include "lockstep/pictures/decode_png.h"
#include "lockstep/pictures/fit_picture.h"
#include "lockstep/pictures/prepare_picture.h"
#include "serve/base64.h"
#include "serve/request_check.h"

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kExpected =
    "expected {\"images\": [[...], ...]} or {\"png\": [\"...\", ...]}";
constexpr int kWhite = 255;
constexpr int kMostDepth = 3;  // {"images": [[

nlohmann::json parse(const std::string& body) {
  const auto check_depth = [](int depth, nlohmann::json::parse_event_t event, nlohmann::json&) {
    const bool opens = event == nlohmann::json::parse_event_t::array_start ||
                       event == nlohmann::json::parse_event_t::object_start;
    if (opens && depth >= kMostDepth) fail_usage("the JSON is nested too deeply; {}", kExpected);
    return true;
  };
  try {
    return nlohmann::json::parse(body, check_depth);
  } catch (const nlohmann::json::parse_error& error) {
    fail_usage("the body is not JSON: see byte {}", error.byte);
  } catch (const nlohmann::json::exception&) {  // a number too large
    fail_usage("the body has a number that cannot be read");
  }
}

Predictor::Image read_pixels(const nlohmann::json& values, int pixels) {
  if (!values.is_array() || values.size() != static_cast<std::size_t>(pixels)) {
    fail_usage("{}; expected an array of {}, the pixels row by row",
               count_of(values.is_array() ? values.size() : 0, "value"),
               count_of(pixels, "number"));
  }
  Predictor::Image image;
  image.reserve(values.size());
  for (const nlohmann::json& value : values) {
    const double level = value.is_number() ? value.get<double>() : -1;
    if (!(level >= 0 && level <= 255)) {
      fail_usage("pixel {} is not a number from 0 to 255", image.size());
    }
    image.push_back(static_cast<std::uint8_t>(std::lround(level)));
  }
  return image;
}

Json number_array(double least, double most, int count) {
  return {{"type", "array"},
          {"minItems", count},
          {"maxItems", count},
          {"items", {{"type", "number"}, {"minimum", least}, {"maximum", most}}}};
}

Json request_schema(const ServedModel& model) {
  const int pixels = model.network.input().pixels();
  const auto list_of = [](Json items) {
    return Json{
        {"type", "array"}, {"minItems", 1}, {"maxItems", kMostImages}, {"items", std::move(items)}};
  };
  Json images = list_of(number_array(0, 255, pixels));
  images["description"] =
      "Pixels as in the training data: row by row, then column, then channel; rounded to whole "
      "numbers and used as they are";
  Json png = list_of({{"type", "string"}, {"contentEncoding", "base64"}});
  png["description"] = fmt::format(
      "PNG files of any kind with {} pixels at most, brought to the training images' size and look",
      kMostServedPicturePixels);
  return {{"type", "object"},
          {"properties", {{"images", std::move(images)}, {"png", std::move(png)}}},
          {"additionalProperties", false},
          {"minProperties", 1},
          {"maxProperties", 1}};
}

Json answer_schema(const ServedModel& model) {
  const int classes = model.network.classes();
  const Json prediction = {
      {"type", "object"},
      {"properties",
       {{"class", {{"type", "integer"}, {"minimum", 0}, {"maximum", classes - 1}}},
        {"name", {{"type", "string"}}},
        {"probabilities", number_array(0, 1, classes)},
        {"seen", number_array(0, 255, model.network.input().pixels())}}},
      {"required", {"class", "name", "probabilities", "seen"}}};
  return {{"type", "object"},
          {"properties", {{"predictions", {{"type", "array"}, {"items", prediction}}}}},
          {"required", Json::array({"predictions"})}};
}

}  // namespace

std::vector<Predictor::Image> PredictRequestReader::read(const std::string& body) const {
  const nlohmann::json json = parse(body);
  const bool one = json.is_object() && json.size() == 1;
  const std::string key = one ? json.begin().key() : "";
  if ((key != "images" && key != "png") || !json.begin()->is_array()) fail_usage("{}", kExpected);
  const nlohmann::json& items = *json.begin();
  if (items.empty() || items.size() > static_cast<std::size_t>(kMostImages)) {
    fail_usage("{} images; expected from 1 to {}", items.size(), kMostImages);
  }
  std::vector<Predictor::Image> images;
  for (const nlohmann::json& item : items) {
    try {
      if (key == "images") {
        images.push_back(read_pixels(item, model_.network.input().pixels()));
      } else {
        if (!item.is_string()) fail_usage("expected a string, a PNG file in base64");
        images.push_back(read_png(item.get_ref<const std::string&>()));
      }
    } catch (const Error& error) {
      throw error.within(fmt::format("{}[{}]", key, images.size()));
    }
  }
  return images;
}

Predictor::Image PredictRequestReader::read_png(const std::string& text) const {
  const ImageShape& shape = model_.network.input();
  if (shape.channels != 1 && shape.channels != 3) {
    fail_usage("the model's images have {} channels; a PNG can be brought to 1 or 3",
               shape.channels);
  }
  const auto file = from_base64(text);
  if (!file) fail_usage("not base64");
  decoding_.acquire();
  try {
    const int background = model_.framing.framed ? kWhite : model_.images.background;
    const Picture picture = decode_png(*file, shape.channels, kMostServedPicturePixels, background);
    Predictor::Image image = model_.framing.framed ? prepare_picture(picture, shape, model_.framing)
                                                   : fit_picture(picture, shape, model_.images);
    decoding_.release();
    return image;
  } catch (...) {
    decoding_.release();
    throw;
  }
}

std::size_t answer_bytes(const ServedModel& model, std::size_t images) {
  constexpr std::size_t kProbability = sizeof(double) + 24;  // and its text, a comma included
  constexpr std::size_t kLevel = 4;                          // "255,"
  constexpr std::size_t kNameByte = 6;                       // "\u0001"
  constexpr std::size_t kFrame = 100;
  std::size_t longest = 0;
  for (const std::string& name : model.class_names) longest = std::max(longest, name.size());
  return images * (static_cast<std::size_t>(model.network.classes()) * kProbability +
                   static_cast<std::size_t>(model.network.input().pixels()) * kLevel +
                   longest * kNameByte + kFrame);
}

std::string predict_answer(const ServedModel& model, const std::vector<Predictor::Image>& images,
                           const std::vector<Predictor::Probabilities>& probabilities) {
  std::string text = "{\"predictions\":[";
  text.reserve(answer_bytes(model, images.size()));
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Predictor::Probabilities& of_classes = probabilities[i];
    const auto best = static_cast<std::size_t>(
        std::max_element(of_classes.begin(), of_classes.end()) - of_classes.begin());
    if (i > 0) text += ',';
    text += Json{{"class", best},
                 {"name", model.class_names[best]},
                 {"probabilities", of_classes},
                 {"seen", images[i]}}
                .dump();
  }
  text += "]}";
  return text;
}

std::string error_answer(const std::string& message) {
  // What a message quotes need not be UTF-8.
  return Json{{"error", message}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string schema(const ServedModel& model) {
  const ImageShape& shape = model.network.input();
  return Json{
      {"model", model.name},
      {"classes", model.class_names},
      {"image", {{"height", shape.height}, {"width", shape.width}, {"channels", shape.channels}}},
      {"request", request_schema(model)},
      {"answer", answer_schema(model)},
      {"limits", {{"body_bytes", kMostBodyBytes}, {"images", kMostImages}}}}
      .dump(2);
}

}  // namespace lockstep
