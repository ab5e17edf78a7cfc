// Damaged records on the CPU and on the GPU: both refuse them for the same reason, or decode them to the same words.
#pragma once

#include <gtest/gtest.h>

#include <optional>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/philox.hpp"
#include "tests/gpu/decode_on_gpu.hpp"

namespace wcodec {

template <class Body>
std::optional<ErrorKind> kind_of_error(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.kind();
  }
  return {};
}

// The record with 1 to 3 bytes changed, behind `kept` ones, and a checksum that fits.
inline std::vector<u8> damaged(std::vector<u8> record, u32 kept, Philox& random) {
  const u32 flips = 1 + random.below(3);
  for (u32 k = 0; k < flips; ++k)
    record[kept + random.below(static_cast<u32>(record.size()) - kept - 4)] ^= static_cast<u8>(1 + random.below(255));
  const u32 sum = crc32(Bytes(record).first(record.size() - 4));
  std::memcpy(record.data() + record.size() - 4, &sum, 4);
  return record;
}

struct Verdicts {
  int refused = 0, decoded = 0;

  // What planning finds may lie behind a stream that is damaged as well: then only that both refuse is compared.
  void compare(const std::vector<u8>& record) {
    std::vector<u8> cpu, gpu;
    bool is_planned = false;
    const auto of_cpu = kind_of_error([&] { cpu = decode_tensor(record, 1 << 20).words; });
    const auto of_gpu = kind_of_error([&] {
      const GpuPlan plan = plan_gpu_decode(record, 1 << 20);
      is_planned = true;
      gpu = decode_on_gpu(plan);
    });
    if (of_gpu == ErrorKind::unsupported) return;
    ASSERT_EQ(of_cpu.has_value(), of_gpu.has_value());
    if (is_planned) {
      ASSERT_EQ(of_cpu, of_gpu);
    }
    ASSERT_EQ(cpu, gpu);
    ++(of_cpu ? refused : decoded);
  }
};

}  // namespace wcodec
