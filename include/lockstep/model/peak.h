// What the processor can do at most: a loop of products that stay in registers, which
// nothing that reads or writes memory can beat. A step's arithmetic is held against it.
#pragma once

#include "lockstep/core/workers.h"
#include "lockstep/model/options.h"

namespace lockstep {

// FLOP a second of all workers at once, a multiply-add being two: the best of some rounds of
// each worker, added up. The instructions are those of the widest vectors here for fp32; in
// BF16 those that add products of bf16 pairs to fp32 sums, where they are faster. Takes about
// 0.2 s. Local.
double measure_peak_flops(Workers& workers, Precision precision);

}  // namespace lockstep
