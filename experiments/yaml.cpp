#include "experiments/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "core/error.hpp"

namespace wcodec::yaml {
namespace {

constexpr std::size_t kMaxKeyBytes = 256;
constexpr std::size_t kSnippetBytes = 100;

bool is_continuation(char byte) noexcept { return (static_cast<u8>(byte) & 0xc0) == 0x80; }

// The line of `mark` with a caret below its column; a long line is cut to a window around it.
std::string snippet(const Mark& mark) {
  std::size_t begin = 0;
  const sv text = mark.source->text;
  for (int line = 1; line < mark.line; ++line) {
    const auto newline = text.find('\n', begin);
    if (newline == sv::npos) return {};
    begin = newline + 1;
  }
  sv line = text.substr(begin, text.find('\n', begin) - begin);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::size_t caret = std::min(static_cast<std::size_t>(mark.column - 1), line.size());
  if (line.size() > kSnippetBytes) {
    std::size_t cut = caret > kSnippetBytes / 2 ? caret - kSnippetBytes / 2 : 0;
    while (cut < caret && is_continuation(line[cut])) ++cut;
    line = line.substr(cut, kSnippetBytes);
    caret -= cut;
  }
  std::string pad;
  for (const char byte : line.substr(0, caret)) {
    if (byte == '\t') {
      pad += '\t';
    } else if (static_cast<u8>(byte) < 0x20 || byte == 0x7f) {
      pad += "    ";  // shown as \xNN
    } else if (!is_continuation(byte)) {
      pad += ' ';
    }
  }
  std::string shown;
  for (const char byte : line) shown += byte == '\t' ? std::string(1, byte) : printable(sv(&byte, 1));
  return fmt::format("\n  {}\n  {}^", shown, pad);
}

// First byte that is not part of valid UTF-8 text without control characters, or npos. The parser below would replace
// or misread such bytes silently.
std::size_t first_bad_byte(sv text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    const u8 lead = static_cast<u8>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0) == 0xe0 ? 3 : 4;
    if (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') return i;
    if (lead == 0x7f || (lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + size > text.size()) return i;
    u32 code = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      if (!is_continuation(text[i + k])) return i;
      code = code << 6 | (static_cast<u8>(text[i + k]) & 0x3fu);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return i;
    i += size;
  }
  return sv::npos;
}

// First bracket that opens a level too many, or npos. A parser that looks ahead takes what stands in front of it for
// the beginning of a key and would complain of that. Quoted text and comments do not count; the parser's own nesting,
// which has the last word, is checked in Builder.
std::size_t first_deep_bracket(sv text) noexcept {
  std::size_t depth = 0;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char before = i == 0 ? '\n' : text[i - 1];
    const bool is_start = sv(" \t\n\r[{,:").find(before) != sv::npos;
    if (quote != 0) {
      if (c == '\\' && quote == '"') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      }
    } else if ((c == '"' || c == '\'') && is_start) {
      quote = c;
    } else if (c == '#' && is_start) {
      i = std::min(text.find('\n', i), text.size());
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return i;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return sv::npos;
}

Mark mark_of_byte(const std::shared_ptr<const Source>& source, std::size_t position) {
  const sv before = sv(source->text).substr(0, position);
  const auto newline = before.rfind('\n');
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  return {source, static_cast<int>(line), static_cast<int>(position - (newline == sv::npos ? 0 : newline + 1)) + 1};
}

// Builds the tree while the parser is still reading. The parser recurses once a level of nesting, and each level is
// announced here before it goes deeper, so refusing here also bounds its stack.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::shared_ptr<const Source> source) : source_(std::move(source)) {}
  NodePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& at) override {
    if (root_) yaml::fail(mark(at), "a second document begins here; an experiment is one document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& at, YAML::anchor_t anchor) override { leaf(at, anchor, Kind::null, {}, false); }
  void OnScalar(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(at, tag);
    if (!is_closed(at)) yaml::fail(mark(at), "the quote that opens here is never closed");
    leaf(at, anchor, Kind::scalar, value, tag == "!");
  }
  void OnAlias(const YAML::Mark& at, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) yaml::fail(mark(at), "this alias stands inside what it refers to");
    const Built built = it->second;
    count(at, built.nodes);
    if (open_.size() + built.height > kMaxDepth) too_deep(at);
    place(at, built);
  }
  void OnSequenceStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(at, tag, anchor, Kind::list);
  }
  void OnMapStart(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(at, tag, anchor, Kind::map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Built {
    NodePtr node;
    std::size_t nodes = 1, height = 1;  // aliases counted as what they stand for
  };
  struct Open {
    std::shared_ptr<Node> node;
    YAML::Mark at;
    YAML::anchor_t anchor;
    std::size_t nodes = 1, height = 1;
    std::set<std::string> keys = {};
    bool has_key = false;  // a map's key was read and its value comes next
  };

  Mark mark(const YAML::Mark& at) const { return {source_, at.line + 1, at.column + 1}; }
  [[noreturn]] void too_deep(const YAML::Mark& at) const {
    yaml::fail(mark(at), fmt::format("nested more than {} levels deep", kMaxDepth));
  }
  void refuse_tag(const YAML::Mark& at, const std::string& tag) const {
    if (tag.empty() || tag == "?" || tag == "!") return;
    yaml::fail(mark(at), fmt::format("tag '{}': tags are not allowed; write the plain value", printable(tag)));
  }
  // The parser takes the end of the file for a closing quote.
  bool is_closed(const YAML::Mark& at) const {
    const sv text = source_->text;
    const auto begin = static_cast<std::size_t>(at.pos);
    if (begin >= text.size() || (text[begin] != '"' && text[begin] != '\'')) return true;
    for (std::size_t i = begin + 1; i < text.size(); ++i) {
      const bool escapes = text[i] == (text[begin] == '"' ? '\\' : '\'') && i + 1 < text.size();
      if (escapes && (text[begin] == '"' || text[i + 1] == '\'')) {
        ++i;
      } else if (text[i] == text[begin]) {
        return true;
      }
    }
    return false;
  }
  void count(const YAML::Mark& at, std::size_t nodes) {
    if (nodes > kMaxNodes - total_) {
      yaml::fail(mark(at), fmt::format("more than {} values (an alias counts as what it stands for)", kMaxNodes));
    }
    total_ += nodes;
  }
  std::shared_ptr<Node> make(const YAML::Mark& at, Kind kind) {
    count(at, 1);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->mark = mark(at);
    return node;
  }
  void leaf(const YAML::Mark& at, YAML::anchor_t anchor, Kind kind, const std::string& text, bool quoted) {
    auto node = make(at, kind);
    node->text = text;
    node->quoted = quoted;
    finish(at, anchor, {node});
  }
  void open(const YAML::Mark& at, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    refuse_tag(at, tag);
    if (open_.size() >= kMaxDepth) too_deep(at);
    if (wants_key()) yaml::fail(mark(at), "a key must be text");
    open_.push_back({make(at, kind), at, anchor});
  }
  void close() {
    const Open done = std::move(open_.back());
    open_.pop_back();
    finish(done.at, done.anchor, {done.node, done.nodes, done.height});
  }
  void finish(const YAML::Mark& at, YAML::anchor_t anchor, const Built& built) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = built;
    place(at, built);
  }
  bool wants_key() const { return !open_.empty() && open_.back().node->kind == Kind::map && !open_.back().has_key; }

  void place(const YAML::Mark& at, const Built& built) {
    if (open_.empty()) {
      root_ = built.node;
      return;
    }
    Open& parent = open_.back();
    if (wants_key()) {
      place_key(parent, at, *built.node);
      return;
    }
    if (parent.node->kind == Kind::map) {
      parent.node->entries.back().value = built.node;
      parent.has_key = false;
    } else {
      parent.node->items.push_back(built.node);
    }
    parent.nodes += built.nodes;
    parent.height = std::max(parent.height, built.height + 1);
  }
  void place_key(Open& parent, const YAML::Mark& at, const Node& key) {
    if (key.kind != Kind::scalar || key.text.empty()) yaml::fail(mark(at), "a key must be text");
    if (key.text.size() > kMaxKeyBytes) yaml::fail(mark(at), fmt::format("key longer than {} bytes", kMaxKeyBytes));
    if (key.text == "<<" && !key.quoted) {
      yaml::fail(mark(at), "merge keys ('<<') are not supported; write the keys out, or use 'extends: FILE'");
    }
    if (!parent.keys.insert(key.text).second) {
      yaml::fail(mark(at), fmt::format("key '{}' is given twice, first in line {}", printable(key.text),
                                       parent.node->find(key.text)->mark.line));
    }
    parent.node->entries.push_back({key.text, mark(at), nullptr});
    parent.has_key = true;
    ++parent.nodes;
  }

  std::shared_ptr<const Source> source_;
  NodePtr root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Built> anchors_;
  std::size_t total_ = 0;
};

}  // namespace

