#include "baselines/nvcomp_host.hpp"

namespace wcodec {
namespace {

constexpr sv kWhy = "this build has no GPU code (nvcc was not there when it was configured)";

}  // namespace

std::size_t nvcomp_bound(std::size_t, const NvcompSpec&) noexcept { return 0; }
std::optional<std::size_t> nvcomp_compress(Bytes, MutBytes, const NvcompSpec&, Failure& why) noexcept {
  why.set(kWhy);
  return std::nullopt;
}
bool nvcomp_decompress(Bytes, MutBytes, const NvcompSpec&, Failure& why) noexcept {
  why.set(kWhy);
  return false;
}
std::string why_no_nvcomp() { return std::string(kWhy); }

}  // namespace wcodec
