#include <fmt/format.h>

#include "core/error.hpp"
#include "experiments/yaml.hpp"

namespace wcodec::yaml {

NodePtr overlay(const NodePtr& base, const NodePtr& over) {
  if (base->kind != Kind::map || over->kind != Kind::map) return over;
  auto merged = std::make_shared<Node>(*over);
  for (const Node::Entry& entry : base->entries) {
    const Node::Entry* mine = over->find(entry.key);
    if (mine == nullptr) {
      merged->entries.push_back(entry);
    } else {
      for (Node::Entry& target : merged->entries) {
        if (target.key == entry.key) target.value = overlay(entry.value, mine->value);
      }
    }
  }
  return merged;
}

NodePtr replaced(const NodePtr& root, sv path, const NodePtr& value) {
  const auto dot = path.find('.');
  const std::string key(path.substr(0, dot));
  if (key.empty()) throw Error(ErrorKind::usage, "an override is KEY=VALUE or KEY.KEY=VALUE, and no key may be empty");
  if (root->kind != Kind::map) {
    throw Error(
        ErrorKind::usage,
        fmt::format("override of '{}': what holds this key is not a map; replace it as a whole", printable(path)));
  }
  auto result = std::make_shared<Node>(*root);
  const Node::Entry* old = root->find(key);
  NodePtr inner = value;
  if (dot != sv::npos) {
    auto empty = std::make_shared<Node>();
    empty->kind = Kind::map;
    empty->mark = value->mark;
    inner =
        replaced(old != nullptr && old->value->kind != Kind::null ? old->value : empty, path.substr(dot + 1), value);
  }
  if (old == nullptr) {
    result->entries.push_back({key, value->mark, inner});
  } else {
    result->entries[static_cast<std::size_t>(old - root->entries.data())].value = inner;
  }
  return result;
}

}  // namespace wcodec::yaml
