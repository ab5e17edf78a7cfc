// Any command that reads standard input and writes standard output:
//   external:compress=gzip -9 -c,decompress=gzip -dc
// Values are split at spaces into words and run without a shell, so there is no quoting, and a comma cannot be part of
// one; a script covers what needs either. Times include starting the process. The command's text is all the identity it
// has: who replaces the program behind it must run the cells again.
#include "baselines/process.hpp"
#include "baselines/registry.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

struct Commands {
  std::vector<std::string> compress, decompress;
  std::chrono::milliseconds timeout;
};

std::vector<std::string> words(const OptionReader& reader, sv key) {
  const std::string text = reader.text(key);
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != sv::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end;
  }
  if (found.empty()) {
    throw Error(ErrorKind::usage, "'external' needs " + std::string(key) +
                                      "=COMMAND, as in external:compress=gzip -9 -c,decompress=gzip -dc");
  }
  return found;
}

BaselineOptions prepare(const Baseline&, const OptionReader& reader) {
  const double seconds = reader.real("timeout", 0.001, 1e6);
  return {0,
          std::make_shared<Commands>(Commands{words(reader, "compress"), words(reader, "decompress"),
                                              std::chrono::milliseconds(static_cast<i64>(seconds * 1000))}),
          {}};
}

// A command's worst case is unknown: room for one that doubles its input, which covers every text encoding.
std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return 2 * size + (1 << 16); }

const Commands& commands(const BaselineOptions& options) noexcept {
  return *static_cast<const Commands*>(options.state.get());
}

std::optional<std::size_t> run(const std::vector<std::string>& command, Bytes in, MutBytes out,
                               std::chrono::milliseconds timeout, Failure& why) noexcept {
  try {
    return run_filter(command, in, out, timeout);
  } catch (const std::exception& error) {
    why.set(error.what());
    return std::nullopt;
  }
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  return run(commands(options).compress, in, out, commands(options).timeout, why);
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  const auto size = run(commands(options).decompress, in, out, commands(options).timeout, why);
  if (size && *size != out.size()) why.set("the command wrote fewer bytes than expected");
  return size == out.size();
}

std::string version(const Baseline&) { return "external"; }

constexpr OptionInfo kOptions[] = {
    {"compress", "", "COMMAND", "reads raw bytes, writes compressed ones; required"},
    {"decompress", "", "COMMAND", "the inverse; required"},
    {"timeout", "600", "SECONDS", "after which a call is killed and fails"},
};

}  // namespace

constinit const Baseline baselines::external = {
    .name = "external",
    .help = "any command that reads standard input and writes standard output",
    .options = kOptions,
    .prepare = prepare,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
    .version = version};

}  // namespace wcodec
