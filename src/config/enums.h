// The grammar's enums and the plain ones, pair by pair.
#pragma once

#include "experiment.pb.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

template <typename Word, typename Value>
struct EnumPair {
  Word word;    // in the text
  Value value;  // in the plain struct
};

inline constexpr EnumPair<proto::Device::Kind, Device> kDevices[] = {
    {proto::Device::AUTO, Device::kAuto},
    {proto::Device::CPU, Device::kCpu},
    {proto::Device::CUDA, Device::kCuda},
};
inline constexpr EnumPair<proto::Normalization::Kind, NormalizationKind> kNormalizations[] = {
    {proto::Normalization::UNIT, NormalizationKind::kUnit},
    {proto::Normalization::STANDARDIZE, NormalizationKind::kStandardize},
    {proto::Normalization::NONE, NormalizationKind::kNone},
};
inline constexpr EnumPair<proto::Activation::Kind, ActivationKind> kActivations[] = {
    {proto::Activation::NONE, ActivationKind::kNone},
    {proto::Activation::RELU, ActivationKind::kRelu},
    {proto::Activation::LEAKY_RELU, ActivationKind::kLeakyRelu},
    {proto::Activation::GELU, ActivationKind::kGelu},
    {proto::Activation::SILU, ActivationKind::kSilu},
    {proto::Activation::TANH, ActivationKind::kTanh},
    {proto::Activation::SIGMOID, ActivationKind::kSigmoid},
};
inline constexpr EnumPair<proto::Padding::Kind, Padding> kPaddings[] = {
    {proto::Padding::VALID, Padding::kValid},
    {proto::Padding::SAME, Padding::kSame},
};
inline constexpr EnumPair<proto::Initializer::Kind, Initializer> kInitializers[] = {
    {proto::Initializer::GLOROT_UNIFORM, Initializer::kGlorotUniform},
    {proto::Initializer::GLOROT_NORMAL, Initializer::kGlorotNormal},
    {proto::Initializer::HE_UNIFORM, Initializer::kHeUniform},
    {proto::Initializer::HE_NORMAL, Initializer::kHeNormal},
};
inline constexpr EnumPair<proto::Precision::Kind, Precision> kPrecisions[] = {
    {proto::Precision::FP32, Precision::kFp32},
    {proto::Precision::BF16, Precision::kBf16},
};
inline constexpr EnumPair<proto::Reduction::Kind, Reduction> kReductions[] = {
    {proto::Reduction::ORDERED, Reduction::kOrdered},
    {proto::Reduction::NATIVE, Reduction::kNative},
};
inline constexpr EnumPair<proto::Metric::Kind, Metric> kMetrics[] = {
    {proto::Metric::VAL_LOSS, Metric::kValLoss},
    {proto::Metric::VAL_ACCURACY, Metric::kValAccuracy},
};

// The plain value of `word`, and the word for `value`; each table is complete.
template <typename Table, typename Word>
constexpr auto value_of(const Table& table, Word word) {
  for (const auto& pair : table) {
    if (pair.word == word) return pair.value;
  }
  return table[0].value;
}

template <typename Table, typename Value>
constexpr auto word_for(const Table& table, Value value) {
  for (const auto& pair : table) {
    if (pair.value == value) return pair.word;
  }
  return table[0].word;
}

}  // namespace lockstep
