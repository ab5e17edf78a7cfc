#include "experiments/yaml_field.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/spec.hpp"

namespace wcodec::yaml {
namespace {

std::string lower(sv text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool any_of(sv text, std::initializer_list<sv> words) noexcept {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_true_word(sv word) noexcept { return any_of(word, {"true", "yes", "y", "on"}); }
bool is_false_word(sv word) noexcept { return any_of(word, {"false", "no", "n", "off"}); }

// The whole of `text` as a decimal number, however loosely spelled.
std::optional<double> as_number(sv text) noexcept {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool digits = text.find_first_of("0123456789") != sv::npos;  // from_chars also reads "nan" and "inf"
  if (error != std::errc{} || end != text.data() + text.size() || !digits) return std::nullopt;
  return value;
}

// 0x10, 0o17, 1_000, .inf, .nan and the like, which some YAML readers take for numbers.
bool is_exotic_number(sv text) {
  const std::string word = lower(text);
  sv rest = word;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
  if (any_of(rest, {"nan", ".nan", "inf", ".inf", "infinity"})) return true;
  if (rest.empty() || rest[0] < '0' || rest[0] > '9') return false;
  if (rest.starts_with("0x")) return rest.find_first_not_of("0123456789abcdef", 2) == sv::npos;
  if (rest.starts_with("0o") || rest.starts_with("0b")) return rest.find_first_not_of("01234567", 2) == sv::npos;
  return rest.find_first_not_of("0123456789_,:") == sv::npos;
}

bool has_leading_zero(sv text) noexcept {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

bool only_digits(sv text) noexcept {
  if (!text.empty() && text[0] == '-') text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == sv::npos;
}

sv describe(Kind kind) noexcept {
  constexpr sv kNames[] = {"nothing", "a single value", "a list", "a map"};
  return kNames[static_cast<u8>(kind)];
}

}  // namespace

void Field::fail(const std::string& what) const {
  yaml::fail(node_->mark, path_.empty() ? what : fmt::format("key '{}': {}", printable(path_), what));
}

void Field::require_kind(Kind kind, sv wanted) const {
  if (node_->kind != kind) fail(fmt::format("must be {}, not {}", wanted, describe(node_->kind)));
}

const std::string& Field::plain_scalar(sv wanted) const {
  require_kind(Kind::scalar, wanted);
  if (node_->quoted) fail(fmt::format("must be {}, not text: write it without quotes", wanted));
  return node_->text;
}

std::string Field::text() const {
  require_kind(Kind::scalar, "text");
  const std::string& value = node_->text;
  if (value.empty()) fail("must not be empty");
  if (!node_->quoted) {
    const std::string word = lower(value);
    if (is_true_word(word) || is_false_word(word)) {
      fail(fmt::format("must be text, and '{0}' is true or false to some readers: write \"{0}\" in quotes", value));
    }
    if (as_number(value) || is_exotic_number(value)) {
      fail(fmt::format("must be text, and '{0}' is a number to some readers: write \"{0}\" in quotes", value));
    }
  }
  return value;
}

i64 Field::integer(i64 low, i64 high) const {
  const std::string wanted = fmt::format("a whole number from {} to {}", low, high);
  const std::string& value = plain_scalar(wanted);
  const std::string refusal = fmt::format("'{}' must be {}", printable(value), wanted);
  if (only_digits(value) && !has_leading_zero(value)) {
    i64 number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || number < low || number > high) fail(refusal);
    return number;
  }
  if (has_leading_zero(value)) fail(refusal + " without leading zeros, which some readers take as octal");
  const auto number = as_number(value);
  if (number && *number == std::floor(*number) && *number >= static_cast<double>(low) &&
      *number <= static_cast<double>(high) && std::abs(*number) < 0x1p53) {
    fail(fmt::format("{}: write {}", refusal, static_cast<i64>(*number)));
  }
  fail(refusal);
}

double Field::real(double low, double high) const {
  const std::string wanted = fmt::format("a number from {} to {}", low, high);
  const std::string& value = plain_scalar(wanted);
  const std::string refusal = fmt::format("'{}' must be {}", printable(value), wanted);
  const auto number = as_number(value);
  if (has_leading_zero(value)) fail(refusal + " without leading zeros, which some readers take as octal");
  if (!number || value[0] == '+' || !(*number >= low && *number <= high)) fail(refusal);
  return *number;
}

bool Field::flag() const {
  const std::string& value = plain_scalar("true or false");
  if (value == "true") return true;
  if (value == "false") return false;
  const std::string word = lower(value);
  const sv hint = is_true_word(word) ? ": write true" : is_false_word(word) ? ": write false" : "";
  fail(fmt::format("'{}' must be true or false{}", printable(value), hint));
}

std::string Field::choice(std::span<const sv> allowed) const {
  require_kind(Kind::scalar, fmt::format("one of {}", fmt::join(allowed, ", ")));
  if (std::find(allowed.begin(), allowed.end(), node_->text) == allowed.end()) {
    fail(unknown_name("value", node_->text, allowed));
  }
  return node_->text;
}

std::vector<Field> Field::list() const {
  require_kind(Kind::list, "a list");
  std::vector<Field> fields;
  for (std::size_t i = 0; i < node_->items.size(); ++i) {
    fields.emplace_back(node_->items[i], fmt::format("{}[{}]", path_, i));
  }
  return fields;
}

std::vector<Field> Field::list_or_one() const {
  if (node_->kind == Kind::list) return list();
  return {*this};
}

std::vector<Field> Field::nonempty() const {
  std::vector<Field> fields = list_or_one();
  if (fields.empty()) fail("the list is empty");
  return fields;
}

void Field::check_keys(std::span<const sv> known) const {
  require_kind(Kind::map, "a map");
  for (const Node::Entry& entry : node_->entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string where = path_.empty() ? std::string() : fmt::format("key '{}': ", printable(path_));
    yaml::fail(entry.mark, where + unknown_name("key", entry.key, known));
  }
}

std::optional<Field> Field::find(sv key) const {
  const Node::Entry* entry = node_->find(key);
  if (entry == nullptr) return std::nullopt;
  const Field field(entry->value, path_.empty() ? entry->key : path_ + "." + entry->key);
  if (entry->value->kind == Kind::null) {
    yaml::fail(entry->mark,
               fmt::format("key '{}': has no value; give one or leave the key out", printable(field.path_)));
  }
  return field;
}

Field Field::require(sv key) const {
  if (auto field = find(key)) return *field;
  fail(fmt::format("the key '{}' is missing", key));
}

std::vector<std::pair<std::string, Field>> Field::entries() const {
  require_kind(Kind::map, "a map");
  if (node_->entries.empty()) fail("the map is empty");
  std::vector<std::pair<std::string, Field>> fields;
  for (const Node::Entry& entry : node_->entries) fields.emplace_back(entry.key, *find(entry.key));
  return fields;
}

}  // namespace wcodec::yaml
