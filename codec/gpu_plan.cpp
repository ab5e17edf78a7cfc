#include "codec/gpu_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/tensor_record.hpp"
#include "entropy/bits.hpp"
#include "entropy/prefix_coder.hpp"
#include "entropy/rans.hpp"
#include "entropy/rans_coder.hpp"
#include "entropy/raw_coder.hpp"

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
    single_ = plane_layout(plan_.format).size() == 1;
    stream_ = {};
    stream_.bits = static_cast<u8>(info.bits);
    stream_.count = plan_.weights();
    const sv coder = header.coder->name;
    if (coder == "raw") {
      add_stored();
    } else if (coder == "prefix") {
      add_prefix(may_join);
    } else if (coder == "rans") {
      add_rans(may_join);
    } else {
      unsupported("this coder");
    }
    plan_.streams.push_back(stream_);
  }

 private:
  u64 place(const void* data, std::size_t size) {
    const u64 at = plan_.image.size();
    const auto* const bytes = static_cast<const u8*>(data);
    plan_.image.insert(plan_.image.end(), bytes, bytes + size);
    plan_.image.resize((plan_.image.size() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment);
    return at;
  }

  // The byte that a residual stands for: of the word itself where that is all there is, otherwise the plane's symbol.
  u8 finished(u32 residual) const {
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

  void add_chunks(const StreamLayout& layout) {
    const ChunkIndex index = read_chunk_index(in_, layout);
    stream_.offsets = place(index.offset.data(), index.offset.size() * sizeof(u64));
    stream_.bytes = place(index.bytes.data(), index.bytes.size());
  }

  void add_prefix(bool may_join) {
    if (stream_.count == 0) return;
    const PrefixHeader header = read_prefix_header(in_, info_.bits, stream_.count);
    if (header.kind == PrefixHeader::kStoredRaw) return add_stored();
    if (header.kind == PrefixHeader::kConstant) return add_constant(header.symbol);
    stream_.code = GpuCode::pairs;
    stream_.low_bits = static_cast<u8>(header.layout.low_bits);
    stream_.log2_chunk = static_cast<u8>(header.layout.log2_chunk);
    const bool is_byte = info_.bits == 8 && (!single_ || plan_.format.number != NumberClass::floating);
    const bool is_added = is_byte && (stream_.low_bits == 2 || stream_.low_bits == 4);
    stream_.output = may_join && stream_.low_bits == 0 ? GpuOutput::joined
                     : stream_.low_bits == 0           ? GpuOutput::bytes
                     : is_added                        ? GpuOutput::added_bits
                                                       : GpuOutput::mapped_bits;
    set_map(header.layout.offset);
    const PairDecodeTable table(header.code);
    std::vector<u32> entries;
    for (const u32 slot : table.slots) {
      const u32 length = slot >> 16 & 31;
      const bool escapes = slot >> 31 != 0;
      entries.push_back(length |
                        (escapes ? kGpuEscape
                                 : gpu_pair_fields(stream_.output, gpu_field(stream_, map_.data(), slot & 0xff),
                                                   gpu_field(stream_, map_.data(), slot >> 8 & 0xff))));
    }
    stream_.table = place(entries.data(), entries.size() * sizeof(u32));
    add_chunks(header.layout);
  }

  void add_rans(bool may_join) {
    if (stream_.count == 0) return;
    const std::optional<RansHeader> header = read_rans_header(in_, info_.bits);
    if (!header) unsupported("rANS with several tables");
    if (header->is_stored) return add_stored();
    const FrequencyTable& frequencies = header->table;
    if (header->is_constant) {
      return add_constant(static_cast<u8>(std::max_element(frequencies.frequency.begin(), frequencies.frequency.end()) -
                                          frequencies.frequency.begin()));
    }
    stream_.precision = static_cast<u8>(frequencies.precision);
    stream_.log2_chunk = static_cast<u8>(header->log2_chunk);
    const RansDecodeTables tables({&frequencies, 1});
    stream_.code = tables.fused() ? GpuCode::rans : GpuCode::wide_rans;
    stream_.output = may_join && tables.fused() ? GpuOutput::joined : GpuOutput::bytes;
    set_map(0);
    if (tables.fused()) {
      std::vector<u32> entries;
      for (const u32 slot : tables.slots) {
        entries.push_back(
            gpu_rans_entry((slot >> 20) + 1, slot >> 8 & 0xfff, gpu_field(stream_, map_.data(), slot & 0xff)));
      }
      stream_.table = place(entries.data(), entries.size() * sizeof(u32));
    } else {
      std::vector<u8> both(tables.symbols.begin(), tables.symbols.begin() + (std::ptrdiff_t{1} << tables.precision));
      const auto* const ranges = reinterpret_cast<const u8*>(tables.ranges.data());
      both.insert(both.end(), ranges, ranges + 256 * sizeof(u32));
      stream_.table = place(both.data(), both.size());
    }
    add_chunks({stream_.count, info_.bits, 0, 0, header->log2_chunk});
  }

  GpuPlan& plan_;
  ByteReader& in_;
  PlaneInfo info_;
  bool single_ = false;
  GpuStream stream_;
  std::array<u8, 256> map_;
};

GpuPlan plan_planes(ByteReader& in, const RecordHeader& header, bool may_join) {
  GpuPlan plan;
  plan.rows = header.grid.rows;
  plan.cols = header.grid.cols;
  plan.format = header.format;
  plan.image.reserve(in.remaining() + in.remaining() / 8 + (1 << 16));
  const std::vector<PlaneInfo> layout = plane_layout(header.format);
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

u64 GpuPlan::scratch_size() const noexcept {
  const u64 a_plane = (weights() + kGpuAlignment - 1) / kGpuAlignment * kGpuAlignment;
  return streams.size() == 1 || is_joined ? 0 : a_plane * streams.size();
}

GpuPlan plan_gpu_decode(Bytes record, u64 max_weights) {
  const Bytes body = checked_record_body(record);
  ByteReader in(body);
  const RecordHeader header = read_record_header(in, max_weights);
  if (!header.is_plain()) unsupported("predicted, tiled or transformed records");
  // Tables differ between exponents that are joined and those that are not, and only what follows them decides it.
  const bool may_join = header.format == word_format(info(DType::bf16));
  if (may_join) {
    GpuPlan plan = plan_planes(in, header, true);
    if (plan.streams[0].output != GpuOutput::joined) return plan;
    if (plan.streams[1].code == GpuCode::stored) {
      plan.is_joined = true;
      plan.streams[0].beside = plan.streams[1].bytes;
      return plan;
    }
    in = ByteReader(body);
    read_record_header(in, max_weights);
  }
  return plan_planes(in, header, false);
}

void check_gpu_status(u64 status) {
  constexpr const char* kWhy[] = {"",
                                  "ends within its states",
                                  "has states that no encoder writes",
                                  "is too short for its uncoded bits",
                                  "does not end as it must",
                                  "has padding bits that are not zero"};
  const auto fault = static_cast<GpuFault>(status & 0xff);
  if (fault == GpuFault::none) return;
  throw Error(fault == GpuFault::truncated_states ? ErrorKind::truncated : ErrorKind::corrupt,
              fmt::format("chunk {} {}", gpu_status_chunk(status), kWhy[static_cast<std::size_t>(fault)]));
}

}  // namespace wcodec
