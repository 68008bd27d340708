#include "lockstep/checkpoint/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "checkpoint/dtypes.h"
#include "lockstep/core/error.h"
#include "lockstep/core/files.h"
#include "lockstep/core/text.h"

namespace lockstep {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the layout's own limit
constexpr std::size_t kHeaderAlignment = 8;
constexpr int kListDepth = 3;  // of the values of shape and data_offsets
constexpr std::size_t kMostDimensions = 64;

static_assert(std::endian::native == std::endian::little);

// A tensor as the header gives it, before its place is checked.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  // Of its values, once its place is checked.
  std::size_t count() const { return static_cast<std::size_t>(end - begin) / dtype_bytes(dtype); }
};

// Elements of a shape, or -1 where their number does not fit the file.
std::int64_t elements_of(const std::vector<std::int64_t>& shape, std::size_t limit) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && count > static_cast<std::int64_t>(limit) / extent)) return -1;
    count *= extent;
  }
  return count;
}

Entry read_entry(const std::string& name, const Json& value, Dtypes dtypes) {
  if (value.size() != 3)
    fail_usage("tensor \"{}\" has other keys than dtype, shape, data_offsets", name);
  const auto dtype = value.at("dtype").get<std::string>();
  if (dtypes == Dtypes::kF32 && dtype != "F32") {
    fail_usage("tensor \"{}\" has dtype {}; only F32 is read", name, dtype);
  }
  if (dtype_bytes(dtype) == 0) {
    fail_usage("tensor \"{}\" has dtype {}, which is not known", name, printable(dtype));
  }
  for (const char* key : {"shape", "data_offsets"}) {
    for (const Json& number : value.at(key)) {
      if (!number.is_number_unsigned()) {
        fail_usage("tensor \"{}\": {} must be non-negative integers", name, key);
      }
    }
  }
  Entry entry{name, dtype, value.at("shape").get<std::vector<std::int64_t>>(), 0, 0};
  const Json& offsets = value.at("data_offsets");
  if (!offsets.is_array() || offsets.size() != 2) {
    fail_usage("tensor \"{}\": data_offsets must be two integers", name);
  }
  entry.begin = offsets[0].get<std::uint64_t>();
  entry.end = offsets[1].get<std::uint64_t>();
  return entry;
}

// One after the other without gaps, each of its shape's size. `entries` ascend.
void check_places(const std::vector<Entry>& entries, std::size_t data_bytes) {
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    const std::int64_t elements = elements_of(entry.shape, data_bytes);
    if (entry.begin != expected || entry.end < entry.begin || entry.end > data_bytes ||
        elements < 0 ||
        entry.end - entry.begin !=
            static_cast<std::uint64_t>(elements) * dtype_bytes(entry.dtype)) {
      fail_usage("tensor \"{}\": bytes {} to {} do not fit its shape, its neighbours or the file",
                 entry.name, entry.begin, entry.end);
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    fail_usage("the tensors take {} bytes, but {} follow the header", expected, data_bytes);
  }
}

std::size_t float_count(const std::vector<Entry>& entries) {
  std::size_t count = 0;
  for (const Entry& entry : entries) count += is_float(entry.dtype) ? entry.count() : 0;
  return count;
}

// Refuses, before it takes memory, what no header has: a root that is no object, deep nesting,
// long lists; and duplicate keys, which the JSON library would silently drop.
Json parse_strictly(const std::string& header) {
  std::vector<std::set<std::string>> keys;
  std::size_t listed = 0;  // values of the list under way
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    const bool list = event == Json::parse_event_t::array_start;
    if (list) listed = 0;
    if (event == Json::parse_event_t::value && depth == kListDepth) ++listed;
    if ((list && depth != kListDepth - 1) || depth > kListDepth || listed > kMostDimensions ||
        (event == Json::parse_event_t::value && depth == 0)) {
      fail_usage("not a safetensors file: its header is not the JSON that it must be");
    }
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      if (!keys.back().insert(key).second) {
        fail_usage("the header has the key \"{}\" twice", key);
      }
    }
    return true;
  };
  return Json::parse(header, watch);
}

}  // namespace

std::string to_safetensors(std::span<const TensorView> tensors, const Metadata& metadata) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    const std::uint64_t end = offset + tensor.values.size_bytes();
    header[tensor.name] = {
        {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file += text;
  file.reserve(file.size() + offset);
  for (const TensorView& tensor : tensors) {
    file.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size_bytes());
  }
  return file;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : SafetensorsFile(read_file(path), path.string()) {}

SafetensorsFile::SafetensorsFile(std::string content, const std::string& origin, Dtypes dtypes)
    : origin_(origin), dtypes_(dtypes), content_(std::move(content)) {
  try {
    parse();
  } catch (const Error& error) {
    throw error.within(origin_);
  } catch (const Json::exception&) {
    fail_usage("{}: not a safetensors file: its header is not the JSON that it must be", origin_);
  }
  content_.clear();
  content_.shrink_to_fit();
}

void SafetensorsFile::parse() {
  if (content_.size() < kLengthBytes) {
    fail_usage("not a safetensors file: {}, at least {} expected",
               count_of(content_.size(), "byte"), kLengthBytes);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, content_.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > content_.size() - kLengthBytes) {
    fail_usage("not a safetensors file, or cut short: a header of {} bytes in a file of {}", length,
               content_.size());
  }
  const auto header_bytes = static_cast<std::size_t>(length);
  parse_header(content_.substr(kLengthBytes, header_bytes),
               content_.size() - kLengthBytes - header_bytes);
}

void SafetensorsFile::parse_header(const std::string& header, std::size_t data_bytes) {
  const Json json = parse_strictly(header);
  if (!json.is_object()) fail_usage("not a safetensors file: its header is not a JSON object");
  std::vector<Entry> entries;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      metadata_ = value.get<Metadata>();
    } else {
      entries.push_back(read_entry(name, value, dtypes_));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_places(entries, data_bytes);
  values_.resize(float_count(entries));
  const char* const data = content_.data() + (content_.size() - data_bytes);
  std::size_t first = 0;
  for (Entry& entry : entries) {
    if (!is_float(entry.dtype)) {
      unread_.push_back({std::move(entry.name), std::move(entry.dtype)});
      continue;
    }
    const std::span<float> values = std::span(values_).subspan(first, entry.count());
    const char* const bytes = data + entry.begin;
    const auto count = static_cast<std::int64_t>(values.size());
    to_floats(entry.dtype, bytes, count, values.data());
    tensors_.push_back({std::move(entry.name), std::move(entry.shape), values,
                        beyond_floats(entry.dtype, bytes, count)});
    first += values.size();
  }
}

const TensorView& SafetensorsFile::tensor(const std::string& name) const {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const TensorView& each) { return each.name == name; });
  if (found == tensors_.end()) fail_usage("{}: has no tensor \"{}\"", origin_, name);
  return *found;
}

}  // namespace lockstep
