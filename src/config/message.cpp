// Between the grammar's message and the plain structs.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "config/fields.h"
#include "config/grammar.h"
#include "config/names.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using google::protobuf::FieldDescriptor;

const FieldDescriptor* field_of(const Message& section, const char* name) {
  return section.GetDescriptor()->FindFieldByName(name);
}

// Texts go to JSON, metadata and pages.
void check_utf8(const std::string& text, const std::string& path) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
  } catch (const nlohmann::json::type_error&) {
    fail_usage("{}: not UTF-8", path);
  }
}

// The visitor that reads a section, and holds every number to its range.
class Read {
 public:
  Read(const Message& from, std::string path)
      : from_(from), reflection_(*from.GetReflection()), path_(std::move(path)) {}

  template <class T>
  void operator()(const char* name, T& member, const char* /*meaning*/, const Traits& traits = {}) {
    if (has(name)) get(field_of(from_, name), member);
    if constexpr (std::is_arithmetic_v<T>) {
      if (!traits.allows(static_cast<double>(member))) {
        fail_usage("{}{} is {}; expected {}", path_, name, member, traits.words());
      }
    }
    if constexpr (std::is_same_v<T, std::string>) check_utf8(member, path_ + name);
  }
  void operator()(const char* name, std::vector<std::string>& member, const char* /*meaning*/) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i) {
      member.push_back(reflection_.GetRepeatedString(from_, field, i));
      check_utf8(member.back(), fmt::format("{}{}[{}]", path_, name, i));
    }
  }
  template <class Number>
  void operator()(const char* name, std::vector<Number>& member, const char* /*meaning*/,
                  const Traits& traits = {}) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i) {
      member.push_back(number_of(field, i, Number()));
      if (traits.allows(static_cast<double>(member.back()))) continue;
      fail_usage("{}{}[{}] is {}; expected {}", path_, name, i, member.back(), traits.words());
    }
  }

  template <class Body>
  void section(const char* name, const char* /*type*/, const Body& body) {
    Read inner(reflection_.GetMessage(from_, field_of(from_, name)), path_ + name + ".");
    body(inner);
  }

  template <class T>
  void optional(const char* name, const char* type, std::optional<T>& member,
                const char* /*meaning*/) {
    if (has(name)) lockstep::section(*this, name, type, member.emplace());
  }

  template <class... T>
  void choice(const char* name, const char* type, std::variant<T...>& member) {
    section(name, type, [&member](Read& inner) { inner.kinds(member); });
  }

  template <class... T>
  void kinds(std::variant<T...>& member) {
    read_kind(member);
  }

  template <class... T>
  void list(const char* name, const char* /*type*/, std::vector<std::variant<T...>>& member,
            const char* /*meaning*/, const Traits& = {}) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i) {
      const std::string path = fmt::format("{}{}[{}]", path_, name, i);
      Read inner(reflection_.GetRepeatedMessage(from_, field, i), path + ".");
      if (!inner.read_kind(member.emplace_back())) {
        fail_usage("{} is empty; expected one of {}", path,
                   fmt::join(field_names(*field->message_type()), ", "));
      }
    }
  }

  template <class T>
  void sections(const char* name, const char* /*type*/, std::vector<T>& member,
                const char* /*meaning*/, const Traits& = {}) {
    const FieldDescriptor* field = field_of(from_, name);
    for (int i = 0; i < reflection_.FieldSize(from_, field); ++i) {
      Read inner(reflection_.GetRepeatedMessage(from_, field, i),
                 fmt::format("{}{}[{}].", path_, name, i));
      fields(inner, member.emplace_back());
    }
  }

 private:
  float number_of(const FieldDescriptor* field, int index, float /*of that type*/) const {
    return reflection_.GetRepeatedFloat(from_, field, index);
  }
  double number_of(const FieldDescriptor* field, int index, double /*of that type*/) const {
    return reflection_.GetRepeatedDouble(from_, field, index);
  }

  bool has(const char* name) const { return reflection_.HasField(from_, field_of(from_, name)); }

  template <class T>
  void get(const FieldDescriptor* field, T& to) const {
    if constexpr (std::is_same_v<T, int>) to = reflection_.GetInt32(from_, field);
    if constexpr (std::is_same_v<T, std::uint64_t>) to = reflection_.GetUInt64(from_, field);
    if constexpr (std::is_same_v<T, float>) to = reflection_.GetFloat(from_, field);
    if constexpr (std::is_same_v<T, double>) to = reflection_.GetDouble(from_, field);
    if constexpr (std::is_same_v<T, bool>) to = reflection_.GetBool(from_, field);
    if constexpr (std::is_same_v<T, std::string>) to = reflection_.GetString(from_, field);
    if constexpr (std::is_enum_v<T>) to = static_cast<T>(reflection_.GetEnumValue(from_, field));
  }

  // Whether one is given.
  template <class... T>
  bool read_kind(std::variant<T...>& to) {
    return (read_as<T>(to) || ...);
  }
  template <class T, class Variant>
  bool read_as(Variant& to) {
    if (!has(kChoice<T>.name)) return false;
    lockstep::section(*this, kChoice<T>.name, kChoice<T>.type, to.template emplace<T>());
    return true;
  }

  const Message& from_;
  const google::protobuf::Reflection& reflection_;
  std::string path_;  // empty, or ending with a dot
};

