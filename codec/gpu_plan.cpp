#include "codec/gpu_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "codec/gpu_tiles_plan.hpp"
#include "codec/tensor_record.hpp"
#include "entropy/bit_plane.hpp"
#include "entropy/bitplane_coder.hpp"
#include "entropy/bits.hpp"
#include "entropy/low_bits.hpp"
#include "entropy/prefix_coder.hpp"
#include "entropy/rans.hpp"
#include "entropy/rans_coder.hpp"
#include "entropy/raw_coder.hpp"
#include "quantizers/dequantize.hpp"

namespace wcodec {
namespace {

[[noreturn]] void unsupported(const char* what) {
  throw Error(ErrorKind::unsupported, std::string("no GPU decoder for ") + what);
}

class Planner {
 public:
  Planner(GpuPlan& plan, ByteReader& in) : plan_(plan), in_(in) {}

  void add_plane(const RecordHeader& header, const PlaneInfo& info, bool may_join) {
    info_ = info;
    is_tiled_ = !header.is_plain();
    single_ = plane_layout(plan_.format).size() == 1;
    stream_ = {};
    stream_.order = static_cast<u16>(kGpuOrders * plan_.streams.size());
    if (is_tiled_) {
      plan_.tiles.push_back(plan_tiles(header, info, in_, plan_.image));
      plan_.tiles.back().order = static_cast<u16>(stream_.order + kGpuOrders - 1);
    }
    stream_.bits = static_cast<u8>(info.bits);
    stream_.count = plan_.weights();
    const sv coder = header.coder->name;
    if (coder == "raw") {
      add_stored();
    } else if (coder == "prefix") {
      add_prefix(may_join);
    } else if (coder == "rans") {
      add_rans(may_join);
    } else if (coder == "bitplanes") {
      add_bit_planes();
    } else {
      unsupported("this coder");
    }
    plan_.streams.push_back(stream_);
    if (is_tiled_) plan_escapes(plan_.tiles.back(), in_, plan_.image);
  }

 private:
  u64 place(const void* data, std::size_t size) { return place_in_image(plan_.image, data, size); }

  // The byte that a residual stands for: of the word itself where that is all there is, otherwise the plane's symbol.
  // In tiles it waits for what restores them.
  u8 finished(u32 residual) const {
    if (is_tiled_) return static_cast<u8>(residual);
    const auto symbol = static_cast<u8>((residual + info_.zero) & ((1u << info_.bits) - 1));
    if (!single_) return symbol;
    u8 word;
    const u8* const planes[] = {&symbol};
    join_planes_into(plan_.format, planes, 1, &word);
    return word;
  }

  void set_map(u32 offset) {
    for (u32 v = 0; v < 256; ++v) map_[v] = finished((v - offset) & ((1u << info_.bits) - 1));
    stream_.map = place(map_.data(), map_.size());
  }

  void add_stored() {
    stream_.code = GpuCode::stored;
    set_map(0);
    const u64 size = (stream_.count * stream_.bits + 7) / 8;
    const Bytes stored = in_.take(size, "raw symbols");
    const u64 used = stream_.count * stream_.bits % 8;
    if (used != 0 && stored.back() >> used != 0)
      throw Error(ErrorKind::corrupt, "frequency table: padding bits are not zero");
    stream_.bytes = place(stored.data(), stored.size());
  }

  void add_constant(u8 symbol) {
    stream_.code = GpuCode::constant;
    stream_.constant = finished(symbol);
  }

  // Chunks and uncoded bits; the words' bytes for high parts go to map_.
  void add_chunks(const StreamLayout& layout) {
    const ChunkIndex index = read_chunk_index(in_, layout);
    stream_.offsets = place(index.offset.data(), index.offset.size() * sizeof(u64));
    stream_.bytes = place(index.bytes.data(), index.bytes.size());
    const LowParts parts(layout.count, layout.low_bits);
    for (int p = 0; p < parts.count; ++p) {
      const u64 size = (p + 1 < parts.count ? parts.offset[p + 1] : parts.size) - parts.offset[p];
      const Bytes section = index.low.subspan(parts.offset[p], size);
      const auto width = static_cast<u64>(parts.part[p].width);
      for (u64 i = layout.count; i * width % 32 != 0; ++i) check_padding(section, i, width);
      stream_.low[width == 4 ? 0 : width == 2 ? 1 : 2] = place(section.data(), section.size());
    }
  }
  // Field i of a section of uncoded bits belongs to no symbol.
  static void check_padding(Bytes section, u64 i, u64 width) {
    const u64 inside = i % (32 / width), byte = i / (32 / width) * 4 + inside % 4;
    if ((section[byte] >> inside / 4 * width & ((1u << width) - 1)) != 0)
      throw Error(ErrorKind::corrupt, "uncoded bits: padding bits are not zero");
  }

