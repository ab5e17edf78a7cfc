// Typed reading of a YAML tree. YAML readers disagree on what `no`, `010`, `1e3` or `NaN` are, so a value is taken only
// where its spelling leaves no doubt; the error says what to write instead.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/yaml.hpp"

namespace wcodec::yaml {

// A node together with the keys that lead to it ("axes.tile[2]"). Every method that cannot give what is asked throws
// Error{config}: "FILE:LINE:COLUMN: key 'axes.tile[2]': what".
class Field {
 public:
  explicit Field(NodePtr node, std::string path = {}) : node_(std::move(node)), path_(std::move(path)) {}

  const Node& node() const noexcept { return *node_; }
  const std::string& path() const noexcept { return path_; }
  [[noreturn]] void fail(const std::string& what) const;

  std::string text() const;  // not empty
  i64 integer(i64 low, i64 high) const;
  double real(double low, double high) const;
  bool flag() const;
  std::string choice(std::span<const sv> allowed) const;

  std::vector<Field> list() const;         // may be empty
  std::vector<Field> list_or_one() const;  // a value that is not a list is a list of one
  std::vector<Field> nonempty() const;     // list_or_one, of at least one

  void check_keys(std::span<const sv> known) const;  // it is a map, and no key is outside `known`
  std::optional<Field> find(sv key) const;           // after check_keys; nothing when absent
  Field require(sv key) const;
  std::vector<std::pair<std::string, Field>> entries() const;  // of a map with free keys, at least one

 private:
  void require_kind(Kind kind, sv wanted) const;
  const std::string& plain_scalar(sv wanted) const;  // unquoted scalar

  NodePtr node_;
  std::string path_;
};

}  // namespace wcodec::yaml
