// The driver's end of one worker: its process, its pipes and the lines that came so far.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "core/types.hpp"

namespace wcodec {

// Splits what arrives on a pipe into lines.
class LineReader {
 public:
  // Reads what is there; false at the end of the pipe.
  bool fill(int descriptor);
  // Takes the next whole line, without its end.
  bool next(std::string& line);
  std::string rest() const { return buffer_.substr(taken_); }

 private:
  std::string buffer_;
  std::size_t taken_ = 0;
};

class WorkerProcess {
 public:
  // Starts `command` in a process group of its own, so that a Ctrl-C reaches the driver alone and a kill reaches the
  // programs that the worker started too. Throws Error{internal}.
  explicit WorkerProcess(const std::vector<std::string>& command);
  ~WorkerProcess();  // kills and reaps
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  bool write_line(const std::string& line);  // false: it is gone
  // Kills the group if it still lives, waits, and says how the worker ended: "killed by signal 11 (Segmentation
  // fault)".
  std::string end();

  int results() const noexcept { return results_; }
  int messages() const noexcept { return messages_; }
  LineReader result_lines, message_lines;

 private:
  pid_t process_ = -1;
  int input_ = -1, results_ = -1, messages_ = -1;
};

}  // namespace wcodec
