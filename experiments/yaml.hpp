// YAML as experiment files may use it: a checked tree over yaml-cpp in which every node knows where it stands.
//
// yaml-cpp keeps the first of two equal keys, ignores `<<`, and accepts tags; here these are errors, and so are several
// documents, keys that are not text, invalid UTF-8 and anything beyond the limits below. Anchors and aliases work; an
// alias counts as many nodes as it stands for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace wcodec::yaml {

inline constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxDepth = 32;
inline constexpr std::size_t kMaxNodes = 20'000;

struct Source {
  std::string name;  // as error messages show it: a file name or "--set axes.tile"
  std::string text;
};

// Lines and columns count from 1, columns in bytes.
struct Mark {
  std::shared_ptr<const Source> source;
  int line = 0, column = 0;
};

enum class Kind : u8 { null, scalar, list, map };

struct Node;
using NodePtr = std::shared_ptr<const Node>;

struct Node {
  struct Entry {
    std::string key;
    Mark mark;  // of the key
    NodePtr value;
  };
  Kind kind = Kind::null;
  Mark mark;
  std::string text;     // of a scalar
  bool quoted = false;  // a quoted scalar is text, whatever it looks like
  std::vector<NodePtr> items;
  std::vector<Entry> entries;  // in the order of the file

  const Entry* find(sv key) const noexcept;
};

// The one document in `text`. Throws Error{config} of the form "NAME:LINE:COLUMN: what" with the line and a caret
// below.
NodePtr parse(const std::string& name, std::string text);

// `over` laid upon `base`: maps are merged key by key, anything else is replaced.
NodePtr overlay(const NodePtr& base, const NodePtr& over);

// `root` with the value at a path of keys ("axes.tile") replaced; maps on the way are made as needed.
// Throws Error{usage} when the path leads through something that is not a map.
NodePtr replaced(const NodePtr& root, sv path, const NodePtr& value);

// Throws Error{config} pointing at `mark`.
[[noreturn]] void fail(const Mark& mark, const std::string& what);

}  // namespace wcodec::yaml
