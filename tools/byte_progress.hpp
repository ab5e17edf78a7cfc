// Progress of encode, decode and verify: a bar on a terminal, nothing elsewhere; and a clean stop on an interrupt.
#pragma once

#include <chrono>
#include <string>

#include "codec/checkpoint_codec.hpp"

namespace wcodec {

class ByteProgress {
 public:
  // `what` is said in front: "encoding". The first one also catches SIGINT and SIGTERM.
  ByteProgress(std::string what, bool quiet);
  ~ByteProgress();
  ByteProgress(const ByteProgress&) = delete;
  ByteProgress& operator=(const ByteProgress&) = delete;

  // For the options of the codec; this object must outlive it. Asks to stop once the user has.
  ProgressCallback callback();

 private:
  void draw(const CodecProgress& progress);

  std::string what_;
  bool live_, drawn_ = false;
  std::chrono::steady_clock::time_point begun_, last_;
};

// "1.23 GB", "4.5 MB", "17 bytes": powers of 1000.
std::string bytes_text(u64 bytes);

}  // namespace wcodec
