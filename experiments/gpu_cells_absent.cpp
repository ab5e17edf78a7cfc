#include "core/error.hpp"
#include "experiments/gpu_cells.hpp"

namespace wcodec {
namespace {

[[noreturn]] void refuse() { throw Error(ErrorKind::unsupported, kUnavailable + why_no_gpu_cells()); }

}  // namespace

std::string why_no_gpu_cells() { return "this build has no GPU code (nvcc was not there when it was configured)"; }
GpuRecord gpu_record() { return {}; }
std::vector<u8> decode_words_on_gpu(Bytes, int) { refuse(); }
std::unique_ptr<TimingSubject> make_gpu_codec_subject(int, const QuantizedTensor&, std::function<std::vector<u8>()>) {
  refuse();
}
std::unique_ptr<TimingSubject> make_gpu_baseline_subject(const std::string&, const std::vector<u8>&, u64, u64) {
  refuse();
}

}  // namespace wcodec
