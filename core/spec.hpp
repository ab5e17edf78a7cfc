// Spec strings `name:key=value,key=value`: the one way to name a stage with its options, in YAML, on the command line,
// in result columns and in cell hashes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec {

struct Spec {
  std::string name;
  std::map<std::string, std::string> options;  // sorted, so that to_string is canonical
};

// Throws Error{usage} on an empty name, a repeated key, or text that is not of this form. A value may hold anything but
// a comma.
Spec parse_spec(sv text);
std::string to_string(const Spec& spec);

// Describes one option of a stage: checks it, gives its default, and explains it in `wcodec list`.
struct OptionInfo {
  sv key;
  sv default_value;  // canonical spelling; canonical specs name every option whose value differs from it
  sv allowed;        // "tensor|row|column|group=N", "1…9", for help and errors
  sv help;
};

// Reads typed options out of a spec and reports what is unknown or out of range, naming the spec.
class OptionReader {
 public:
  OptionReader(const Spec& spec, std::span<const OptionInfo> known);  // throws Error{usage} on an unknown key
  std::string text(sv key) const;                                     // value or default
  i64 integer(sv key, i64 low, i64 high) const;
  double real(sv key, double low, double high) const;
  bool flag(sv key) const;  // true|false
  std::string choice(sv key, std::span<const sv> allowed) const;

 private:
  const Spec& spec_;
  std::span<const OptionInfo> known_;
};

// The spec with options at their defaults left out.
std::string canonical(const Spec& spec, std::span<const OptionInfo> known);

// "unknown predictor 'lft'; did you mean 'left'? (known: none, left, …)"
std::string unknown_name(sv what, sv name, std::span<const sv> known);

// Shell-style glob with * and ?, matched against the whole text.
bool glob_match(sv pattern, sv text) noexcept;

}  // namespace wcodec