  void set_layout(const StreamLayout& layout) {
    stream_.low_bits = static_cast<u8>(layout.low_bits);
    stream_.window = static_cast<u8>(layout.high_bits());
    stream_.log2_chunk = static_cast<u8>(layout.log2_chunk);
    set_map(layout.offset);
    // Offsets and zeros are multiples of 2^low: uncoded bits come through, or are all inverted.
    for (u32 v = 0; v < 256; ++v) {
      const u32 low = v & ((1u << layout.low_bits) - 1);
      if (map_[v] != (map_[v ^ low] ^ low)) unsupported("uncoded bits of this element type");
    }
  }
  u8 field(u32 high) const { return map_[(high << stream_.low_bits) & 0xff]; }

  void add_prefix(bool may_join) {
    if (stream_.count == 0) return;
    const PrefixHeader header = read_prefix_header(in_, info_.bits, stream_.count);
    if (header.kind == PrefixHeader::kStoredRaw) return add_stored();
    if (header.kind == PrefixHeader::kConstant) return add_constant(header.symbol);
    stream_.code = GpuCode::pairs;
    stream_.output = may_join && header.layout.low_bits == 0 ? GpuOutput::joined : GpuOutput::bytes;
    set_layout(header.layout);
    const PairDecodeTable table(header.code);
    std::vector<u32> entries;
    for (const u32 slot : table.slots) {
      const u32 length = slot >> 16 & 31;
      const bool escapes = slot >> 31 != 0;
      entries.push_back(
          length |
          (escapes ? kGpuEscape : gpu_pair_fields(stream_.output, field(slot & 0xff), field(slot >> 8 & 0xff))));
    }
    stream_.table = place(entries.data(), entries.size() * sizeof(u32));
    add_chunks(header.layout);
  }

  void add_rans(bool may_join) {
    if (stream_.count == 0) return;
    const std::optional<RansHeader> header = read_rans_header(in_, info_.bits, stream_.count);
    if (!header) unsupported("rANS with several tables");
    if (header->is_stored) return add_stored();
    const FrequencyTable& frequencies = header->table;
    const auto* const most = std::max_element(frequencies.frequency.begin(), frequencies.frequency.end());
    if (header->is_constant) return add_constant(static_cast<u8>(most - frequencies.frequency.begin()));
    stream_.precision = static_cast<u8>(frequencies.precision);
    const bool is_fused = frequencies.precision <= kGpuMostPrecision && *most <= kGpuMostFrequency;
    stream_.code = is_fused ? GpuCode::rans : GpuCode::wide_rans;
    stream_.output = may_join && header->layout.low_bits == 0 ? GpuOutput::joined : GpuOutput::bytes;
    set_layout(header->layout);
    if (is_fused) {
      std::vector<u32> entries(std::size_t{1} << frequencies.precision);
      for (u32 s = 0; s < 256; ++s) {
        for (u32 i = 0; i < frequencies.frequency[s]; ++i)
          entries[frequencies.start[s] + i] = gpu_rans_entry(frequencies.frequency[s], i, field(s));
      }
      stream_.table = place(entries.data(), entries.size() * sizeof(u32));
    } else {
      std::vector<u8> both(std::size_t{1} << frequencies.precision);
      std::array<u32, 256> ranges{};
      for (u32 s = 0; s < 256; ++s) {
        if (frequencies.frequency[s] == 0) continue;
        std::fill_n(both.begin() + frequencies.start[s], frequencies.frequency[s], static_cast<u8>(s));
        ranges[s] = (frequencies.frequency[s] - 1u) | u32{frequencies.start[s]} << 16;
      }
      const auto* const bytes = reinterpret_cast<const u8*>(ranges.data());
      both.insert(both.end(), bytes, bytes + sizeof ranges);
      stream_.table = place(both.data(), both.size());
    }
    add_chunks(header->layout);
  }

