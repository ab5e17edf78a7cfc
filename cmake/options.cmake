include(${CMAKE_CURRENT_LIST_DIR}/ccache.cmake)

# Compile options that every target of ours shares.
add_library(wcodec_options INTERFACE)
target_include_directories(wcodec_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
# nvcc has options of its own (cmake/cuda.cmake); results must not depend on whether a compiler fuses a·b+c.
set(wcodec_cxx $<COMPILE_LANGUAGE:C,CXX>)
target_compile_options(wcodec_options INTERFACE
  $<${wcodec_cxx}:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion;-ffp-contract=off>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  # False alarms on std::string concatenation (GCC bug 105651).
  target_compile_options(wcodec_options INTERFACE $<${wcodec_cxx}:-Wno-restrict>)
endif()
if(WCODEC_WERROR)
  target_compile_options(wcodec_options INTERFACE $<${wcodec_cxx}:-Werror>)
endif()
if(WCODEC_SANITIZE)
  target_compile_options(wcodec_options INTERFACE
    $<${wcodec_cxx}:-fsanitize=${WCODEC_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(wcodec_options INTERFACE -fsanitize=${WCODEC_SANITIZE})
endif()
if(WCODEC_FUZZ)
  target_compile_options(wcodec_options INTERFACE $<${wcodec_cxx}:-fsanitize=fuzzer-no-link>)
endif()

# wcodec_stage(NAME SOURCES… [LINK LIBRARIES…]): a stage's static library.
function(wcodec_stage name)
  cmake_parse_arguments(STAGE "" "" "LINK" ${ARGN})
  add_library(wcodec_${name} STATIC ${STAGE_UNPARSED_ARGUMENTS})
  target_link_libraries(wcodec_${name} PUBLIC wcodec_options ${STAGE_LINK})
endfunction()
