// Weights on disk in the safetensors layout: 8 bytes little-endian length of a
// JSON header, the header, then the tensors' bytes without gaps. Ours hold fp32
// ("F32") alone. The reader is strict: it takes nothing on a file's word
// before sizes are checked, and refuses whatever the layout does not allow.
//
// Local, any thread. Errors: Error 2 for a file that is not as it must be, 1 for
// a failed write.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
  bool beyond_fp32 = false;  // the file has finite values of F64 that are infinite here
};

using Metadata = std::map<std::string, std::string>;

// The file's bytes; equal for equal arguments.
std::string to_safetensors(std::span<const TensorView> tensors, const Metadata& metadata);

// What a file may hold.
enum class Dtypes {
  kF32,  // nothing else, as in files of ours
  kAny,  // F64, F16 and BF16 become fp32; tensors of other types are told by name
};

class SafetensorsFile {
 public:
  // Reads and checks the whole file.
  explicit SafetensorsFile(const std::filesystem::path& path);
  // The same from memory; `origin` stands for the file in errors.
  SafetensorsFile(std::string content, const std::string& origin, Dtypes dtypes = Dtypes::kF32);
  SafetensorsFile(SafetensorsFile&&) noexcept = default;  // no copies: tensors are views

  const Metadata& metadata() const { return metadata_; }
  // In the order of their bytes in the file.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  // By name; an Error that names file and tensor when there is none.
  const TensorView& tensor(const std::string& name) const;

  // Of no type that can be read as floats.
  struct Unread {
    std::string name;
    std::string dtype;
  };
  const std::vector<Unread>& unread() const { return unread_; }

 private:
  void parse();
  void parse_header(const std::string& header, std::size_t data_bytes);

  std::string origin_;
  Dtypes dtypes_;
  std::string content_;
  Metadata metadata_;
  std::vector<TensorView> tensors_;
  std::vector<Unread> unread_;
  std::vector<float> values_;  // of all tensors, aligned
};

}  // namespace lockstep
