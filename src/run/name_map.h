// Names of other people's networks. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lockstep/checkpoint/options.h"

namespace lockstep {

// The name in a network of ours for a tensor of torchvision's one, but for the words for a norm's
// parts; nothing for other names. Ours is the one of configs/resnet18.textproto and its kind: the
// stem in layers 0 to 3, then a residual block a layer, and the dense layer `head`, as "13.dense".
std::optional<std::string> mapped_name(NameMap map, std::string_view name, std::string_view head);

}  // namespace lockstep
