#include "lockstep/callbacks/tensorboard.h"

#include <cmath>

#include "lockstep/run/run_files.h"

namespace lockstep {

namespace {

// As a code block of Markdown, in which each line begins with four spaces.
std::string code_block(const std::string& text) {
  std::string block = "    ";
  for (const char each : text) {
    block += each;
    if (each == '\n') block += "    ";
  }
  return block;
}

}  // namespace

void TensorBoard::on_run_begin(const RunEvent& event) {
  if (event.run_dir.empty()) return;
  const bool goes_back = file_ != nullptr;
  if (!goes_back) file_ = std::make_unique<EventFile>(fs::path(event.run_dir) / kTensorboardFolder);
  file_->restart(event.first_step + 1);
  const fs::path experiment = fs::path(event.run_dir) / kExperimentFile;
  if (!goes_back && fs::exists(experiment)) {
    file_->add_text("experiment", event.first_step, code_block(read_file(experiment)));
  }
}

void TensorBoard::on_step(const StepEvent& event) {
  if (file_ == nullptr || every_steps_ <= 0 || event.step % every_steps_ != 0) return;
  file_->add_scalar("step/train_loss", event.step, event.train_loss);
  file_->add_scalar("step/train_accuracy", event.step, event.train_accuracy);
  file_->add_scalar("step/learning_rate", event.step, event.learning_rate);
  file_->add_scalar("step/images_per_second", event.step, event.images_per_second);
}

Directive TensorBoard::on_epoch_end(const EpochEvent& event) {
  if (file_ == nullptr) return {};
  file_->add_scalar("epoch/train_loss", event.step, event.train_loss);
  file_->add_scalar("epoch/train_accuracy", event.step, event.train_accuracy);
  if (!std::isnan(event.val_accuracy)) {
    file_->add_scalar("epoch/val_loss", event.step, event.val_loss);
    file_->add_scalar("epoch/val_accuracy", event.step, event.val_accuracy);
  }
  if (event.top_k > 0 && !std::isnan(event.val_top_k_accuracy)) {
    file_->add_scalar("epoch/val_top_k_accuracy", event.step, event.val_top_k_accuracy);
  }
  file_->add_scalar("epoch/learning_rate", event.step, event.learning_rate);
  file_->add_scalar("epoch/images_per_second", event.step, event.images_per_second);
  return {};
}

}  // namespace lockstep