const Node::Entry* Node::find(sv key) const noexcept {
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

void fail(const Mark& mark, const std::string& what) {
  throw Error(ErrorKind::config,
              fmt::format("{}:{}:{}: {}{}", mark.source->name, mark.line, mark.column, what, snippet(mark)));
}

NodePtr parse(const std::string& name, std::string text) {
  if (text.size() > kMaxBytes) {
    throw Error(ErrorKind::config,
                fmt::format("{}: larger than {} bytes, too large for an experiment", name, kMaxBytes));
  }
  const auto source = std::make_shared<const Source>(Source{name, std::move(text)});
  if (const auto bad = first_bad_byte(source->text); bad != sv::npos) {
    fail(mark_of_byte(source, bad),
         "neither text nor white space: control characters and invalid UTF-8 are not allowed");
  }
  if (const auto deep = first_deep_bracket(source->text); deep != sv::npos) {
    fail(mark_of_byte(source, deep), fmt::format("nested more than {} levels deep", kMaxDepth));
  }
  std::istringstream stream(source->text);
  Builder builder(source);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    fail({source, std::max(error.mark.line, 0) + 1, std::max(error.mark.column, 0) + 1},
         "not valid YAML: " + error.msg);
  }
  if (!builder.root()) fail({source, 1, 1}, "the file is empty");
  return builder.root();
}

}  // namespace wcodec::yaml
