#include "entropy/bitplane_coder.hpp"

#include <vector>

#include "entropy/bit_plane.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

enum Kind : u8 { kStoredRaw = 0, kPlanes = 1 };

// Residuals are small numbers around 0 modulo 2^bits: half the range is added, so that the top bit is the sign and
// neighbours in value share prefixes.
u8 half_of(int bits) noexcept { return static_cast<u8>(1 << (bits - 1)); }

void encode(const EntropyCoder&, const CoderInput& input, const CoderOptions&, LedgerWriter& out) {
  if (input.residuals.empty()) return;
  const int width = input.geometry.bits;
  const LedgerWriter::Mark before = out.mark();
  out.write(LedgerEntry::header, u8{kPlanes});
  std::vector<u16> prefixes(input.residuals.size());
  std::vector<u8> bits(prefixes.size());
  for (int plane = 0; plane < width; ++plane) {
    for (std::size_t i = 0; i < bits.size(); ++i)
      bits[i] = (input.residuals[i] ^ half_of(width)) >> (width - 1 - plane) & 1;
    write_bit_plane(bits, {prefixes, plane, BitPlaneContext::Merge::top_bits}, out);
    for (std::size_t i = 0; i < bits.size(); ++i) prefixes[i] = static_cast<u16>(prefixes[i] << 1 | bits[i]);
  }
  store_if_longer(input, before, out);
}

void decode(const EntropyCoder&, ByteReader& in, const PlaneGeometry& geometry, MutBytes residuals) {
  if (residuals.empty()) return;
  if (!read_has_bit_planes(in)) return read_raw(in, geometry, residuals);
  std::vector<u16> prefixes(residuals.size());
  std::vector<u8> bits(residuals.size());
  for (int plane = 0; plane < geometry.bits; ++plane) {
    read_bit_plane(in, {prefixes, plane, BitPlaneContext::Merge::top_bits}, bits);
    for (std::size_t i = 0; i < bits.size(); ++i) prefixes[i] = static_cast<u16>(prefixes[i] << 1 | bits[i]);
  }
  for (std::size_t i = 0; i < residuals.size(); ++i)
    residuals[i] = static_cast<u8>(prefixes[i] ^ half_of(geometry.bits));
}

}  // namespace

bool read_has_bit_planes(ByteReader& in) {
  const u8 kind = in.read<u8>("bit planes");
  if (kind != kStoredRaw && kind != kPlanes) throw Error(ErrorKind::corrupt, "bit planes: unknown kind");
  return kind == kPlanes;
}

const EntropyCoder kBitplaneCoder = {.name = "bitplanes",
                                     .id = 16,
                                     .help = "bit planes from the top, each bit coded by rANS under the bits above it",
                                     .options = {},
                                     .prepare =
                                         [](const Spec& spec) {
                                           OptionReader(spec, {});
                                           return CoderOptions{};
                                         },
                                     .encode = &encode,
                                     .decode = &decode};

}  // namespace wcodec
