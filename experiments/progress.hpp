// What a person sees on standard error while a run goes on.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "core/types.hpp"

namespace wcodec {

enum class ProgressStyle : u8 {
  automatic,  // a live bar on a terminal, a line every few seconds elsewhere
  quiet,      // only what went wrong
};

class Progress {
 public:
  Progress(ProgressStyle style, std::FILE* out = stderr);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Begins a phase of `cells` cells that are estimated at `seconds` of work, by `what` it does to them.
  void begin(const std::string& what, u64 cells, double seconds);
  void advance(u64 cells, bool failed, double seconds);
  void draw();  // cheap enough to be called at any rate
  void end();   // of the phase

  void note(const std::string& line);   // unless quiet
  void alarm(const std::string& line);  // always

 private:
  using Clock = std::chrono::steady_clock;
  void erase_bar();
  std::string state() const;

  std::FILE* out_;
  bool quiet_, live_, bar_drawn_ = false, active_ = false;
  std::string what_;
  u64 cells_ = 0, done_ = 0, failed_ = 0;
  double seconds_ = 0, seconds_done_ = 0;
  Clock::time_point begun_, drawn_;
};

// "1 h 05 min", "3 min 20 s", "8 s".
std::string duration_text(double seconds);

}  // namespace wcodec