// The visitor that writes a section.
class Write {
 public:
  explicit Write(Message& to) : to_(to), reflection_(*to.GetReflection()) {}

  template <class T>
  void operator()(const char* name, const T& member, const char* /*meaning*/, const Traits& = {}) {
    const FieldDescriptor* field = field_of(to_, name);
    if constexpr (std::is_same_v<T, int>) reflection_.SetInt32(&to_, field, member);
    if constexpr (std::is_same_v<T, std::uint64_t>) reflection_.SetUInt64(&to_, field, member);
    if constexpr (std::is_same_v<T, float>) reflection_.SetFloat(&to_, field, member);
    if constexpr (std::is_same_v<T, double>) reflection_.SetDouble(&to_, field, member);
    if constexpr (std::is_same_v<T, bool>) reflection_.SetBool(&to_, field, member);
    if constexpr (std::is_same_v<T, std::string>) reflection_.SetString(&to_, field, member);
    if constexpr (std::is_enum_v<T>) {
      reflection_.SetEnumValue(&to_, field, static_cast<int>(member));
    }
  }
  void operator()(const char* name, const std::vector<std::string>& member,
                  const char* /*meaning*/) {
    for (const std::string& each : member) reflection_.AddString(&to_, field_of(to_, name), each);
  }
  template <class Number>
  void operator()(const char* name, const std::vector<Number>& member, const char* /*meaning*/,
                  const Traits& = {}) {
    for (const Number each : member) add_number(field_of(to_, name), each);
  }

  template <class Body>
  void section(const char* name, const char* /*type*/, const Body& body) {
    Write inner(*reflection_.MutableMessage(&to_, field_of(to_, name)));
    body(inner);
  }

  template <class T>
  void optional(const char* name, const char* type, std::optional<T>& member,
                const char* /*meaning*/) {
    if (member) lockstep::section(*this, name, type, *member);
  }

  template <class Variant>
  void choice(const char* name, const char* type, Variant& member) {
    section(name, type, [&member](Write& inner) { inner.kinds(member); });
  }

  template <class Variant>
  void kinds(Variant& from) {
    std::visit(
        [this]<class T>(T& options) {
          lockstep::section(*this, kChoice<T>.name, kChoice<T>.type, options);
        },
        from);
  }

  template <class Variant>
  void list(const char* name, const char* /*type*/, std::vector<Variant>& member,
            const char* /*meaning*/, const Traits& = {}) {
    for (Variant& each : member) {
      Write(*reflection_.AddMessage(&to_, field_of(to_, name))).kinds(each);
    }
  }

  template <class T>
  void sections(const char* name, const char* /*type*/, std::vector<T>& member,
                const char* /*meaning*/, const Traits& = {}) {
    for (T& each : member) {
      Write inner(*reflection_.AddMessage(&to_, field_of(to_, name)));
      fields(inner, each);
    }
  }

 private:
  void add_number(const FieldDescriptor* field, float number) {
    reflection_.AddFloat(&to_, field, number);
  }
  void add_number(const FieldDescriptor* field, double number) {
    reflection_.AddDouble(&to_, field, number);
  }

  Message& to_;
  const google::protobuf::Reflection& reflection_;
};

}  // namespace

Experiment read_experiment(const Message& from) {
  Experiment to;
  Read read(from, "");
  fields(read, to);
  return to;
}

std::unique_ptr<Message> write_experiment(Experiment from) {
  std::unique_ptr<Message> to = empty_message();
  Write write(*to);
  fields(write, from);
  return to;
}

}  // namespace lockstep
