// memcpy: ratio 1, and the speed that no other row can pass.
#include "baselines/registry.hpp"

namespace wcodec {
namespace {

BaselineOptions prepare(const Baseline&, const OptionReader&) { return {}; }

std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return size; }

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions&, Failure& why) noexcept {
  if (out.size() < in.size()) {
    why.set("the output is smaller than the input");
    return std::nullopt;
  }
  std::memcpy(out.data(), in.data(), in.size());
  return in.size();
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  if (in.size() != out.size()) {
    why.set("the copy has another size than the original");
    return false;
  }
  return compress(in, out, options, why).has_value();
}

std::string version(const Baseline&) { return "memcpy"; }

}  // namespace

constinit const Baseline baselines::copy = {.name = "memcpy",
                                            .help = "copies the bytes: the ceiling of every speed",
                                            .options = {},
                                            .prepare = prepare,
                                            .bound = bound,
                                            .compress = compress,
                                            .decompress = decompress,
                                            .version = version};

}  // namespace wcodec
