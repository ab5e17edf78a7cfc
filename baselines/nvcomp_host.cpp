#include "baselines/nvcomp_host.hpp"

#include <fmt/format.h>

#include <cstring>
#include <exception>

#include "baselines/nvcomp_batch.hpp"
#include "core/cuda_owners.hpp"
#include "core/error.hpp"

namespace wcodec {
namespace {

u64 chunk_count(u64 size, const NvcompSpec& spec) { return (size + spec.chunk - 1) / spec.chunk; }

// What throws, as the C-like rows of baselines report it.
template <class Result, class Work>
Result guarded(Failure& why, Result failed, const Work& work) noexcept {
  try {
    return work();
  } catch (const std::exception& error) {
    why.set(error.what());
    return failed;
  }
}

}  // namespace

std::size_t nvcomp_bound(std::size_t size, const NvcompSpec& spec) noexcept {
  Failure ignored;
  return guarded(ignored, std::size_t{0},
                 [&]() -> std::size_t { return chunk_count(size, spec) * (4 + NvcompCoder(spec).largest_chunk()); });
}

std::optional<std::size_t> nvcomp_compress(Bytes in, MutBytes out, const NvcompSpec& spec, Failure& why) noexcept {
  using Size = std::optional<std::size_t>;
  return guarded(why, Size(), [&]() -> Size {
    if (const std::string reason = why_no_nvcomp(); !reason.empty()) throw Error(ErrorKind::unsupported, reason);
    if (in.empty()) return 0;
    const DeviceBytes from(in);
    const NvcompStream stream = NvcompCoder(spec).compress(from.data(), from.size());
    if (stream.coded_bytes() > out.size()) throw Error(ErrorKind::limit, "the output is too small for nvCOMP");
    u8* to = out.data();
    for (const u64 size : stream.chunk_bytes) {
      const u32 word = static_cast<u32>(size);
      std::memcpy(to, &word, sizeof word);
      to += sizeof word;
    }
    for (std::size_t i = 0; i < stream.chunk_bytes.size(); to += stream.chunk_bytes[i++]) {
      check_cuda(
          cudaMemcpy(to, stream.bytes.get() + stream.chunk_places[i], stream.chunk_bytes[i], cudaMemcpyDeviceToHost),
          "copying from the GPU");
    }
    return stream.coded_bytes();
  });
}

bool nvcomp_decompress(Bytes in, MutBytes out, const NvcompSpec& spec, Failure& why) noexcept {
  return guarded(why, false, [&] {
    if (const std::string reason = why_no_nvcomp(); !reason.empty()) throw Error(ErrorKind::unsupported, reason);
    const u64 chunks = chunk_count(out.size(), spec);
    if (in.size() < 4 * chunks) throw Error(ErrorKind::truncated, "the stream ends within the sizes of its chunks");
    std::vector<u64> sizes;
    for (u64 i = 0; i < chunks; ++i) {
      u32 size = 0;
      std::memcpy(&size, in.data() + 4 * i, sizeof size);
      sizes.push_back(size);
    }
    const NvcompCoder coder(spec);
    const NvcompStream stream = coder.load(out.size(), sizes, in.subspan(4 * chunks));
    if (out.empty()) return true;
    const DeviceBytes to(out.size());
    const auto job = coder.prepare_decompress(stream, stream.bytes.get(), to.data());
    job->launch(nullptr);
    job->check();
    to.read(out.data(), out.size());
    return true;
  });
}

std::string why_no_nvcomp() {
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess || count == 0) {
    return fmt::format("no usable GPU: {}", error != cudaSuccess ? cudaGetErrorString(error) : "none is there");
  }
  try {
    NvcompLibrary::get();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace wcodec
