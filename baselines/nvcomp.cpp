// nvCOMP, NVIDIA's compressors that run on the GPU. The library is loaded when it is used; where it, the GPU or CUDA is
// missing, calls fail with a sentence. A stream is 4 bytes a chunk for its size, then the chunks as nvCOMP writes them.
#include "baselines/nvcomp_host.hpp"
#include "baselines/registry.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

const NvcompSpec& spec_of(const BaselineOptions& options) noexcept {
  return *static_cast<const NvcompSpec*>(options.state.get());
}

BaselineOptions prepare(const Baseline&, const OptionReader& reader) {
  return {0, std::make_shared<const NvcompSpec>(read_nvcomp_spec(reader)), {}};
}

std::size_t bound(std::size_t size, const BaselineOptions& options) noexcept {
  return nvcomp_bound(size, spec_of(options));
}

std::optional<std::size_t> compress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  return nvcomp_compress(in, out, spec_of(options), why);
}

bool decompress(Bytes in, MutBytes out, const BaselineOptions& options, Failure& why) noexcept {
  return nvcomp_decompress(in, out, spec_of(options), why);
}

// Cells that failed because it was absent are other cells than those that it measures.
std::string version(const Baseline&) {
  try {
    return "nvCOMP " + NvcompLibrary::get().version();
  } catch (const Error&) {
    return "nvCOMP absent";
  }
}

std::string why_not(const Baseline&) { return why_no_nvcomp(); }

}  // namespace

constinit const Baseline baselines::nvcomp = {
    .name = "nvcomp",
    .help =
        "nvCOMP, on the GPU; found at run time (WCODEC_NVCOMP, or pip install "
        "nvidia-libnvcomp-cu13)",
    .options = kNvcompOptions,
    .prepare = prepare,
    .bound = bound,
    .compress = compress,
    .decompress = decompress,
    .version = version,
    .is_on_gpu = true,
    .why_unavailable = why_not};

}  // namespace wcodec
