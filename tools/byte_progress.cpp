#include "tools/byte_progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "experiments/progress.hpp"

namespace wcodec {
namespace {

volatile std::sig_atomic_t g_stop = 0;

void request_stop(int) { g_stop = 1; }

bool is_terminal() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) != 0 && (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
}

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string bytes_text(u64 bytes) {
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB"};
  if (bytes < 1000) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, kUnits[unit]);
}

ByteProgress::ByteProgress(std::string what, bool quiet)
    : what_(std::move(what)), live_(!quiet && is_terminal()), begun_(std::chrono::steady_clock::now()) {
  // The handler goes away after the first signal: a second one ends the program at once.
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

ByteProgress::~ByteProgress() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

ProgressCallback ByteProgress::callback() {
  return [this](const CodecProgress& progress) {
    if (live_) draw(progress);
    return g_stop == 0;
  };
}

void ByteProgress::draw(const CodecProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  const double share = progress.bytes_total == 0
                           ? 1
                           : static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total);
  const double taken = std::chrono::duration<double>(now - begun_).count();
  std::string text =
      fmt::format("{} {} of {}", what_, bytes_text(progress.bytes_done), bytes_text(progress.bytes_total));
  if (taken > 1 && share > 0 && share < 1) text += fmt::format(", {} left", duration_text(taken * (1 - share) / share));
  const std::size_t width = terminal_width();
  std::string line = text;
  if (width > text.size() + 13) {
    const std::size_t room = std::min<std::size_t>(40, width - text.size() - 4);
    const auto full = static_cast<std::size_t>(share * static_cast<double>(room));
    line = fmt::format("[{}{}] {}", std::string(full, '#'), std::string(room - full, '.'), text);
  }
  line.resize(std::min(line.size(), width - 1));
  std::fputs(("\r\x1b[K" + line).c_str(), stderr);
  std::fflush(stderr);
  drawn_ = true;
}

}  // namespace wcodec
