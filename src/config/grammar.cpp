#include "config/grammar.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "config/fields.h"
#include "config/words.h"
#include "lockstep/core/error.h"

namespace lockstep {

namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::DescriptorProto;
using google::protobuf::DynamicMessageFactory;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;

constexpr int kAfterAll = 1000;  // numbers from here: fields are written in their order

template <class T>
constexpr FieldDescriptorProto::Type type_of() {
  if constexpr (std::is_same_v<T, int>) return FieldDescriptorProto::TYPE_INT32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return FieldDescriptorProto::TYPE_UINT64;
  if constexpr (std::is_same_v<T, float>) return FieldDescriptorProto::TYPE_FLOAT;
  if constexpr (std::is_same_v<T, double>) return FieldDescriptorProto::TYPE_DOUBLE;
  if constexpr (std::is_same_v<T, bool>) return FieldDescriptorProto::TYPE_BOOL;
  if constexpr (std::is_enum_v<T>) return FieldDescriptorProto::TYPE_ENUM;
  return FieldDescriptorProto::TYPE_STRING;
}

// The visitor that describes a section.
class Describe {
 public:
  Describe(FileDescriptorProto& file, DescriptorProto& section) : file_(file), section_(section) {}

  template <class T>
  void operator()(const char* name, T& /*member*/, const char* /*meaning*/,
                  const Traits& traits = {}) {
    FieldDescriptorProto& field = add(name, type_of<Element<T>>());
    if (traits.written_last) field.set_number(kAfterAll + field.number());
    if constexpr (kIsList<T>) field.set_label(FieldDescriptorProto::LABEL_REPEATED);
    if constexpr (std::is_enum_v<T>) {
      // In a message of its own, so that two enums can have the same words.
      DescriptorProto& holder = *section_.add_nested_type();
      holder.set_name(std::string(name) + "_words");
      auto& words = *holder.add_enum_type();
      words.set_name("Word");
      for (const std::string& word : words_of<T>()) {
        auto& value = *words.add_value();
        value.set_name(word);
        value.set_number(words.value_size() - 1);
      }
      field.set_type_name(holder.name() + ".Word");
    }
  }

  template <class Body>
  void section(const char* name, const char* type, const Body& body) {
    add(name, FieldDescriptorProto::TYPE_MESSAGE).set_type_name(type);
    for (const DescriptorProto& known : file_.message_type()) {
      if (known.name() == type) return;
    }
    DescriptorProto& message = *file_.add_message_type();
    message.set_name(type);
    Describe inner(file_, message);
    body(inner);
  }

  template <class T>
  void optional(const char* name, const char* type, std::optional<T>& /*member*/,
                const char* /*meaning*/) {
    T options;
    lockstep::section(*this, name, type, options);
  }

  template <class... T>
  void kinds(std::variant<T...>& /*member*/) {
    (kind<T>(), ...);
    section_.add_oneof_decl()->set_name("kind");
  }

  template <class... T>
  void choice(const char* name, const char* type, std::variant<T...>& member) {
    section(name, type, [&member](Describe& inner) { inner.kinds(member); });
  }

  template <class... T>
  void list(const char* name, const char* type, std::vector<std::variant<T...>>& /*member*/,
            const char* /*meaning*/, const Traits& = {}) {
    std::variant<T...> element;
    choice(name, type, element);
    section_.mutable_field()->rbegin()->set_label(FieldDescriptorProto::LABEL_REPEATED);
  }

  template <class T>
  void sections(const char* name, const char* type, std::vector<T>& /*member*/,
                const char* /*meaning*/, const Traits& = {}) {
    T element;
    lockstep::section(*this, name, type, element);
    section_.mutable_field()->rbegin()->set_label(FieldDescriptorProto::LABEL_REPEATED);
  }

 private:
  FieldDescriptorProto& add(const char* name, FieldDescriptorProto::Type type) {
    FieldDescriptorProto& field = *section_.add_field();
    field.set_name(name);
    field.set_number(section_.field_size());
    field.set_type(type);
    field.set_label(FieldDescriptorProto::LABEL_OPTIONAL);
    return field;
  }

  template <class T>
  void kind() {
    T options;
    lockstep::section(*this, kChoice<T>.name, kChoice<T>.type, options);
    section_.mutable_field()->rbegin()->set_oneof_index(0);
  }

  FileDescriptorProto& file_;
  DescriptorProto& section_;
};

class Grammar {
 public:
  Grammar() {
    FileDescriptorProto file;
    file.set_name("experiment");
    DescriptorProto& message = *file.add_message_type();
    message.set_name("Experiment");
    Describe describe(file, message);
    Experiment experiment;
    fields(describe, experiment);
    const auto* built = pool_.BuildFile(file);
    if (built == nullptr) fail_internal("the settings make no grammar");
    type_ = built->FindMessageTypeByName("Experiment");
  }

  const google::protobuf::Descriptor& type() const { return *type_; }
  const Message& prototype() { return *messages_.GetPrototype(type_); }

 private:
  DescriptorPool pool_;
  DynamicMessageFactory messages_{&pool_};
  const google::protobuf::Descriptor* type_;
};

Grammar& grammar() {
  static Grammar only;
  return only;
}

}  // namespace

const google::protobuf::Descriptor& experiment_grammar() { return grammar().type(); }

std::unique_ptr<Message> empty_message() {
  return std::unique_ptr<Message>(grammar().prototype().New());
}

}  // namespace lockstep
