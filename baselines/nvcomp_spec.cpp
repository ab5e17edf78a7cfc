#include "baselines/nvcomp_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/error.hpp"

namespace wcodec {
namespace {

// nvcompType_t.
constexpr u32 kChar = 0, kInt = 4, kFloat8 = 9, kFloat16 = 10, kFloat32 = 11, kUnknownType = 0xff;

struct Algorithm {
  sv name, symbol;
  u64 largest_chunk;
  bool has_type, has_effort;
};
constexpr u64 k16MiB = u64{1} << 24;
constexpr Algorithm kAlgorithms[] = {{"ans", "ANS", k16MiB, true, false},
                                     {"bitcomp", "Bitcomp", k16MiB, true, false},
                                     {"cascaded", "Cascaded", k16MiB, false, false},
                                     {"deflate", "Deflate", 65536, false, true},
                                     {"gdeflate", "Gdeflate", 65536, false, true},
                                     {"lz4", "LZ4", k16MiB, false, false},
                                     {"snappy", "Snappy", k16MiB, false, false},
                                     {"zstd", "Zstd", k16MiB, false, false}};

u32 data_type(sv name) {
  if (name == "float16") return kFloat16;
  if (name == "fp8") return kFloat8;
  return name == "float32" ? kFloat32 : kChar;
}

void refuse(bool is_given, bool is_known, sv key, sv algorithm) {
  if (is_given && !is_known)
    throw Error(ErrorKind::usage, fmt::format("'nvcomp': algo={} has no option {}; leave it out", algorithm, key));
}

void set_ans(NvcompSpec& spec, u32 type, u8 sub, u8 states, bool is_tuned) {
  spec.compress.set<u32>(4, type);
  spec.compress.set<u8>(8, sub);
  spec.compress.set<u8>(9, states);
  spec.decompress.set<u32>(4, is_tuned ? type : kUnknownType);
  if (!is_tuned) return;
  spec.decompress.set<u8>(8, sub);
  spec.decompress.set<u8>(9, states);
  spec.decompress.set<u8>(10, 1);  // skip validation
}

void set_cascaded(NvcompSpec& spec) {
  constexpr u32 kAsymmetric = 1, kBitPacking = 1, kAllEncodings = 7, kMostStages = 7;
  spec.compress.set<u32>(0, kInt);
  spec.compress.set<u32>(4, kAsymmetric);
  spec.compress.set<u64>(8, kBitPacking);
  spec.compress.set<u64>(24, kAllEncodings);
  spec.compress.set<u8>(32, kMostStages);
  spec.decompress.set<u32>(8, kUnknownType);
}

}  // namespace

NvcompSpec read_nvcomp_spec(const OptionReader& reader) {
  std::vector<sv> names;
  for (const Algorithm& a : kAlgorithms) names.push_back(a.name);
  const std::string name = reader.choice("algo", names);
  const Algorithm& algorithm =
      *std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms), [&](const Algorithm& a) { return a.name == name; });
  static constexpr sv kTypes[] = {"char", "float16", "fp8", "float32"};
  const std::string type = reader.choice("type", kTypes);
  const bool is_ans = name == "ans";
  const i64 sub = reader.integer("sub", 0, 64), states = reader.integer("states", 0, 2),
            effort = reader.integer("effort", 0, 5), chunk = reader.integer("chunk", 4096, i64{1} << 24);
  const bool is_tuned = reader.flag("tuned");
  if (sub != 0 && (sub < 4 || (sub & (sub - 1)) != 0))
    throw Error(ErrorKind::usage, fmt::format("'nvcomp': sub={} is not 0, 4, 8, 16, 32 or 64", sub));
  if (chunk % 4096 != 0)
    throw Error(ErrorKind::usage, fmt::format("'nvcomp': chunk={} is not a multiple of 4096", chunk));
  if (static_cast<u64>(chunk) > algorithm.largest_chunk) {
    throw Error(ErrorKind::usage, fmt::format("'nvcomp': algo={} takes chunks of at most {} bytes, not {}", name,
                                              algorithm.largest_chunk, chunk));
  }
  refuse(type != "char", algorithm.has_type, "type", name);
  refuse(type == "fp8", is_ans, "type=fp8", name);
  refuse(type == "float32", is_ans || name == "bitcomp", "type=float32", name);
  refuse(type == "float16", is_ans || name == "bitcomp", "type=float16", name);
  refuse(effort != 1, algorithm.has_effort, "effort", name);
  refuse(sub != 0, is_ans, "sub", name);
  refuse(states != 0, is_ans, "states", name);
  refuse(!is_tuned, is_ans, "tuned", name);

  NvcompSpec spec;
  spec.algorithm = algorithm.symbol;
  spec.chunk = static_cast<u64>(chunk);
  if (is_ans) {
    set_ans(spec, data_type(type), static_cast<u8>(sub), static_cast<u8>(states), is_tuned);
  } else if (name == "bitcomp") {
    spec.compress.set<u32>(4, type == "char" ? 1 : data_type(type));
  } else if (name == "cascaded") {
    set_cascaded(spec);
  } else if (algorithm.has_effort) {
    spec.compress.set<u32>(0, static_cast<u32>(effort));
  }
  return spec;
}

}  // namespace wcodec
