#include "experiments/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace wcodec {
namespace {

constexpr std::chrono::milliseconds kBarInterval{100};
constexpr std::chrono::seconds kLineInterval{5};

bool is_terminal(std::FILE* out) {
  const char* terminal = std::getenv("TERM");
  return ::isatty(::fileno(out)) != 0 && (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<i64>(std::llround(std::max(0.0, seconds)));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

Progress::Progress(ProgressStyle style, std::FILE* out)
    : out_(out), quiet_(style == ProgressStyle::quiet), live_(!quiet_ && is_terminal(out)) {}

Progress::~Progress() { erase_bar(); }

void Progress::begin(const std::string& what, u64 cells, double seconds) {
  what_ = what;
  cells_ = cells;
  done_ = failed_ = 0;
  seconds_ = seconds;
  seconds_done_ = 0;
  begun_ = Clock::now();
  drawn_ = live_ ? Clock::time_point{} : begun_;
  active_ = true;
}

void Progress::advance(u64 cells, bool failed, double seconds) {
  done_ += cells;
  failed_ += failed;
  seconds_done_ += seconds;
}

std::string Progress::state() const {
  std::string text = fmt::format("{} {} of {} cells", what_, done_, cells_);
  if (failed_ != 0) text += fmt::format(", {} failed", failed_);
  const double taken = std::chrono::duration<double>(Clock::now() - begun_).count();
  // The estimate gives the share of the work; the machine's own speed so far gives the time.
  if (seconds_done_ > 0 && done_ < cells_ && taken > 1) {
    text += fmt::format(", {} left", duration_text(taken * (seconds_ - seconds_done_) / seconds_done_));
  }
  return text;
}

void Progress::draw() {
  if (quiet_ || !active_) return;
  const auto now = Clock::now();
  if (!live_) {
    if (now - drawn_ < kLineInterval) return;
    drawn_ = now;
    std::fputs((state() + "\n").c_str(), out_);
    return;
  }
  if (now - drawn_ < kBarInterval) return;
  drawn_ = now;
  const std::string text = state();
  const std::size_t width = terminal_width(out_);
  std::string line = text;
  if (width > text.size() + 13) {
    const std::size_t room = std::min<std::size_t>(40, width - text.size() - 4);
    const double share = seconds_ > 0 ? std::min(1.0, seconds_done_ / seconds_) : 0;
    const auto full = static_cast<std::size_t>(share * static_cast<double>(room));
    line = fmt::format("[{}{}] {}", std::string(full, '#'), std::string(room - full, '.'), text);
  }
  line.resize(std::min(line.size(), width - 1));
  std::fputs(("\r\x1b[K" + line).c_str(), out_);
  std::fflush(out_);
  bar_drawn_ = true;
}

void Progress::end() {
  if (!active_) return;
  erase_bar();
  active_ = false;
  if (!quiet_) {
    const double taken = std::chrono::duration<double>(Clock::now() - begun_).count();
    std::fputs(fmt::format("{} in {}\n", state(), duration_text(taken)).c_str(), out_);
  }
}

void Progress::erase_bar() {
  if (!bar_drawn_) return;
  std::fputs("\r\x1b[K", out_);
  std::fflush(out_);
  bar_drawn_ = false;
}

void Progress::note(const std::string& line) {
  if (!quiet_) alarm(line);
}

void Progress::alarm(const std::string& line) {
  erase_bar();
  std::fputs((line + "\n").c_str(), out_);
  std::fflush(out_);
  drawn_ = live_ ? Clock::time_point{} : drawn_;
}

}  // namespace wcodec
