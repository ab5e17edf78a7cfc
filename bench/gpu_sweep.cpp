#include "bench/gpu_sweep.hpp"

#include <fmt/format.h>

#include "core/spec.hpp"

namespace wcodec {
namespace {

constexpr u64 kLarge = 1024;          // MiB from which small chunks are no longer needed to fill a GPU
constexpr int kSub = 8, kStates = 2;  // nvCOMP's options that are best nearly everywhere: tried at every chunk

std::string with_chunk(const std::string& spec, u64 chunk) {
  return fmt::format("{}{}chunk={}", spec, spec.find(':') == std::string::npos ? ":" : ",", chunk);
}

std::vector<std::string> coders(sv data) {
  if (data == "int8ch")
    return {"prefix:low=4", "rans:precision=10,low=4", "rans:precision=10,low=3", "rans:precision=12"};
  if (data == "int8pt")
    return {"prefix:low=2", "rans:precision=11,low=2", "rans:precision=12,low=1", "rans:precision=12"};
  if (data == "int4") return {"prefix:low=0", "rans:precision=12"};
  if (data == "fp8") return {"prefix:low=2", "prefix:low=3", "rans:precision=12"};
  return {"prefix", "rans:precision=12"};
}

}  // namespace

std::vector<std::string> wcodec_sweep(sv data, u64 mebibytes) {
  std::vector<std::string> out;
  for (const std::string& coder : coders(data)) {
    if (mebibytes >= kLarge) {
      for (const u64 chunk : {16384, 65536}) out.push_back(with_chunk(coder, chunk));
    } else {
      for (const u64 chunk : {2048, 4096, 8192, 16384}) out.push_back(with_chunk(coder, chunk));
    }
  }
  return out;
}

std::vector<std::string> nvcomp_sweep(sv data, u64 mebibytes) {
  std::vector<std::string> out;
  const bool is_large = mebibytes >= kLarge;
  std::vector<std::string> types = {"char"};
  if (data == "bf16") types.insert(types.begin(), "float16");
  if (data == "fp8") types.insert(types.begin(), "fp8");
  const std::vector<u64> chunks = is_large ? std::vector<u64>{65536, 131072, 262144, 524288, 1048576, 4194304}
                                           : std::vector<u64>{16384, 32768, 65536, 131072, 262144, 1048576};
  const auto ans = [](u64 chunk, const std::string& type, int sub, int states) {
    return fmt::format("nvcomp:algo=ans,chunk={},type={},sub={},states={}", chunk, type, sub, states);
  };
  for (const std::string& type : types) {
    for (const u64 chunk : chunks) out.push_back(ans(chunk, type, kSub, kStates));
    for (const u64 chunk : {chunks[2], chunks[4]}) {
      for (const int sub : {4, 8, 16, 32}) {
        for (const int states : {1, 2})
          if (sub != kSub || states != kStates) out.push_back(ans(chunk, type, sub, states));
      }
    }
    // As it comes.
    for (const u64 chunk : {65536, 262144})
      out.push_back(fmt::format("nvcomp:algo=ans,chunk={},type={},tuned=false", chunk, type));
  }
  out.push_back("nvcomp:algo=bitcomp,chunk=65536");
  if (data == "bf16") out.push_back("nvcomp:algo=bitcomp,chunk=65536,type=float16");
  out.push_back("nvcomp:algo=cascaded,chunk=65536");
  out.push_back("nvcomp:algo=lz4,chunk=65536");
  out.push_back("nvcomp:algo=snappy,chunk=65536");
  out.push_back("nvcomp:algo=zstd,chunk=65536");
  for (const char* algorithm : {"deflate", "gdeflate"}) {
    for (const int effort : {0, 1})
      out.push_back(fmt::format("nvcomp:algo={},chunk=65536,effort={}", algorithm, effort));
  }
  return out;
}

std::string family_of(const std::string& spec) {
  if (!spec.starts_with("nvcomp:")) return "wcodec";
  return "nvcomp:" + parse_spec(spec).options.at("algo");
}

}  // namespace wcodec
