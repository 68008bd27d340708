#include "data/rows_source.h"

#include "data/source_format.h"
#include "data/source_settings.h"
#include "lockstep/core/error.h"
#include "lockstep/core/share.h"

namespace lockstep {

namespace {

class RowsSource : public Source {
 public:
  explicit RowsSource(std::shared_ptr<const RowsFile> file) : file_(std::move(file)) {}

  const char* format() const override { return kRowsFormat; }
  const std::string& name() const override { return file_->name(); }
  std::uint64_t bytes() const override { return file_->layout().file_bytes; }
  std::uint64_t packed_bytes() const override { return 0; }
  ImageShape shape(const DataOptions& /*options*/) const override { return file_->facts().shape; }

  Look look(const DataOptions& options, Labels labels) const override {
    const ImageShape& has = file_->facts().shape;
    const ImageShape& wanted = options.shape;
    if (has != wanted) {
      fail_usage("{}: images of {}x{}x{}; expected {}x{}x{}", name(), has.height, has.width,
                 has.channels, wanted.height, wanted.width, wanted.channels);
    }
    if (file_->labels().empty() && labels == Labels::kRequired) {
      fail_usage("{}: rows without labels; expected a file packed from labelled ones", name());
    }
    return {options, "", file_->rows()};
  }

  FileRows read(const DataOptions& /*options*/, Labels /*labels*/, FilePart part) const override {
    const Range range = share_of(file_->rows(), part.count, part.index);
    FileRows rows;
    rows.file = file_;
    rows.first_in_file = range.first;
    rows.count = range.size();
    rows.type = file_->facts().type;
    rows.pixels_per_row = file_->facts().shape.pixels();
    const auto copy = [&](const auto& from, auto& to) {
      if (!from.empty()) to.assign(from.begin() + range.first, from.begin() + range.last);
    };
    copy(file_->labels(), rows.labels);
    copy(file_->uses(), rows.uses);
    copy(file_->digests(), rows.digests);
    rows.labelled = !file_->labels().empty();
    rows.label_names = file_->facts().label_names;
    for (std::int64_t row = range.first; file_->has_ids() && row < range.last; ++row) {
      rows.ids.emplace_back(file_->id(row));
    }
    return rows;
  }

  std::string place_of_label(const DataOptions& /*options*/, FilePart part,
                             std::int64_t index) const override {
    const std::int64_t row = share_of(file_->rows(), part.count, part.index).first + index;
    if (!file_->has_ids()) return fmt::format("{}: row {}", place(), row);
    return fmt::format("{}: row {} ({})", place(), row, file_->id(row));
  }

 protected:
  const RowsFile& file() const { return *file_; }
  // What the user knows the rows by.
  virtual const std::string& place() const { return file_->name(); }

 private:
  std::shared_ptr<const RowsFile> file_;
};

class CachedSource final : public RowsSource {
 public:
  using RowsSource::RowsSource;

  Look look(const DataOptions& options, Labels labels) const override {
    const auto& facts = file().facts();
    DataOptions known = options;
    apply_settings(facts.made_with, known);
    Look look = RowsSource::look(known, labels);
    const auto found = facts.made_with.find(kFoundFact);
    if (found != facts.made_with.end()) look.found = found->second;
    return look;
  }

 private:
  const std::string& place() const override { return file().facts().source; }
};

}  // namespace

std::unique_ptr<Source> rows_source(std::shared_ptr<const RowsFile> file) {
  return std::make_unique<RowsSource>(std::move(file));
}

std::unique_ptr<Source> cached_source(std::shared_ptr<const RowsFile> file) {
  return std::make_unique<CachedSource>(std::move(file));
}

const FileFormat kRows = {
    .recognizes = [](const SourceProbe& probe) { return RowsFile::recognizes(probe.head); },
    .open = [](Communicator& comm, const SourceOptions& source) -> std::unique_ptr<Source> {
      std::shared_ptr<const RowsFile> file;
      comm.begin_long_work("reading the data", kEachRank);
      agree(comm, [&] {
        if (!source.labels.empty()) {
          fail_usage("{}: a file of rows has their labels; expected no field `labels`",
                     source.path);
        }
        file = std::make_shared<RowsFile>(source.path);
      });
      for (const Digest& each : gather_values(comm, file->digest())) {
        if (each == file->digest()) continue;
        throw Error(ExitCode::kUsage,
                    fmt::format("{}: not the same file on every node", source.path),
                    Reach::kAgreed);
      }
      return rows_source(std::move(file));
    }};

}  // namespace lockstep
