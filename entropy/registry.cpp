#include "entropy/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "core/error.hpp"
#include "entropy/adaptive_coder.hpp"
#include "entropy/bitplane_coder.hpp"
#include "entropy/prefix_coder.hpp"
#include "entropy/rans_coder.hpp"
#include "entropy/raw_coder.hpp"
#include "entropy/zstd_coder.hpp"

namespace wcodec {

namespace {

std::vector<const EntropyCoder*>& rows() noexcept {
  static std::vector<const EntropyCoder*> all = {&kRawCoder,  &kRansCoder,     &kPrefixCoder,
                                                 &kZstdCoder, &kAdaptiveCoder, &kBitplaneCoder};
  return all;
}

// A plug-in's coder sees plain symbols; its bytes come behind their length.
void encode_by_plugin(const EntropyCoder& row, const CoderInput& input, const CoderOptions&, LedgerWriter& out) {
  const auto& plugin = *static_cast<const wcodec_plugin_coder*>(row.plugin);
  std::vector<u8> coded(plugin.bound(input.residuals.size(), input.geometry.bits));
  const std::size_t size =
      plugin.encode(input.residuals.data(), input.residuals.size(), input.geometry.bits, coded.data(), coded.size());
  if (size > coded.size())
    throw Error(ErrorKind::unsupported, fmt::format("coder '{}' of a plug-in failed to encode", row.name));
  out.varint(LedgerEntry::index, size);
  out.append(LedgerEntry::payload, Bytes(coded).first(size));
}

void decode_by_plugin(const EntropyCoder& row, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  const auto& plugin = *static_cast<const wcodec_plugin_coder*>(row.plugin);
  const Bytes coded = in.take(in.varint("plug-in's stream"), "plug-in's stream");
  const bool ok = plugin.decode(coded.data(), coded.size(), geometry.bits, residuals.data(), residuals.size()) == 0;
  // What comes back is an index into tables: it must be of the alphabet.
  const auto outside = [&](u8 symbol) { return symbol >> geometry.bits != 0; };
  if (!ok || std::any_of(residuals.begin(), residuals.end(), outside)) {
    throw Error(ErrorKind::corrupt, fmt::format("coder '{}' of a plug-in says that its stream is damaged", row.name));
  }
}

}  // namespace

const std::vector<const EntropyCoder*>& entropy_coders() noexcept { return rows(); }

void add_coders(std::span<const PluginCoder> plugins) {
  static std::deque<EntropyCoder> owned;
  static std::deque<std::string> identities;
  for (const PluginCoder& plugin : plugins) {
    std::vector<sv> taken;
    for (const EntropyCoder* row : rows()) taken.push_back(row->name);
    refuse_clash("coder", plugin.name(), plugin.from, taken);
    if (owned.size() >= 256 - kFirstPluginCoder) throw Error(ErrorKind::limit, "too many coders from plug-ins");
    identities.push_back(plugin.from.text());
    owned.push_back({.name = plugin.name(),
                     .id = static_cast<u8>(kFirstPluginCoder + owned.size()),
                     .help = plugin.row->help,
                     .options = {},
                     .prepare = kRawCoder.prepare,
                     .encode = &encode_by_plugin,
                     .decode = &decode_by_plugin,
                     .plugin = plugin.row,
                     .identity = identities.back()});
    rows().push_back(&owned.back());
  }
}

CoderChoice parse_coder(sv text) {
  Spec spec = parse_spec(text);
  std::vector<sv> names;
  for (const EntropyCoder* row : entropy_coders()) {
    names.push_back(row->name);
    if (row->name != spec.name) continue;
    const CoderOptions options = row->prepare(spec);
    std::string name = canonical(spec, row->options);
    // What shares a table is always said, and a number of contexts only where it means something.
    if (row == &kRansCoder) {
      spec = parse_spec(name);
      const auto tables = spec.options.try_emplace("tables", "tensor").first->second;
      if (tables == "tensor" || tables == "tile") {
        spec.options.erase("contexts");
      } else {
        spec.options["contexts"] = std::to_string(options.contexts);
      }
      name = to_string(spec);
    }
    return {row, options, name};
  }
  throw Error(ErrorKind::usage, unknown_name("coder", spec.name, names));
}

const EntropyCoder& coder_from_wire(u8 id, sv name) {
  for (const EntropyCoder* row : entropy_coders()) {
    if (id >= kFirstPluginCoder ? row->plugin != nullptr && row->name == name : row->id == id) return *row;
  }
  if (id >= kFirstPluginCoder) {
    throw Error(ErrorKind::unsupported,
                fmt::format("coder '{}' comes from a plug-in that is not loaded", printable(name)));
  }
  throw Error(ErrorKind::corrupt, fmt::format("unknown coder id {}", id));
}

}  // namespace wcodec
