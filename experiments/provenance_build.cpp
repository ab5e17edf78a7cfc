#include <brotli/encode.h>
#include <bzlib.h>
#include <fmt/core.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lzma.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>
#include <nlohmann/json.hpp>

#include "experiments/provenance.hpp"
#include "experiments/provenance_commit.hpp"

namespace wcodec {
namespace {

std::string three_parts(unsigned major, unsigned minor, unsigned patch) {
  return fmt::format("{}.{}.{}", major, minor, patch);
}

// Versions as the loaded libraries tell them; those of header-only ones as built.
std::map<std::string, std::string> library_versions() {
  const unsigned brotli = BrotliEncoderVersion(), xxhash = XXH_versionNumber();
  const std::string bzip2 = BZ2_bzlibVersion();  // "1.0.8, 13-Jul-2019"
  return {
      {"brotli", three_parts(brotli >> 24, brotli >> 12 & 0xfff, brotli & 0xfff)},
      {"bzip2", bzip2.substr(0, bzip2.find(','))},
      {"eigen", WCODEC_EIGEN},
      {"fmt", three_parts(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"libdeflate", LIBDEFLATE_VERSION_STRING},
      {"lz4", LZ4_versionString()},
      {"nlohmann-json",
       three_parts(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"sqlite", sqlite3_libversion()},
      {"xxhash", three_parts(xxhash / 10000, xxhash / 100 % 100, xxhash % 100)},
      {"xz", lzma_version_string()},
      {"yaml-cpp", WCODEC_YAML_CPP},
      {"zlib", zlibVersion()},
      {"zstd", ZSTD_versionString()},
  };
}

}  // namespace

BuildRecord build_record() {
  BuildRecord build;
  build.version = WCODEC_VERSION;
  if (kGitCommit[0] != '\0') build.commit = kGitCommit;
  build.dirty = kGitDirty;
  build.compiler = WCODEC_COMPILER;
  build.build_type = WCODEC_BUILD_TYPE;
  build.flags = without_absolute_paths(WCODEC_FLAGS, " =:,;\"'");
  build.libraries = library_versions();
  return build;
}

}  // namespace wcodec
