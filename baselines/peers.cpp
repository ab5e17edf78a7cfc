// Compressors that others wrote for numbers or weights, from their Python packages, each in a worker process
// (python/wcodec_peers has the other half). They get typed arrays where they take them. A stream is what the package
// writes; python/wcodec_peers says for each what is in it beside that. Sizes and element types are known to the caller,
// as they are to every row. Speeds are those of the worker's clock around the package's own call, on one core.
#include <fmt/format.h>

#include "baselines/peer_packages.hpp"
#include "baselines/registry.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

struct PeerSpec {
  std::string name, options;  // "level=8,kind=auto", as the worker reads them
  std::chrono::milliseconds timeout;
};

constexpr OptionInfo kTimeout = {"timeout", "600", "SECONDS", "after which a call is killed and fails"};

BaselineOptions prepare(const Baseline& row, const OptionReader& reader, int level = 0) {
  std::string options;
  for (const OptionInfo& option : row.options) {
    if (option.key == kTimeout.key) continue;
    const std::string value = option.key == "level" ? std::to_string(level) : reader.text(option.key);
    options += fmt::format("{}{}={}", options.empty() ? "" : ",", option.key, value);
  }
  const double seconds = reader.real("timeout", 0.001, 1e6);
  return {level,
          std::make_shared<const PeerSpec>(
              PeerSpec{std::string(row.name), options, std::chrono::milliseconds(static_cast<i64>(seconds * 1000))}),
          {}};
}

BaselineOptions prepare_plain(const Baseline& row, const OptionReader& reader) { return prepare(row, reader); }

template <int Low, int High>
BaselineOptions prepare_leveled(const Baseline& row, const OptionReader& reader) {
  return prepare(row, reader, static_cast<int>(reader.integer("level", Low, High)));
}

BaselineOptions prepare_openzl(const Baseline& row, const OptionReader& reader) {
  static constexpr sv kGraphs[] = {"typed", "generic"};
  reader.choice("graph", kGraphs);
  return prepare_leveled<1, 9>(row, reader);
}

BaselineOptions prepare_zipnn(const Baseline& row, const OptionReader& reader) {
  static constexpr sv kMethods[] = {"auto", "huffman", "zstd"};
  reader.choice("method", kMethods);
  return prepare(row, reader);
}

BaselineOptions prepare_z4ai(const Baseline& row, const OptionReader& reader) {
  static constexpr sv kSearches[] = {"true", "false"};
  reader.choice("search", kSearches);
  return prepare(row, reader);
}

BaselineOptions prepare_constriction(const Baseline& row, const OptionReader& reader) {
  static constexpr sv kCoders[] = {"ans", "range"};
  reader.choice("coder", kCoders);
  return prepare(row, reader);
}

// No peer promises a worst case: room for one that doubles its input, and for its headers.
std::size_t bound(std::size_t size, const BaselineOptions&) noexcept { return 2 * size + (1 << 16); }

thread_local double last_seconds = 0;

double own_seconds() noexcept { return last_seconds; }

// The request's head: what to do, on elements of which type, in how many rows and columns, with which options.
std::string head(sv verb, std::size_t size, const BaselineOptions& options) {
  const auto& spec = *static_cast<const PeerSpec*>(options.state.get());
  const ArrayInfo& array = options.array;
  const DTypeInfo& dtype = info(array.dtype);
  const auto width = static_cast<u64>(dtype.memory_bytes);
  u64 rows = 1, cols = size / width;
  if (array.rows > 0 && array.cols > 0) {
    rows = static_cast<u64>(array.rows);
    cols = static_cast<u64>(array.cols);
  }
  if (u64 elements = 0;
      __builtin_mul_overflow(rows, cols, &elements) || elements != size / width || size % width != 0) {
    throw Error(ErrorKind::usage,
                fmt::format("{} bytes are not {} × {} elements of type {}", size, rows, cols, dtype.name));
  }
  return fmt::format("{} {} {} {} {}", verb, dtype.name, rows, cols, spec.options.empty() ? "-" : spec.options);
}

