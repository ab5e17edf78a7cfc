#include "bench/cublas_products.hpp"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <library_types.h>

#include "core/error.hpp"

namespace wcodec {
namespace {

// Values of cublas_api.h (cuBLAS documentation, "cuBLAS datatypes reference"); it need not be installed.
constexpr int kNotTransposed = 0, kTransposed = 1, kCompute32f = 68, kDefaultAlgorithm = -1;
constexpr std::size_t kWorkspace = std::size_t{32} << 20;

using Handle = void*;

}  // namespace

struct CublasProducts::Library {
  void* loaded = nullptr;
  Handle handle = nullptr;
  void* workspace = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*get_version)(Handle, int*) = nullptr;
  int (*gemm)(Handle, int, int, int, int, int, const void*, const void*, cudaDataType, int, const void*, cudaDataType,
              int, const void*, void*, cudaDataType, int, int, int) = nullptr;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    if (handle != nullptr) destroy(handle);
    cudaFree(workspace);
    if (loaded != nullptr) dlclose(loaded);
  }
};

CublasProducts::CublasProducts(std::unique_ptr<Library> library) : library_(std::move(library)) {}
CublasProducts::~CublasProducts() = default;

std::unique_ptr<CublasProducts> CublasProducts::load(CUstream_st* stream, std::string& why) {
  auto library = std::make_unique<Library>();
  for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so"}) {
    if (library->loaded = dlopen(name, RTLD_NOW | RTLD_LOCAL); library->loaded != nullptr) break;
    why = dlerror();
  }
  if (library->loaded == nullptr) return nullptr;
  bool is_complete = true;
  const auto find = [&]<class Function>(const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library->loaded, name));
    if (function != nullptr || !is_complete) return;
    is_complete = false;
    why = fmt::format("libcublas has no {}", name);
  };
  int (*create)(Handle*);
  int (*set_stream)(Handle, cudaStream_t);
  int (*set_workspace)(Handle, void*, std::size_t);
  find("cublasCreate_v2", create);
  find("cublasDestroy_v2", library->destroy);
  find("cublasSetStream_v2", set_stream);
  find("cublasSetWorkspace_v2", set_workspace);
  find("cublasGetVersion_v2", library->get_version);
  find("cublasGemmEx", library->gemm);
  if (!is_complete) return nullptr;
  if (const int status = create(&library->handle); status != 0) {
    library->handle = nullptr;
    why = fmt::format("cublasCreate fails with status {}", status);
    return nullptr;
  }
  if (cudaMalloc(&library->workspace, kWorkspace) != cudaSuccess || set_stream(library->handle, stream) != 0 ||
      set_workspace(library->handle, library->workspace, kWorkspace) != 0) {
    why = "cuBLAS takes no stream or workspace";
    return nullptr;
  }
  return std::unique_ptr<CublasProducts>(new CublasProducts(std::move(library)));
}

void CublasProducts::product(const u16* weights, int rows, int cols, const u16* x, u16* y, int batch) const {
  const float one = 1, zero = 0;
  // Row-major W is column-major Wᵀ.
  const int status =
      library_->gemm(library_->handle, kTransposed, kNotTransposed, rows, batch, cols, &one, weights, CUDA_R_16BF, cols,
                     x, CUDA_R_16BF, cols, &zero, y, CUDA_R_16BF, rows, kCompute32f, kDefaultAlgorithm);
  if (status != 0) throw Error(ErrorKind::internal, fmt::format("cublasGemmEx fails with status {}", status));
}

int CublasProducts::version() const {
  int version = 0;
  library_->get_version(library_->handle, &version);
  return version;
}

}  // namespace wcodec
