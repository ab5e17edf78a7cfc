// nvCOMP's batched interface, loaded at run time: nothing of it is needed to build, and nothing is there without it.
//
// Functions and options as documented for nvCOMP 6.0 (https://docs.nvidia.com/cuda/nvcomp/). Every algorithm has the
// same functions, and options of 64 bytes passed by value; what the bytes mean is in nvcomp_spec.cpp.
#pragma once

#include <array>
#include <string>

#include "core/types.hpp"

struct CUstream_st;  // of cudaStream_t

namespace wcodec {

// An options structure of any algorithm, compressing or decompressing. All of them are passed in memory, by value.
struct alignas(8) NvcompOptions {
  std::array<u8, 64> bytes{};
  template <class T>
  void set(std::size_t offset, T value) noexcept;
};

struct NvcompAlignments {
  std::size_t input, output, temp;
};

// The functions of one algorithm. Sizes are in bytes; pointers and arrays of pointers are device memory unless said
// otherwise; a result other than 0 is an error (NvcompLibrary::why).
struct NvcompAlgorithm {
  int (*compress_alignments)(NvcompOptions, NvcompAlignments* host);
  int (*compress_temp)(std::size_t chunks, std::size_t largest, NvcompOptions, std::size_t* host, std::size_t total,
                       CUstream_st*);
  int (*compress_bound)(std::size_t largest, NvcompOptions, std::size_t* host);
  int (*compress)(const void* const* from, const std::size_t* from_sizes, std::size_t largest, std::size_t chunks,
                  void* temp, std::size_t temp_size, void* const* to, std::size_t* to_sizes, NvcompOptions,
                  int* statuses, CUstream_st*);
  int (*decompress_alignments)(NvcompOptions, NvcompAlignments* host);
  int (*decompress_temp)(std::size_t chunks, std::size_t largest, NvcompOptions, std::size_t* host, std::size_t total,
                         CUstream_st*);
  int (*decompress)(const void* const* from, const std::size_t* from_sizes, const std::size_t* room,
                    std::size_t* to_sizes, std::size_t chunks, void* temp, std::size_t temp_size, void* const* to,
                    NvcompOptions, int* statuses, CUstream_st*);
};

class NvcompLibrary {
 public:
  // The library of this process, loaded on the first call: ${WCODEC_NVCOMP} if it is set, otherwise libnvcomp.so.6 as
  // the loader finds it, otherwise that of the environment's Python (pip install nvidia-libnvcomp-cu13). Throws
  // Error{not_found} where there is none, saying how to get it, and Error{unsupported} for a version without these
  // functions.
  static const NvcompLibrary& get();

  const std::string& version() const noexcept { return version_; }  // "6.0.0.12"
  // `name` as in the functions: "ANS", "Gdeflate". Throws Error{unsupported} where the library has not all of them.
  NvcompAlgorithm algorithm(sv name) const;
  // "cannot decompress (12)".
  std::string why(int status) const;

 private:
  explicit NvcompLibrary(const std::string& path);
  void* find(const std::string& symbol) const;

  std::string path_, version_;
  void* handle_;
  const char* (*status_text_)(int) = nullptr;
};

template <class T>
void NvcompOptions::set(std::size_t offset, T value) noexcept {
  static_assert(sizeof(T) <= 8);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[offset + i] = static_cast<u8>(static_cast<u64>(value) >> 8 * i);
  }
}

}  // namespace wcodec
