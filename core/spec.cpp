#include "core/spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace wcodec {
namespace {

// Levenshtein distance; the strings are option and stage names, so quadratic time is nothing.
std::size_t edit_distance(sv a, sv b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

const OptionInfo* find(std::span<const OptionInfo> known, sv key) {
  const auto it = std::find_if(known.begin(), known.end(), [&](const OptionInfo& o) { return o.key == key; });
  return it == known.end() ? nullptr : &*it;
}

}  // namespace

Spec parse_spec(sv text) {
  Spec spec;
  const auto colon = text.find(':');
  spec.name = std::string(text.substr(0, colon));
  if (spec.name.empty()) throw Error(ErrorKind::usage, fmt::format("spec '{}' has no name", printable(text)));
  if (colon == sv::npos) return spec;
  sv rest = text.substr(colon + 1);
  while (true) {
    const auto comma = rest.find(',');
    const sv item = rest.substr(0, comma);
    const auto equals = item.find('=');
    if (equals == sv::npos || equals == 0 || equals + 1 == item.size()) {
      throw Error(ErrorKind::usage,
                  fmt::format("spec '{}': '{}' is not of the form key=value", printable(text), printable(item)));
    }
    if (!spec.options.emplace(item.substr(0, equals), item.substr(equals + 1)).second) {
      throw Error(ErrorKind::usage,
                  fmt::format("spec '{}' gives '{}' twice", printable(text), printable(item.substr(0, equals))));
    }
    if (comma == sv::npos) return spec;
    rest = rest.substr(comma + 1);
  }
}

std::string to_string(const Spec& spec) {
  std::string out = spec.name;
  char separator = ':';
  for (const auto& [key, value] : spec.options) {
    out += separator;
    out += key + "=" + value;
    separator = ',';
  }
  return out;
}

OptionReader::OptionReader(const Spec& spec, std::span<const OptionInfo> known) : spec_(spec), known_(known) {
  for (const auto& [key, value] : spec.options) {
    if (find(known, key) == nullptr) {
      std::vector<sv> keys;
      for (const auto& option : known) keys.push_back(option.key);
      throw Error(ErrorKind::usage, fmt::format("'{}': {}", spec.name, unknown_name("option", key, keys)));
    }
  }
}

std::string OptionReader::text(sv key) const {
  if (const auto it = spec_.options.find(std::string(key)); it != spec_.options.end()) return it->second;
  const OptionInfo* option = find(known_, key);
  if (option == nullptr) throw Error(ErrorKind::internal, fmt::format("'{}' has no option '{}'", spec_.name, key));
  return std::string(option->default_value);
}

i64 OptionReader::integer(sv key, i64 low, i64 high) const {
  const std::string value = text(key);
  i64 number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < low || number > high) {
    throw Error(ErrorKind::usage, fmt::format("'{}': {}={} must be a whole number from {} to {}", spec_.name, key,
                                              printable(value), low, high));
  }
  return number;
}

double OptionReader::real(sv key, double low, double high) const {
  const std::string value = text(key);
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || !(number >= low && number <= high)) {
    throw Error(ErrorKind::usage, fmt::format("'{}': {}={} must be a number from {} to {}", spec_.name, key,
                                              printable(value), low, high));
  }
  return number;
}

bool OptionReader::flag(sv key) const {
  static constexpr sv kAllowed[] = {"true", "false"};
  return choice(key, kAllowed) == "true";
}

std::string OptionReader::choice(sv key, std::span<const sv> allowed) const {
  const std::string value = text(key);
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    throw Error(ErrorKind::usage, fmt::format("'{}': {}: {}", spec_.name, key, unknown_name("value", value, allowed)));
  }
  return value;
}

std::string canonical(const Spec& spec, std::span<const OptionInfo> known) {
  Spec reduced{spec.name, {}};
  for (const auto& [key, value] : spec.options) {
    const OptionInfo* option = find(known, key);
    if (option == nullptr || option->default_value != value) reduced.options.emplace(key, value);
  }
  return to_string(reduced);
}

std::string unknown_name(sv what, sv name, std::span<const sv> known) {
  sv nearest;
  std::size_t best = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const sv candidate : known) {
    if (const auto distance = edit_distance(name, candidate); distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  const std::string hint = nearest.empty() ? std::string() : fmt::format("; did you mean '{}'?", nearest);
  return fmt::format("unknown {} '{}'{} (known: {})", what, printable(name), hint, fmt::join(known, ", "));
}

bool glob_match(sv pattern, sv text) noexcept {
  // Iterative with one backtrack point: linear in practice, no exponential blow-up on hostile patterns.
  std::size_t p = 0, t = 0, star = sv::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != sv::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace wcodec
