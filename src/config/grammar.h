// The grammar of an experiment file as protobuf's text format knows it, made at the start
// from the bindings of fields.h: every field is optional.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>

#include "lockstep/config/experiment.h"

namespace lockstep {

// An experiment as it is read and written; its sections and fields by reflection.
using Message = google::protobuf::Message;

const google::protobuf::Descriptor& experiment_grammar();

// One in which no field is present.
std::unique_ptr<Message> empty_message();

// The fields present are set, the others keep their defaults. Error (2) for a number out of
// its range, a text that is not UTF-8 and a layer of no kind.
Experiment read_experiment(const Message& from);

// Every field set.
std::unique_ptr<Message> write_experiment(Experiment from);

}  // namespace lockstep
