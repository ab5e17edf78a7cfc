#include "baselines/nvcomp_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "core/error.hpp"
#include "core/sources/pip.hpp"

namespace wcodec {
namespace {

constexpr const char* kSoname = "libnvcomp.so.6";
constexpr sv kPackage = "nvidia-libnvcomp-cu13";

struct Properties {
  u32 version, cudart_version;
};

// Where it may be, in the order it is looked for.
std::string find_library() {
  if (const char* given = std::getenv("WCODEC_NVCOMP"); given != nullptr && *given != '\0') return given;
  if (void* handle = ::dlopen(kSoname, RTLD_NOW | RTLD_LOCAL); handle != nullptr) {
    ::dlclose(handle);
    return kSoname;
  }
  try {
    return resolve_pip(fmt::format("{}/libnvcomp/lib64/{}", kPackage, kSoname));
  } catch (const Error& error) {
    throw Error(ErrorKind::not_found,
                fmt::format("nvCOMP is not installed: the loader does not know {}, and {}; or name the library in "
                            "WCODEC_NVCOMP",
                            kSoname, error.what()));
  }
}

std::string version_text(u32 version) {
  // major · 1000 + minor · 100 + patch since version 3; the build is not in it.
  return fmt::format("{}.{}.{}", version / 1000, version / 100 % 10, version % 100);
}

}  // namespace

const NvcompLibrary& NvcompLibrary::get() {
  static const NvcompLibrary library(find_library());  // a failed construction is tried again by the next call
  return library;
}

NvcompLibrary::NvcompLibrary(const std::string& path)
    : path_(path), handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) throw Error(ErrorKind::not_found, fmt::format("cannot load nvCOMP: {}", ::dlerror()));
  const auto properties = reinterpret_cast<int (*)(Properties*)>(find("nvcompGetProperties"));
  status_text_ = reinterpret_cast<const char* (*)(int)>(find("nvcompGetStatusString"));
  Properties read{};
  if (properties(&read) != 0) throw Error(ErrorKind::unsupported, path_ + ": nvCOMP does not tell its version");
  version_ = version_text(read.version);
  if (read.version / 1000 != 6) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{}: nvCOMP {}, and this build speaks the interface of version 6: pip install "
                            "'{}>=6,<7'",
                            printable(path_), version_, kPackage));
  }
}

void* NvcompLibrary::find(const std::string& symbol) const {
  void* const found = ::dlsym(handle_, symbol.c_str());
  if (found == nullptr) {
    throw Error(ErrorKind::unsupported,
                fmt::format("{} has no {}: pip install '{}>=6,<7'", printable(path_), symbol, kPackage));
  }
  return found;
}

NvcompAlgorithm NvcompLibrary::algorithm(sv name) const {
  NvcompAlgorithm out{};
  const auto load = [&](auto& function, const char* what) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
        find(fmt::format("nvcompBatched{}{}", name, what)));
  };
  load(out.compress_alignments, "CompressGetRequiredAlignments");
  load(out.compress_temp, "CompressGetTempSize");
  load(out.compress_bound, "CompressGetMaxOutputChunkSize");
  load(out.compress, "CompressAsync");
  load(out.decompress_alignments, "DecompressGetRequiredAlignments");
  load(out.decompress_temp, "DecompressGetTempSize");
  load(out.decompress, "DecompressAsync");
  return out;
}

std::string NvcompLibrary::why(int status) const { return fmt::format("{} ({})", status_text_(status), status); }

}  // namespace wcodec
