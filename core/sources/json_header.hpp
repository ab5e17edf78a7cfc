// The strict part that JSON headers of checkpoints share: an nlohmann SAX handler that refuses instead of building a
// tree. Time is linear and nesting costs nothing, because the first level too many stops the parser.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace wcodec {

inline constexpr u64 kMaxJsonBytes = 100'000'000;  // of the safetensors format; used for shard indexes too

// Derived classes see decoded keys, so two spellings of one key (through \u escapes) are equal. They throw Error; the
// parser itself reports only malformed JSON, through parse_error.
class JsonHandler {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  JsonHandler(std::string file, std::size_t max_depth) : file_(std::move(file)), max_depth_(max_depth) {}
  virtual ~JsonHandler() = default;

  // Parses `text`, which must be one JSON object. Throws Error{corrupt} naming the file and the offset.
  void parse(sv text);

  bool null() { return on_other("null"); }
  bool boolean(bool) { return on_other("a boolean"); }
  bool number_integer(number_integer_t) { return on_other("a negative number"); }
  bool number_unsigned(number_unsigned_t value) { return on_number(value); }
  bool number_float(number_float_t, const string_t&) {
    return on_other("a number that is not a whole one of at most 64 bits");
  }
  bool string(string_t& value) { return on_string(value); }
  bool binary(binary_t&) { return refuse("binary data"); }
  bool key(string_t& name) { return on_key(name); }
  bool start_object(std::size_t) { return enter(false); }
  bool end_object() { return leave(false); }
  bool start_array(std::size_t) { return enter(true); }
  bool end_array() { return leave(true); }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error);

 protected:
  virtual bool on_key(std::string& name) = 0;
  virtual bool on_string(std::string& value) = 0;
  virtual bool on_number(u64) { return refuse("a number"); }
  virtual bool on_other(const char* what) { return refuse(what); }
  virtual bool on_open(bool) { return true; }   // after the depth has grown; true for an array
  virtual bool on_close(bool) { return true; }  // before the depth shrinks
  // What is being read, for messages: "tensor 'x'".
  virtual std::string where() const = 0;

  std::size_t depth() const noexcept { return depth_; }
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] bool refuse(const char* what) const;

  std::string file_;

 private:
  bool enter(bool array);
  bool leave(bool array);

  std::size_t max_depth_;
  std::size_t depth_ = 0;
};

}  // namespace wcodec
