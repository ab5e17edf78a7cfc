#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "experiments/csv.hpp"
#include "experiments/provenance.hpp"

namespace wcodec {
namespace {

// The value of the first line "key<separator>value" of a system file, empty without one.
std::string value_in(const char* path, sv key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const auto at = line.find(separator);
    if (at == std::string::npos) continue;
    const auto trimmed = [](sv text) {
      const auto first = text.find_first_not_of(" \t\"");
      return first == sv::npos ? sv() : text.substr(first, text.find_last_not_of(" \t\"") - first + 1);
    };
    if (trimmed(sv(line).substr(0, at)) == key) return plain_text(trimmed(sv(line).substr(at + 1)));
  }
  return {};
}

unsigned usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
  return std::thread::hardware_concurrency();  // more CPUs than the set has room for
}

}  // namespace

MachineRecord machine_record() {
  MachineRecord machine;
  machine.cpu = value_in("/proc/cpuinfo", "model name", ':');
  machine.cpus = usable_cpus();
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page > 0) machine.memory_bytes = static_cast<u64>(pages) * static_cast<u64>(page);
  utsname names{};
  if (::uname(&names) == 0) machine.architecture = names.machine;
  machine.os = value_in("/etc/os-release", "PRETTY_NAME", '=');
  if (machine.os.empty()) machine.os = names.sysname;
  return machine;
}

}  // namespace wcodec
