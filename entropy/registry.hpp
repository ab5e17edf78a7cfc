// THE list of entropy coders.
#pragma once

#include <span>
#include <string>

#include "entropy/entropy_coder.hpp"

namespace wcodec {

std::span<const EntropyCoder* const> entropy_coders() noexcept;

// A coder with its options, checked.
struct CoderChoice {
  const EntropyCoder* row;
  CoderOptions options;
  std::string spec;  // canonical: "rans:tables=tensor"
};
CoderChoice parse_coder(sv text);            // throws Error{usage} with the nearest name
const EntropyCoder& coder_from_wire(u8 id);  // throws Error{corrupt}

}  // namespace wcodec
