// The baselines there are, and how a spec string becomes one that is ready to run.
#pragma once

#include <string>
#include <vector>

#include "baselines/baseline.hpp"
#include "baselines/packing.hpp"
#include "core/plugin.hpp"

namespace wcodec {

// THE list, in the order of tables and help. Each name is a constant in namespace `baselines`, defined in its own file.
#define WCODEC_BASELINES(ROW) \
  ROW(copy)                   \
  ROW(gzip)                   \
  ROW(libdeflate)             \
  ROW(zstd)                   \
  ROW(bzip2)                  \
  ROW(lz4)                    \
  ROW(xz)                     \
  ROW(brotli)                 \
  ROW(nvcomp)                 \
  ROW(zipnn)                  \
  ROW(openzl)                 \
  ROW(pcodec)                 \
  ROW(z4ai)                   \
  ROW(nncodec)                \
  ROW(constriction)           \
  ROW(zfp)                    \
  ROW(fpzip)                  \
  ROW(external)

namespace baselines {
#define WCODEC_DECLARE(row) extern const Baseline row;
WCODEC_BASELINES(WCODEC_DECLARE)
#undef WCODEC_DECLARE
}  // namespace baselines

// A baseline with its options: the way to call a row. Copying is cheap, and any number of threads may call it at once.
class PreparedBaseline {
 public:
  const Baseline* row = nullptr;
  BaselineOptions options;
  Packing packing = Packing::bytes;  // how the caller turns symbols into bytes: see pack_symbols
  std::string spec;                  // canonical: "zstd:level=19,pack=nibbles"
  std::string identity;              // the spec and the library's version, for cell hashes

  std::size_t bound(std::size_t size) const noexcept { return row->bound(size, options); }
  std::optional<std::size_t> compress(Bytes in, MutBytes out, Failure& why) const noexcept {
    return row->compress(somewhere(in), somewhere(out), options, why);
  }
  bool decompress(Bytes in, MutBytes out, Failure& why) const noexcept {
    return row->decompress(somewhere(in), somewhere(out), options, why);
  }

 private:
  // Several libraries refuse a null pointer even to nothing, and LZ4's optimal parser crashes on one.
  template <class Byte>
  static std::span<Byte> somewhere(std::span<Byte> bytes) noexcept {
    static u8 nowhere = 0;
    return bytes.empty() ? std::span<Byte>(&nowhere, 0) : bytes;
  }
};

class BaselineRegistry {
 public:
  BaselineRegistry();  // the list above
  // Adds the baselines of plug-ins, after the built-in ones. Throws Error{usage} when a name is taken.
  void add(const PluginSet& plugins);

  std::span<const Baseline* const> rows() const& noexcept { return rows_; }
  std::span<const Baseline* const> rows() && = delete;  // would outlive the registry
  // The options of a row and those that every baseline has (`pack`), for help.
  static std::vector<OptionInfo> options(const Baseline& row);
  // Throws Error{usage}, naming the nearest valid name or key.
  PreparedBaseline prepare(sv spec) const;

 private:
  std::vector<sv> names() const;

  std::vector<const Baseline*> rows_;
  std::vector<std::shared_ptr<const Baseline>> from_plugins_;
};

}  // namespace wcodec
