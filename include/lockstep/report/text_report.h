// An evaluation as text. Pure functions of the evaluation, equal byte for byte
// for equal evaluations; lines end in "\n". Local, any thread. Class names are
// UTF-8; columns are aligned by code points.
#pragma once

#include <string>

#include "lockstep/eval/evaluation.h"

namespace lockstep {

// Precision, recall, F1 and support of each class, the accuracy and the averages,
// in the layout of scikit-learn's classification_report with digits=4,
// target_names=class_names and zero_division=0, byte for byte. One oddity of
// scikit-learn 1.9 is left out: where no row at all is right, it writes supports as
// 179.0.
std::string classification_report(const Evaluation& evaluation);

// "  top-5 accuracy 0.9876", to follow the accuracy; empty where the evaluation has none.
std::string top_k_text(const Evaluation& evaluation);

// The counts as a table: a line for each true class, a column for each predicted
// class, numbers aligned to the right; a count of 0 is a dot. Of more than 30 classes the 20
// pairs that were confused most, a line each.
std::string confusion_matrix_text(const Evaluation& evaluation);

// An indented JSON object: rows, correct, accuracy, loss (null when not finite,
// as without rows), where they were asked for top_k, top_k_correct and top_k_accuracy,
// class_names, per_class (a list in class order of precision, recall, f1,
// support), macro, weighted, confusion ([true class][predicted
// class]; of more than 1000 classes a list of [true, predicted, rows] where there are rows).
// Numbers read back as the same doubles. Bytes of a class name that are no UTF-8 become U+FFFD.
std::string evaluation_json(const Evaluation& evaluation);

}  // namespace lockstep