  void add_bit_planes() {
    if (stream_.count == 0) return;
    if (!read_has_bit_planes(in_)) return add_stored();
    stream_.code = GpuCode::bit_planes;
    set_map(0);
    for (int known = 0; known < info_.bits; ++known) {
      const BitPlaneHeader header = read_bit_plane_header(in_, known, stream_.count);
      GpuBitPlane plane{};
      plane.known = static_cast<u8>(known);
      plane.level = static_cast<u8>(header.level);
      std::vector<u16> zeros;
      for (const FrequencyTable& table : header.tables) zeros.push_back(table.frequency[0]);
      plane.table = place(zeros.data(), zeros.size() * sizeof(u16));
      if (header.kind == BitPlaneHeader::Kind::stored) {
        plane.kind = GpuBitPlane::Kind::stored;
        plane.bytes = place(header.packed.data(), header.packed.size());
      } else if (header.kind == BitPlaneHeader::Kind::constant) {
        plane.kind = GpuBitPlane::Kind::constant;
      } else {
        plane.kind = GpuBitPlane::Kind::coded;
        plane.log2_chunk = static_cast<u8>(header.layout.log2_chunk);
        const ChunkIndex index = read_chunk_index(in_, header.layout);
        plane.offsets = place(index.offset.data(), index.offset.size() * sizeof(u64));
        plane.bytes = place(index.bytes.data(), index.bytes.size());
      }
      plan_.bit_planes.push_back(plane);
      ++stream_.passes;
    }
  }

  GpuPlan& plan_;
  ByteReader& in_;
  PlaneInfo info_;
  bool single_ = false, is_tiled_ = false;
  GpuStream stream_;
  std::array<u8, 256> map_;
};

GpuPlan plan_planes(ByteReader& in, const RecordHeader& header, bool may_join, std::vector<u8> image) {
  GpuPlan plan;
  plan.image = std::move(image);
  plan.image.clear();
  plan.rows = header.grid.rows;
  plan.cols = header.grid.cols;
  plan.format = header.format;
  plan.image.reserve(in.remaining() + in.remaining() / 8 + (1 << 16));
  const std::vector<PlaneInfo> layout = plane_layout(header.format);
  if (layout.size() == 1) {
    const std::array<float, 256> values = word_values(header.format);
    plan.values = place_in_image(plan.image, values.data(), sizeof(values));
  }
  Planner planner(plan, in);
  for (std::size_t p = 0; p < layout.size(); ++p) planner.add_plane(header, layout[p], may_join && p == 0);
  const Bytes scales = in.take(header.scale_bytes, "scales");
  plan.scales.assign(scales.begin(), scales.end());
  if (in.remaining() != 0)
    throw Error(ErrorKind::corrupt, fmt::format("tensor record: {} bytes are left over", in.remaining()));
  plan.image.resize(plan.image.size() + kGpuPadding);
  for (GpuStream& stream : plan.streams) stream.size = plan.image.size();
  return plan;
}

}  // namespace

u64 GpuPlan::plane_bytes() const noexcept { return (weights() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment; }

u64 GpuPlan::scratch_planes() const noexcept {
  // Residuals of tiled planes share one.
  return (streams.size() == 1 || is_joined ? 0 : streams.size()) + (tiles.empty() ? 0 : 1);
}

u64 GpuPlan::escape_bytes() const noexcept {
  u64 most = 0;
  for (const GpuTiles& plane : tiles) most = std::max(most, escape_scratch(plane));
  return most;
}

GpuPlan plan_gpu_decode(Bytes record, u64 max_weights, std::vector<u8> image) {
  const Bytes body = checked_record_body(record);
  ByteReader in(body);
  const RecordHeader header = read_record_header(in, max_weights);
  // Tables differ between exponents that are joined and those that are not, and only what follows them decides it.
  const bool may_join = header.is_plain() && header.format == word_format(info(DType::bf16));
  if (may_join) {
    GpuPlan plan = plan_planes(in, header, true, std::move(image));
    if (plan.streams[0].output != GpuOutput::joined) return plan;
    if (plan.streams[1].code == GpuCode::stored) {
      plan.is_joined = true;
      plan.streams[0].beside = plan.streams[1].bytes;
      return plan;
    }
    image = std::move(plan.image);
    in = ByteReader(body);
    read_record_header(in, max_weights);
  }
  return plan_planes(in, header, false, std::move(image));
}

void check_gpu_status(u64 status) {
  const auto fault = static_cast<GpuFault>(status & 0xff);
  if (fault == GpuFault::none) return;
  if (fault > GpuFault::bad_escapes)
    throw Error(ErrorKind::internal, fmt::format("{:#x} is no status that a GPU reports", status));
  constexpr const char* kWhy[] = {"",
                                  "chunk {} ends within its states",
                                  "chunk {} has states that no encoder writes",
                                  "chunk {} does not end as it must",
                                  "transform: block {} has a residual out of range",
                                  "transform: {} escapes are not as many as the symbols that stand for one"};
  throw Error(fault == GpuFault::truncated_states ? ErrorKind::truncated : ErrorKind::corrupt,
              fmt::format(fmt::runtime(kWhy[static_cast<std::size_t>(fault)]), gpu_status_chunk(status)));
}

}  // namespace wcodec
