// The commit that the sources were at when this was built. Defined in a file that provenance_commit.cmake writes before
// every build and changes only when the answer does.
#pragma once

namespace wcodec {

extern const char* const kGitCommit;  // 40 hex digits; empty when the sources are not a Git checkout
extern const bool kGitDirty;          // tracked files differed from that commit

}  // namespace wcodec
