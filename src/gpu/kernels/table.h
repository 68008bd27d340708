// The table of all kernels: the constant that the host launches it by (gpu/device.h), its
// function, what that takes, and whether threads of a block wait for one another. The
// functions are held to it in kernels.cu.
#pragma once

#include "gpu/kernels/layer_arguments.h"

#define LOCKSTEP_KERNEL_TABLE(ROW)                         \
  ROW(kFormBatch, form_batch, FormBatch, kNone)            \
  ROW(kNormMoments, norm_moments, Norm, kSome)             \
  ROW(kNormFinish, norm_finish, Norm, kSome)               \
  ROW(kNormForward, norm_forward, Norm, kNone)             \
  ROW(kNormSums, norm_sums, Norm, kSome)                   \
  ROW(kNormGradients, norm_gradients, Norm, kSome)         \
  ROW(kNormBackward, norm_backward, Norm, kNone)           \
  ROW(kGateForward, gate_forward, Gate, kNone)             \
  ROW(kGateBackward, gate_backward, Gate, kNone)           \
  ROW(kCrossEntropy, cross_entropy, Loss, kSome)           \
  ROW(kAddAlongTree, add_along_tree, AddAlongTree, kNone)  \
  ROW(kPack, pack, Packed, kNone)                          \
  ROW(kUnpack, unpack, Packed, kNone)                      \
  ROW(kSumSquares, sum_squares, Squares, kSome)            \
  ROW(kFinishSum, finish_sum, FinishSum, kSome)            \
  ROW(kMeasureBlock, measure_block, Update, kSome)         \
  ROW(kTrustRatio, trust_ratio, Update, kSome)             \
  ROW(kMatrixDirections, matrix_directions, Update, kNone) \
  ROW(kUpdateWeights, update_weights, Update, kNone)
