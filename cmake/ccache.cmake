# Compile through ccache where it is installed. Paths are made relative to the source tree, so that a second checkout or worktree
# finds what the first has compiled.
find_program(WCODEC_CCACHE ccache)
if(WCODEC_CCACHE)
  set(wcodec_launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${WCODEC_CCACHE})
  foreach(language C CXX CUDA)
    if(NOT DEFINED CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER ${wcodec_launcher})
    endif()
  endforeach()
endif()