std::optional<std::size_t> call(sv verb, std::size_t raw, Bytes in, MutBytes out, const BaselineOptions& options,
                                Failure& why) noexcept {
  const auto& spec = *static_cast<const PeerSpec*>(options.state.get());
  last_seconds = 0;
  try {
    // Asked first, so that a package that is not there is not a worker that failed to start.
    if (const std::string absent = peer_package(spec.name).why_unavailable; !absent.empty())
      throw Error(ErrorKind::unsupported, absent);
    const PeerWorker::Answer answer = peer_worker(spec.name).call(head(verb, raw, options), in, out, spec.timeout);
    last_seconds = answer.seconds;
    return answer.size;
  } catch (const std::exception& error) {
    why.set(error.what());
    return std::nullopt;
  }
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  return call("compress", in.size(), in, out, options, why);
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  const auto size = call("decompress", out.size(), in, out, options, why);
  if (size && *size != out.size()) why.set("gave back fewer bytes than it was given");
  return size == out.size();
}

std::string version(const Baseline& row) { return peer_package(row.name).version; }

std::string why_not(const Baseline& row) { return peer_package(row.name).why_unavailable; }

constexpr Baseline peer(sv name, sv help, std::span<const OptionInfo> options,
                        BaselineOptions (*prepare_row)(const Baseline&, const OptionReader&)) {
  return {.name = name,
          .help = help,
          .options = options,
          .prepare = prepare_row,
          .bound = bound,
          .compress = compress,
          .decompress = decompress,
          .version = version,
          .takes_arrays = true,
          .why_unavailable = why_not,
          .own_seconds = own_seconds};
}

constexpr OptionInfo kPlain[] = {kTimeout};
constexpr OptionInfo kZipnn[] = {{"method", "auto", "auto|huffman|zstd", "how byte groups are coded"}, kTimeout};
constexpr OptionInfo kOpenzl[] = {
    {"level", "6", "1…9", "effort"},
    {"graph", "typed", "typed|generic", "float fields apart and entropy-coded, or OpenZL's generic graph"},
    kTimeout};
constexpr OptionInfo kPcodec[] = {{"level", "8", "0…12", "effort"}, kTimeout};
constexpr OptionInfo kZ4ai[] = {
    {"search", "true", "true|false", "try further layouts and keep the smallest: slow to encode"}, kTimeout};
constexpr OptionInfo kConstriction[] = {
    {"coder", "ans", "ans|range", "with an order-0 model of each byte plane, stored in front"}, kTimeout};

}  // namespace

constinit const Baseline baselines::zipnn =
    peer("zipnn", "ZipNN: byte groups of floating-point weights (pip install zipnn)", kZipnn, prepare_zipnn);
constinit const Baseline baselines::openzl =
    peer("openzl", "OpenZL: a graph of typed transforms (pip install openzl)", kOpenzl, prepare_openzl);
constinit const Baseline baselines::pcodec =
    peer("pcodec", "pcodec: bins of numbers (pip install pcodec)", kPcodec, prepare_leveled<0, 12>);
constinit const Baseline baselines::z4ai =
    peer("z4ai", "z4ai: bit fields of weights (pip install z4ai)", kZ4ai, prepare_z4ai);
constinit const Baseline baselines::nncodec =
    peer("nncodec", "NNCodec's DeepCABAC on quantized symbols, ISO/IEC 15938-17 (pip install nncodec)", kPlain,
         prepare_plain);
constinit const Baseline baselines::constriction =
    peer("constriction", "constriction: an entropy coder's library (pip install constriction)", kConstriction,
         prepare_constriction);
constinit const Baseline baselines::zfp =
    peer("zfp", "zfp in its reversible mode, 32- and 64-bit numbers (pip install zfpy)", kPlain, prepare_plain);
constinit const Baseline baselines::fpzip =
    peer("fpzip", "fpzip in its lossless mode, floating-point numbers (pip install fpzip)", kPlain, prepare_plain);

}  // namespace wcodec
