from safetensors.torch import save_file  # pip install safetensors

# All is (B, L) over response tokens. Of a forward over prompt and response, tokens and masks are [:, prompt:], while logits,
# log-probs and values are [:, prompt - 1 : -1]: the position that produced the token. Masked slots may hold anything.
dump = {
    "response_mask": response_mask,  # 1 where the policy sampled the token: not padding, not the output of a tool
    "scores": scores,  # (B,) the reward model's scalar; or "rewards", (B, L)
    "old_values": old_values,  # V when the rollout was made
    "values": values,  # V now
    "old_log_probs": old_log_probs,  # log pi_old of the sampled tokens
    "log_probs": log_probs,  # log pi now; or "logits" (B, L, vocab) and "actions" (B, L)
    "ref_log_probs": ref_log_probs,  # log pi of the reference model; only a KL needs it
    "returns": returns, "pg_loss": pg_loss, "vf_loss": vf_loss,  # what you computed: any output is checked
}  # fmt: skip
dump = {name: x.detach().cpu().contiguous().clone() for name, x in dump.items()}
save_file(dump, "rollout.safetensors", metadata={"gamma": "1.0", "lam": "0.95"})  # your settings, as text
