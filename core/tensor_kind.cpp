#include "core/tensor_kind.hpp"

#include <algorithm>

namespace wcodec {
namespace {

// A tensor is known by its owner, the last component of its name before `weight`, and where that says too little
// ("dense", "gate", "wo") by a word in the components above. The first row that fits decides.
struct Rule {
  sv owner;
  sv above;  // must occur in the components above; empty: anything
  sv kind;
};

constexpr Rule kRules[] = {
    // Attention of Llama, Qwen, Mistral and most that follow them; llama2.c and Meta's own names; GGUF.
    {"q_proj", "", "attention.q"},
    {"k_proj", "", "attention.k"},
    {"v_proj", "", "attention.v"},
    {"o_proj", "", "attention.o"},
    {"qkv_proj", "", "attention.qkv"},
    {"wq", "", "attention.q"},
    {"wk", "", "attention.k"},
    {"wv", "", "attention.v"},
    {"wqkv", "", "attention.qkv"},
    {"wo", "dense", "mlp.down"},  // T5: DenseReluDense.wo
    {"wo", "mlp", "mlp.down"},
    {"wo", "attn", "attention.o"},
    {"wo", "", "attention.o"},
    {"attn_q", "", "attention.q"},
    {"attn_k", "", "attention.k"},
    {"attn_v", "", "attention.v"},
    {"attn_qkv", "", "attention.qkv"},
    {"attn_output", "", "attention.o"},
    {"attn_proj", "", "attention.o"},
    // DeepSeek's low-rank attention keeps its parts by what they make.
    {"q_a_proj", "", "attention.q"},
    {"q_b_proj", "", "attention.q"},
    {"kv_a_proj_with_mqa", "", "attention.k"},
    {"kv_b_proj", "", "attention.v"},
    // GPT-2, NeoX, Falcon, BLOOM, Phi, MPT.
    {"c_attn", "", "attention.qkv"},
    {"query_key_value", "", "attention.qkv"},
    {"qkv", "", "attention.qkv"},
    {"in_proj_weight", "attn", "attention.qkv"},
    {"c_proj", "attn", "attention.o"},
    {"c_proj", "mlp", "mlp.down"},
    {"c_fc", "", "mlp.up"},
    {"dense_h_to_4h", "", "mlp.up"},
    {"dense_4h_to_h", "", "mlp.down"},
    // BERT and its kin.
    {"query", "", "attention.q"},
    {"q_lin", "", "attention.q"},
    {"k_lin", "", "attention.k"},
    {"v_lin", "", "attention.v"},
    {"out_lin", "", "attention.o"},
    {"dense", "attention", "attention.o"},
    {"dense", "attn", "attention.o"},
    {"dense", "intermediate", "mlp.up"},
    {"dense", "output", "mlp.down"},
    {"lin1", "", "mlp.up"},
    {"lin2", "", "mlp.down"},
    // RWKV: receptance plays the query's part; the channel mix is its MLP.
    {"key", "ffn", "mlp.up"},
    {"value", "ffn", "mlp.down"},
    {"receptance", "ffn", "mlp.gate"},
    {"receptance", "att", "attention.q"},
    {"key", "att", "attention.k"},
    {"value", "att", "attention.v"},
    {"output", "att", "attention.o"},
    {"gate", "att", "recurrent"},
    // T5, BART, OPT, CLIP, diffusers.
    {"q", "attention", "attention.q"},
    {"k", "attention", "attention.k"},
    {"v", "attention", "attention.v"},
    {"o", "attention", "attention.o"},
    {"to_q", "", "attention.q"},
    {"to_k", "", "attention.k"},
    {"to_v", "", "attention.v"},
    {"to_out", "", "attention.o"},
    {"out_proj", "attn", "attention.o"},
    {"out_proj", "attention", "attention.o"},
    {"wi_0", "", "mlp.gate"},
    {"wi_1", "", "mlp.up"},
    {"wi", "", "mlp.up"},
    {"fc1", "", "mlp.up"},
    {"fc2", "", "mlp.down"},
    {"fc_in", "", "mlp.up"},
    {"fc_out", "", "mlp.down"},
    {"linear1", "", "mlp.up"},
    {"linear2", "", "mlp.down"},
    // Routers before gates: `mlp.gate` is a router (Qwen-MoE, DeepSeek), `mlp.gate_proj` is not.
    {"router", "", "router"},
    {"classifier", "router", "router"},
    {"ffn_gate_inp", "", "router"},
    {"ffn_gate_inp_shexp", "", "router"},
    {"shared_expert_gate", "", "router"},
    {"gate", "moe", "router"},
    {"gate", "mlp", "router"},
    {"gate_proj", "", "mlp.gate"},
    {"up_proj", "", "mlp.up"},
    {"down_proj", "", "mlp.down"},
    {"gate_up_proj", "", "mlp.gate_up"},
    {"gate_up", "", "mlp.gate_up"},
    {"w13", "", "mlp.gate_up"},
    {"w1", "", "mlp.gate"},
    {"w2", "", "mlp.down"},
    {"w3", "", "mlp.up"},
    {"gate", "", "mlp.gate"},
    {"up", "", "mlp.up"},
    {"down", "", "mlp.down"},
    {"ffn_gate", "", "mlp.gate"},
    {"ffn_up", "", "mlp.up"},
    {"ffn_down", "", "mlp.down"},
    {"ffn_gate_exps", "", "mlp.gate"},
    {"ffn_up_exps", "", "mlp.up"},
    {"ffn_down_exps", "", "mlp.down"},
    {"ffn_gate_shexp", "", "mlp.gate"},
    {"ffn_up_shexp", "", "mlp.up"},
    {"ffn_down_shexp", "", "mlp.down"},
    // Tables that turn numbers into vectors.
    {"embed_tokens", "", "embedding"},
    {"embed_positions", "", "embedding"},
    {"embed_in", "", "embedding"},
    {"embeddings", "", "embedding"},
    {"embedding", "", "embedding"},
    {"embed", "", "embedding"},
    {"emb", "", "embedding"},
    {"wte", "", "embedding"},
    {"wpe", "", "embedding"},
    {"shared", "", "embedding"},
    {"word_embeddings", "", "embedding"},
    {"position_embeddings", "", "embedding"},
    {"token_type_embeddings", "", "embedding"},
    {"position_embedding", "", "embedding"},
    {"token_embedding", "", "embedding"},
    {"tok_embeddings", "", "embedding"},
    {"tok_emb", "", "embedding"},
    {"token_embd", "", "embedding"},
    {"position_embd", "", "embedding"},
    {"token_types", "", "embedding"},
    {"relative_attention_bias", "", "embedding"},
    {"ple_table", "", "embedding"},
    // The way back to the vocabulary.
    {"lm_head", "", "lm_head"},
    {"embed_out", "", "lm_head"},
    {"wcls", "", "lm_head"},
    {"decoder", "predictions", "lm_head"},
    {"decoder", "lm_head", "lm_head"},
};

// Scales, zero points and orders that belong to packed codes are none of the network's tensors.
constexpr sv kCompanions[] = {"scales", "scale",  "mins",  "submins", "subscales", "d",
                              "dmin",   "qzeros", "zeros", "g_idx",   "absmax"};

// What a tensor's own name is when it says nothing beyond "the values".
constexpr sv kValues[] = {"weight", "codes", "qweight", "kernel", "weight_packed"};

template <std::size_t N>
bool is_one_of(sv text, const sv (&list)[N]) noexcept {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

bool is_number(sv text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool has(sv text, sv word) noexcept { return text.find(word) != sv::npos; }

// Takes the last component off a dotted name.
sv pop(sv& path) noexcept {
  const auto dot = path.rfind('.');
  const sv last = dot == sv::npos ? path : path.substr(dot + 1);
  path = dot == sv::npos ? sv() : path.substr(0, dot);
  return last;
}

// ln, ln1, ln_f, …
bool is_layer_norm(sv owner) noexcept {
  if (has(owner, "norm") || owner.starts_with("rms_")) return true;
  return owner.starts_with("ln") && (owner.size() == 2 || owner[2] == '_' || is_number(owner.substr(2)));
}

bool is_recurrent(sv owner, sv above) noexcept {
  return owner.starts_with("weight_ih") || owner.starts_with("weight_hh") || owner.starts_with("time_") ||
         owner.starts_with("ssm_") || owner == "a_log" || owner == "dt_proj" || owner == "x_proj" ||
         has(owner, "lstm") || has(owner, "gru") || has(above, "lstm") || has(above, "rnn") || has(above, "mixer") ||
         has(above, "mamba");
}

}  // namespace

std::string tensor_kind(sv name, std::size_t dimensions) {
  std::string lower(name.substr(0, 4096));
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '/') c = '.';
  }
  sv above = lower;
  sv owner = pop(above);
  if (is_one_of(owner, kCompanions)) return "other";
  // A matrix called `bias` is a causal mask that an old framework saved.
  if (owner == "bias" || owner.ends_with("_bias") || owner.starts_with("bias_")) {
    return dimensions <= 1 || has(above, "lstm") || has(above, "rnn") ? "bias" : "other";
  }
  while ((is_one_of(owner, kValues) || is_number(owner)) && !above.empty()) owner = pop(above);
  if (is_layer_norm(owner)) return "norm";
  if (has(owner, "conv") || has(owner, "patch_embed") || (has(above, "patch_embed") && dimensions >= 3)) return "conv";
  for (const Rule& rule : kRules) {
    if (owner == rule.owner && (rule.above.empty() || has(above, rule.above))) return std::string(rule.kind);
  }
  // These words mean the vocabulary only at the root of the names (GGUF, llama2.c, RWKV).
  if (above.empty() && (owner == "output" || owner == "head")) return "lm_head";
  if (is_recurrent(owner, above)) return "recurrent";
  return "other";
}

}  // namespace wcodec
