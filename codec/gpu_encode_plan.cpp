#include "codec/gpu_encode_plan.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/crc_algebra.hpp"
#include "entropy/gpu_stream.hpp"
#include "entropy/low_bits.hpp"
#include "entropy/prefix_coder.hpp"
#include "entropy/rans.hpp"
#include "entropy/rans_coder.hpp"
#include "entropy/raw_coder.hpp"

namespace wcodec {
namespace {

u64 aligned(u64 size) noexcept { return (size + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment; }

// Sizes of chunks that a coder may come to choose.
struct ChunkRange {
  int least, most;  // log2
};
ChunkRange chunk_range(const CoderOptions& options) noexcept {
  if (options.log2_chunk != kAutomaticChunk) return {options.log2_chunk, options.log2_chunk};
  return {choose_log2_chunk(kAutomaticChunk, 8), choose_log2_chunk(kAutomaticChunk, 1e-9)};
}

// Warps that have anything to do, and what each of them needs.
u64 slot_of(const GpuEncodePlan& plan, int log2_chunk) noexcept {
  return gpu_slot_size(std::min(u64{1} << log2_chunk, plan.weights()));
}
u64 slots_size(const GpuEncodePlan& plan, int log2_chunk) noexcept {
  const u64 chunks = (plan.weights() + (u64{1} << log2_chunk) - 1) >> log2_chunk;
  return std::min<u64>(chunks, plan.warps) * slot_of(plan, log2_chunk);
}

GpuSource source_of(const WordFormat& format, std::size_t plane, bool is_split) noexcept {
  if (is_split) return GpuSource::bytes;
  if (format.bits <= 8) return format.number == NumberClass::floating ? GpuSource::signed_bytes : GpuSource::bytes;
  return plane == 0 ? GpuSource::bf16_exponents : GpuSource::bf16_rests;
}

const GpuCrcTables& crc_tables() {
  static const GpuCrcTables tables = [] {
    GpuCrcTables out;
    const u32 row = crc_power(1024);
    for (u32 byte = 0; byte < 4; ++byte) {
      for (u32 value = 0; value < 256; ++value) out.next[256 * byte + value] = crc_times(row, value << 8 * byte);
    }
    for (u32 lane = 0; lane < kMaxLanes; ++lane) out.of_lane[lane] = crc_power(32 * (kMaxLanes - lane));
    u32 step = crc_power(kCrcOrder - 1024);
    for (auto& digit : out.position) {
      digit[0] = kCrcOne;
      for (u32 value = 1; value < kCrcDigit; ++value) digit[value] = crc_times(digit[value - 1], step);
      step = crc_times(digit[kCrcDigit - 1], step);
    }
    return out;
  }();
  return tables;
}

class Chooser {
 public:
  Chooser(const GpuEncodePlan& plan, GpuEncodeCodes& codes) : plan_(plan), codes_(codes) {
    crc_tables_ = place(&crc_tables(), sizeof(GpuCrcTables));
  }

  void add(const GpuEncodePlane& plane, const GpuCounts* counts) {
    code_ = GpuPlaneCode();
    bits_ = plane.info.bits;
    plane_ = &plane;
    const sv coder = plan_.coder.row->name;
    if (plan_.weights() == 0) {
      code_.kind = GpuPlaneCode::nothing;
    } else if (coder == "raw") {
      store();
    } else if (coder == "prefix") {
      choose_pairs(*counts);
    } else {
      choose_rans(*counts);
    }
    code_.stream.crc_tables = crc_tables_;
    codes_.planes.push_back(std::move(code_));
  }

 private:
  u64 place(const void* data, std::size_t size) {
    const u64 at = codes_.image.size();
    const auto* const bytes = static_cast<const u8*>(data);
    codes_.image.insert(codes_.image.end(), bytes, bytes + size);
    codes_.image.resize(aligned(codes_.image.size()));
    return at;
  }

  void store() {
    code_.kind = GpuPlaneCode::stored;
    code_.header = stored_plane_header(plan_);
    code_.stream = plain_stream(bits_, plan_.weights());
  }

  void set_stream(const StreamLayout& layout) {
    code_.stream = plain_stream(bits_, plan_.weights());
    code_.stream.low_bits = static_cast<u8>(layout.low_bits);
    code_.stream.window = static_cast<u8>(layout.high_bits());
    code_.stream.offset = layout.offset;
    code_.stream.log2_chunk = static_cast<u8>(layout.log2_chunk);
    code_.stream.slot_size = slot_of(plan_, layout.log2_chunk);
    // Uncoded bits stand at the end of what the plane has. Where that leaves too little for chunks, storing is shorter.
    code_.low_size = low_bytes(plan_.weights(), layout.low_bits);
    code_.stream.capacity = std::min(plane_->size, plane_->room - aligned(code_.low_size));
  }

  void choose_pairs(const GpuCounts& counts) {
    std::array<u64, 256> wide{};
    std::copy(std::begin(counts.of_symbol), std::end(counts.of_symbol), wide.begin());
    const SymbolRange range{static_cast<u8>(255 - counts.least_inverted), static_cast<u8>(counts.most)};
    if (range.least == range.most) {
      code_.may_store = false;
      const int symbol = range.least - prefix_centring(wide, bits_);
      return write_prefix_constant(static_cast<u8>(symbol & ((1 << bits_) - 1)), code_.header);
    }
    const std::optional<PrefixChoice> choice = choose_prefix(wide, range, plan_.weights(), bits_, plan_.coder.options);
    if (!choice) return store();
    write_prefix_header(*choice, code_.header);
    set_stream(choice->layout);
    code_.kind = GpuPlaneCode::pairs;
    code_.stream.first = choice->code.first;
    code_.stream.table = place_pairs(PairEncodeTable(choice->code), choice->layout.high_bits());
  }

  u64 place_pairs(const PairEncodeTable& table, int high_bits) {
    const auto bits = static_cast<u32>(high_bits);
    const u32 side = is_direct_pair(bits) ? 1u << bits : PairEncodeTable::kSide;
    std::vector<u32> entries(gpu_pair_entries(bits));
    for (u32 a = 0; a < side; ++a) {
      for (u32 b = 0; b < side; ++b) {
        const u32 entry = is_direct_pair(bits) ? table.entries[table.index(static_cast<u8>(a), static_cast<u8>(b))]
                                               : table.entries[a * PairEncodeTable::kSide + b];
        const u32 length = entry >> 16 & 31, codeword = entry & 0xffff;
        entries[b * side + a] =
            (length > 0 ? codeword << (32 - length) : 0) | length | (entry >> 31 != 0 ? kGpuEncodeEscape : 0);
      }
    }
    return place(entries.data(), entries.size() * sizeof(u32));
  }

  void choose_rans(const GpuCounts& counts) {
    const auto alphabet = std::span(counts.of_symbol).first(std::size_t{1} << bits_);
    const RansHeader header = write_rans_header(alphabet, plan_.weights(), plan_.coder.options, code_.header);
    // A table that knows no difference saves nothing, and states cost: what came out would be longer than the symbols.
    const auto& frequency = header.table.frequency;
    const auto symbols = std::ptrdiff_t{1} << header.layout.high_bits();
    const bool is_uniform =
        std::all_of(frequency.begin(), frequency.begin() + symbols, [&](u16 f) { return f == frequency[0]; });
    if (is_uniform) return store();
    if (header.is_constant) {
      if (code_.header.ledger().total() > plane_->size) store();
      return;
    }
    set_stream(header.layout);
    code_.kind = GpuPlaneCode::rans;
    code_.stream.precision = static_cast<u8>(header.table.precision);
    const RansEncodeTables tables({&header.table, 1});
    std::vector<u32> entries;
    for (std::size_t s = 0; s < 256; ++s) {
      entries.push_back(tables.entries[s].reciprocal);
      entries.push_back((u32{tables.entries[s].frequency} + 1) | u32{tables.entries[s].start} << 16);
    }
    code_.stream.table = place(entries.data(), entries.size() * sizeof(u32));
  }

  const GpuEncodePlan& plan_;
  GpuEncodeCodes& codes_;
  u64 crc_tables_;
  GpuPlaneCode code_;
  int bits_ = 0;
  const GpuEncodePlane* plane_ = nullptr;
};

}  // namespace

GpuEncodePlan plan_gpu_encode(i64 rows, i64 cols, const WordFormat& format, const CoderChoice& coder, u32 warps) {
  const sv name = coder.row->name;
  if (coder.row->plugin != nullptr || (name != "raw" && name != "prefix" && name != "rans"))
    throw Error(ErrorKind::unsupported, "no GPU encoder for this coder: raw, prefix and rans are what there is");
  if (name == "rans" && !is_one_table(coder.options))
    throw Error(ErrorKind::unsupported, "no GPU encoder for rANS with several tables: tables=tensor is what there is");
  GpuEncodePlan plan;
  plan.rows = rows;
  plan.cols = cols;
  plan.format = format;
  plan.coder = coder;
  plan.warps = warps;
  const ChunkRange range = chunk_range(coder.options);
  const u64 most_chunks = (plan.weights() + (u64{1} << range.least) - 1) >> range.least;
  const std::vector<PlaneInfo> layout = plane_layout(format);
  const bool is_split = layout.size() > 1 && format != word_format(info(DType::bf16));
  u64 work = layout.size() * sizeof(GpuCounts), output = 0;
  for (std::size_t p = 0; p < layout.size(); ++p) {
    GpuEncodePlane plane{layout[p], source_of(format, p, is_split), is_split, 0, work, output, 0, 0};
    plane.size = raw_size({TileGrid{rows, cols, kUntiled}, layout[p].bits});
    plane.room = aligned(plane.size) + 2 * kGpuAlignment;
    work += aligned(sizeof(GpuEncodeReport) + most_chunks * sizeof(u64));
    output += plane.room;
    plan.planes.push_back(plane);
  }
  if (is_split) {
    for (GpuEncodePlane& plane : plan.planes) {
      plane.symbols = work;
      work += aligned(plan.weights());
    }
  }
  plan.slots = work;
  u64 slots = 0;
  for (int log2_chunk = range.least; log2_chunk <= range.most; ++log2_chunk)
    slots = std::max(slots, slots_size(plan, log2_chunk));
  plan.work_size = work + slots;
  plan.output_size = output;
  plan.image_size =
      aligned(sizeof(GpuCrcTables)) +
      layout.size() * aligned(sizeof(u32) * std::max(gpu_pair_entries(8), gpu_pair_entries(kDirectPairBits)));
  return plan;
}

GpuEncodeCodes choose_gpu_codes(const GpuEncodePlan& plan, std::span<const GpuCounts> counts) {
  GpuEncodeCodes codes;
  codes.image.reserve(static_cast<std::size_t>(plan.image_size));
  Chooser chooser(plan, codes);
  for (std::size_t p = 0; p < plan.planes.size(); ++p)
    chooser.add(plan.planes[p], plan.is_counted() ? &counts[p] : nullptr);
  codes.is_joined = plan.planes.size() == 2 && plan.planes[0].source == GpuSource::bf16_exponents &&
                    codes.planes[0].kind == GpuPlaneCode::pairs && codes.planes[0].stream.low_bits == 0 &&
                    codes.planes[1].kind == GpuPlaneCode::stored;
  codes.image.resize(static_cast<std::size_t>(plan.image_size));
  return codes;
}

LedgerWriter stored_plane_header(const GpuEncodePlan& plan) {
  LedgerWriter header;
  if (plan.coder.row->name != "raw") header.write(LedgerEntry::header, u8{0});
  return header;
}

}  // namespace wcodec
