# The GPU decoders are built where nvcc is found, as a library of their own: machine code for each architecture, no PTX.
set(WCODEC_CUDA AUTO CACHE STRING "Build the GPU decoders: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE WCODEC_CUDA PROPERTY STRINGS AUTO ON OFF)
set(WCODEC_CUDA_ARCHITECTURES 80-real 90-real 100-real 120-real CACHE STRING "GPU architectures to build for")

set(WCODEC_HAS_CUDA OFF)
if(WCODEC_CUDA STREQUAL "OFF")
  return()
endif()
if(NOT DEFINED CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(WCODEC_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(WCODEC_NVCC)
    set(CMAKE_CUDA_COMPILER ${WCODEC_NVCC})
  endif()
endif()
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  if(WCODEC_CUDA STREQUAL "ON")
    message(FATAL_ERROR "WCODEC_CUDA is ON, but nvcc was not found. Install the CUDA toolkit (13 or newer) or name nvcc in CUDACXX.")
  endif()
  message(STATUS "No nvcc: the GPU decoders are not built")
  return()
endif()
set(CMAKE_CUDA_ARCHITECTURES ${WCODEC_CUDA_ARCHITECTURES})
enable_language(CUDA)
# CMake 3.25 does not know that nvcc speaks C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
endif()
# The runtime is linked in, so that programs start where there is neither a GPU nor a driver.
find_package(CUDAToolkit REQUIRED)
set(WCODEC_HAS_CUDA ON)

# wcodec_cuda_stage(NAME SOURCES… LINK LIBRARIES…): a library of .cu files.
function(wcodec_cuda_stage name)
  cmake_parse_arguments(STAGE "" "" "LINK" ${ARGN})
  add_library(wcodec_${name} STATIC ${STAGE_UNPARSED_ARGUMENTS})
  target_link_libraries(wcodec_${name} PUBLIC wcodec_options CUDA::cudart_static ${STAGE_LINK})
  target_compile_options(wcodec_${name} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Werror=all-warnings;-Xcompiler=-Wall>)
  target_include_directories(wcodec_${name} SYSTEM PUBLIC ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  set_target_properties(wcodec_${name} PROPERTIES CUDA_RUNTIME_LIBRARY Static)
endfunction()

# wcodec_kernels_hash: build/generated/kernels_hash.hpp, the hash that GPU results carry (tools/kernels_hash.py).
find_program(WCODEC_PYTHON3 python3 REQUIRED)
add_custom_target(wcodec_kernels_hash
  COMMAND ${WCODEC_PYTHON3} ${PROJECT_SOURCE_DIR}/tools/kernels_hash.py --header ${PROJECT_BINARY_DIR}/generated/kernels_hash.hpp
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/kernels_hash.hpp COMMENT "Hashing the GPU kernels' sources" VERBATIM)
