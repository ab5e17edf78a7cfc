#include <fmt/format.h>

#include <cstdlib>

#include "core/error.hpp"
#include "experiments/config_reader.hpp"

namespace wcodec {
namespace {

constexpr const char* kCheckpointsVariable = "WCODEC_CHECKPOINTS";
constexpr const char* kCheckpointsDefault = "../shared/checkpoints";

std::filesystem::path project_root(const std::filesystem::path& folder) {
  const auto absolute = std::filesystem::absolute(folder / ".").lexically_normal().parent_path();
  for (auto at = absolute; at != at.root_path(); at = at.parent_path()) {
    if (at.filename() == "configs") return at.parent_path();
  }
  return absolute;
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool is_identifier(sv text) noexcept {
  const auto is_letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text) {
    if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

// Addresses that are no paths in the file system.
bool has_scheme(sv address) noexcept {
  return address.starts_with("pip:") || address.starts_with("hf:") || address.starts_with("synthetic:");
}

}  // namespace

PathResolver::PathResolver(const std::filesystem::path& folder, const LoadOptions& options)
    : root_(project_root(folder)), environment_(options.environment ? options.environment : process_environment) {}

std::optional<std::string> PathResolver::variable(const std::string& name) const {
  auto value = environment_(name);
  if (value && value->empty()) value.reset();
  return value;
}

std::string PathResolver::resolve(const yaml::Field& field) const {
  const std::string text = field.text();
  std::string expanded;
  bool from_environment = false;  // it begins with a variable that the environment sets
  std::size_t position = 0;
  while (position < text.size()) {
    const auto open = text.find("${", position);
    expanded += text.substr(position, open - position);
    if (open == std::string::npos) break;
    const auto close = text.find('}', open);
    if (close == std::string::npos) field.fail("'${' without a closing '}'");
    const std::string inside = text.substr(open + 2, close - open - 2);
    const auto dash = inside.find(":-");
    const std::string name = inside.substr(0, dash);
    if (!is_identifier(name)) {
      field.fail(fmt::format("'${{{}}}' is neither ${{VARIABLE}} nor ${{VARIABLE:-default}}", printable(inside)));
    }
    if (const auto value = variable(name)) {
      if (open == 0) from_environment = true;
      expanded += *value;
    } else if (dash != std::string::npos) {
      expanded += inside.substr(dash + 2);
    } else if (name == kCheckpointsVariable) {
      expanded += kCheckpointsDefault;
    } else {
      field.fail(fmt::format("the environment variable {0} is not set; set it or write ${{{0}:-default}}", name));
    }
    position = close + 1;
  }
  if (expanded.empty()) field.fail("must not be empty");
  if (has_scheme(expanded)) return expanded;
  const std::filesystem::path path(expanded);
  if (path.is_absolute()) return path.lexically_normal().string();
  return ((from_environment ? std::filesystem::current_path() : root_) / path).lexically_normal().string();
}

}  // namespace wcodec
