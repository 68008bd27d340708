// From a source's labels to classes: numbers and texts alike.
#pragma once

#include <functional>
#include <string>

#include "data/file_rows.h"
#include "lockstep/comm/communicator.h"
#include "lockstep/data/options.h"

namespace lockstep {

// Whether labels make the classes, or classes are those of a training: options.labels, or the
// numbers from 0 where these are empty.
enum class Classes { kFound, kKnown };

// Collective: puts classes in place of the labels of `rows` and fills in what `options`
// leaves open and kFound allows: classes where that is 0, labels and class_names where labels
// are not just the classes' numbers. Without options.labels the classes are in numeric order where
// all labels are whole numbers, else in the order of class_names or the alphabet. `place_of` tells
// where the label of a row of this rank is. Error (2, agreed): a label of no class.
void settle_classes(Communicator& comm, FileRows& rows, DataOptions& options, Classes classes,
                    const std::function<std::string(std::int64_t index)>& place_of);

}  // namespace lockstep
