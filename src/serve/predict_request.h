// The JSON of POST /predict.
#pragma once

#include <semaphore>
#include <string>
#include <vector>

#include "lockstep/serve/predictor.h"
#include "lockstep/serve/served_model.h"

namespace lockstep {

inline constexpr int kMostImages = 64;                    // of a request
inline constexpr int kMostServedPicturePixels = 1 << 20;  // of a PNG

// Reads bodies. Any thread.
class PredictRequestReader {
 public:
  // `model` must outlive it.
  explicit PredictRequestReader(const ServedModel& model) : model_(model) {}

  // The images as the network is to see them. Error (2) when the body is not as
  // schema() says.
  std::vector<Predictor::Image> read(const std::string& body) const;

 private:
  Predictor::Image read_png(const std::string& text) const;

  static constexpr int kMostDecoding = 4;  // PNGs at once, for the memory that they take

  const ServedModel& model_;
  mutable std::counting_semaphore<kMostDecoding> decoding_{kMostDecoding};
};

// The most memory that the answer for so many images takes, what it is made of included.
std::size_t answer_bytes(const ServedModel& model, std::size_t images);

// The answer: class, name, probabilities and pixels of each image.
std::string predict_answer(const ServedModel& model, const std::vector<Predictor::Image>& images,
                           const std::vector<Predictor::Probabilities>& probabilities);

// {"error": message}
std::string error_answer(const std::string& message);

// What the model is, and JSON Schemas of request and answer.
std::string schema(const ServedModel& model);

}  // namespace lockstep
