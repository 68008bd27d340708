// In which fields two experiments differ.

#include <google/protobuf/util/message_differencer.h>

#include <string>
#include <vector>

#include "config/grammar.h"
#include "lockstep/config/experiment.h"

namespace lockstep {

namespace {

using google::protobuf::util::MessageDifferencer;

class Paths final : public MessageDifferencer::Reporter {
 public:
  using Fields = std::vector<MessageDifferencer::SpecificField>;

  void ReportAdded(const Message& /*a*/, const Message& /*b*/, const Fields& fields) override {
    add(fields);
  }
  void ReportDeleted(const Message& /*a*/, const Message& /*b*/, const Fields& fields) override {
    add(fields);
  }
  // Told of a field that differs and then of each message around it.
  void ReportModified(const Message& /*a*/, const Message& /*b*/, const Fields& fields) override {
    const auto* field = fields.back().field;
    if (field == nullptr || field->message_type() == nullptr) add(fields);
  }

  const std::vector<std::string>& paths() const { return paths_; }

 private:
  void add(const Fields& fields) {
    std::string path;
    for (const auto& each : fields) {
      if (each.field == nullptr) continue;
      if (!path.empty()) path += '.';
      path += each.field->name();
      if (each.field->is_repeated()) path += '[' + std::to_string(each.index) + ']';
    }
    paths_.push_back(path);
  }

  std::vector<std::string> paths_;
};

}  // namespace

std::vector<std::string> differing_fields(const Experiment& a, const Experiment& b) {
  Paths paths;
  MessageDifferencer differencer;
  differencer.ReportDifferencesTo(&paths);
  differencer.Compare(*write_experiment(a), *write_experiment(b));
  return paths.paths();
}

}  // namespace lockstep
