#include "core/cuda_owners.hpp"

#include <string>

#include "core/error.hpp"

namespace wcodec {

void check_cuda(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // so that the next check does not meet it again
  const ErrorKind kind = error == cudaErrorMemoryAllocation ? ErrorKind::limit : ErrorKind::internal;
  throw Error(kind, std::string(doing) + ": " + cudaGetErrorString(error));
}

}  // namespace wcodec
