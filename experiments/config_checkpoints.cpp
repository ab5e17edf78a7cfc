#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "experiments/config_reader.hpp"

namespace wcodec {

std::string read_name(const yaml::Field& field) {
  constexpr std::size_t kMaxBytes = 64;
  const std::string name = field.text();
  const auto is_alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool good =
      std::all_of(name.begin(), name.end(), [&](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
  if (!good || !is_alnum(name[0]) || name.size() > kMaxBytes) {
    field.fail(
        fmt::format("'{}' must be a name: letters, digits, '.', '_' and '-', at most {}, beginning with a letter "
                    "or digit",
                    printable(name), kMaxBytes));
  }
  return name;
}

std::map<std::string, std::string> read_views(const yaml::Field& field) {
  std::map<std::string, std::string> views;
  for (const auto& [glob, value] : field.entries()) {
    views[glob] = read_spec(value, [](sv text) { return to_string(parse_spec(text)); });
  }
  return views;
}

std::vector<CheckpointConfig> read_checkpoints(const yaml::Field& field,
                                               const std::map<std::string, std::string>& views,
                                               const PathResolver& paths) {
  static constexpr sv kKeys[] = {"name", "path", "family", "optional", "required_in_ci", "views"};
  std::vector<CheckpointConfig> checkpoints;
  for (const yaml::Field& item : field.nonempty()) {
    item.check_keys(kKeys);
    CheckpointConfig checkpoint;
    const yaml::Field name = item.require("name");
    checkpoint.name = read_name(name);
    if (checkpoint.name == "all") name.fail("'all' is what tables call all checkpoints together: choose another name");
    for (const CheckpointConfig& other : checkpoints) {
      if (other.name == checkpoint.name) name.fail(fmt::format("a second checkpoint called '{}'", checkpoint.name));
    }
    const yaml::Field path = item.require("path");
    checkpoint.path = path.text();
    checkpoint.address = paths.resolve(path);
    const auto family = item.find("family");
    checkpoint.family = family ? read_name(*family) : checkpoint.name;
    if (const auto optional = item.find("optional")) checkpoint.optional = optional->flag();
    if (const auto required = item.find("required_in_ci")) {
      checkpoint.required_in_ci = required->flag();
      if (checkpoint.required_in_ci && !checkpoint.optional) required->fail("says nothing without 'optional: true'");
    }
    if (const auto own = item.find("views")) checkpoint.views = read_views(*own);
    checkpoint.views.insert(views.begin(), views.end());  // its own stay where both have the glob
    checkpoints.push_back(std::move(checkpoint));
  }
  return checkpoints;
}

}  // namespace wcodec
