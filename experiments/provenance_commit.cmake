# cmake -DSOURCE_DIR=… -DOUTPUT=… -P provenance_commit.cmake
# Writes the definitions of provenance_commit.hpp. Runs before every build, so that no commit made after configuring is
# missed, and leaves the file alone when nothing has changed, so that nothing is compiled again.
set(commit "")
set(dirty false)
find_program(GIT git)
file(REAL_PATH "${SOURCE_DIR}" source)
if(GIT)
  # Sources unpacked inside some other project's checkout are not at that project's commit.
  # Ownership that differs, as under sudo or in a container, is no reason to know nothing.
  set(git ${GIT} -c safe.directory=${source} -C ${source})
  execute_process(COMMAND ${git} rev-parse --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE
                  RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    file(REAL_PATH "${top}" top)
  endif()
  if(NOT failed AND top STREQUAL source)
    execute_process(COMMAND ${git} rev-parse --verify HEAD OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE
                    RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
      set(commit ${head})
      execute_process(COMMAND ${git} --no-optional-locks status --porcelain --untracked-files=no
                      OUTPUT_VARIABLE changes ERROR_QUIET)
      if(changes)
        set(dirty true)
      endif()
    endif()
  endif()
endif()

set(text "#include \"experiments/provenance_commit.hpp\"

namespace wcodec {

const char* const kGitCommit = \"${commit}\";
const bool kGitDirty = ${dirty};

}  // namespace wcodec
")
set(old "")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT old STREQUAL text)
  file(WRITE "${OUTPUT}" "${text}")
endif()
