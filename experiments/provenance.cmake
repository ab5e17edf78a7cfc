# What the build knows about itself, for provenance.json. Included by experiments/CMakeLists.txt.
set(commit_source ${PROJECT_BINARY_DIR}/generated/provenance_commit.cpp)
set(write_commit ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DOUTPUT=${commit_source}
    -P ${CMAKE_CURRENT_LIST_DIR}/provenance_commit.cmake)
execute_process(COMMAND ${write_commit})
add_custom_target(wcodec_commit COMMAND ${write_commit} BYPRODUCTS ${commit_source} VERBATIM)
target_sources(wcodec_experiments PRIVATE ${commit_source})
add_dependencies(wcodec_experiments wcodec_commit)

string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
get_target_property(options wcodec_options INTERFACE_COMPILE_OPTIONS)
string(REPLACE ";" " " flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}} ${options}")
string(STRIP "${flags}" flags)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/provenance_build.cpp PROPERTIES COMPILE_DEFINITIONS
  "WCODEC_VERSION=\"${PROJECT_VERSION}\";WCODEC_COMPILER=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\";WCODEC_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";WCODEC_FLAGS=\"${flags}\";WCODEC_EIGEN=\"${Eigen3_VERSION}\";WCODEC_YAML_CPP=\"${yaml-cpp_VERSION}\"")
target_include_directories(wcodec_experiments PRIVATE ${LIBDEFLATE_INCLUDE})
target_link_libraries(wcodec_experiments PRIVATE
  BZip2::BZip2 LibLZMA::LibLZMA OpenSSL::Crypto PkgConfig::BROTLIENC PkgConfig::LZ4 PkgConfig::XXHASH PkgConfig::ZSTD
  SQLite::SQLite3 ZLIB::ZLIB nlohmann_json::nlohmann_json)
