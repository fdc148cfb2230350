"""One step of TRL's experimental PPO trainer, on models of a few thousand parameters with random weights."""

import tempfile

import torch
from inputs import GAMMA, LAM, in_order, last_locals

WORDS, RESPONSE = 9, 10
PAD, END = 0, 1


def trl(seed=16):
    """The last of three epochs over one batch, so that the policy has moved; minibatches are not shuffled."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from transformers import GPT2Config, GPT2ForSequenceClassification, GPT2LMHeadModel, PreTrainedTokenizerFast
    from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

    torch.manual_seed(seed)
    words = {"<pad>": PAD, "<end>": END} | {f"w{i}": i + 2 for i in range(WORDS)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")),
                                        pad_token="<pad>", eos_token="<end>", padding_side="left")
    shape = dict(vocab_size=len(words), n_positions=32, n_embd=16, n_layer=1, n_head=2, pad_token_id=PAD,
                 bos_token_id=END, eos_token_id=END, initializer_range=0.5)
    policy, reference = (GPT2LMHeadModel(GPT2Config(**shape)) for _ in range(2))
    value, reward = (GPT2ForSequenceClassification(GPT2Config(num_labels=1, **shape)) for _ in range(2))
    prompts = Dataset.from_dict({"input_ids": [[2 + (i * j) % WORDS for j in range(1, 5)] for i in range(1, 7)]})
    with tempfile.TemporaryDirectory() as folder:
        config = PPOConfig(
            output_dir=folder, per_device_train_batch_size=6, gradient_accumulation_steps=1, num_mini_batches=1,
            num_ppo_epochs=3, total_episodes=6, response_length=RESPONSE, temperature=0.7, stop_token="eos",
            gamma=GAMMA, lam=LAM, kl_coef=0.05, learning_rate=0.02, lr_scheduler_type="constant", num_sample_generations=0,
            report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no", seed=seed,
        )
        trainer = PPOTrainer(args=config, processing_class=tokenizer, model=policy, ref_model=reference,
                             reward_model=reward, value_model=value, train_dataset=prompts)
        logits, forward = [], ppo_trainer.forward

        def kept(model, *arguments):
            """Their `forward`; the logits are divided in place after it, so a copy is kept from before that."""
            output = forward(model, *arguments)
            if isinstance(output, tuple):
                logits.append(output[0].logits.detach().clone())
            return output

        ppo_trainer.forward = kept
        with in_order():
            step = last_locals(trainer.train)
    shown = logits[-1][:, step["context_length"] - 1 : -1]
    inputs = dict(
        response_mask=~step["padding_mask"], scores=step["scores"], logits=shown, actions=step["responses"],
        old_values=step["mb_values"], values=step["vpred"], old_log_probs=step["mb_logprobs"],
        ref_log_probs=step["ref_logprobs"],
    )
    outputs = dict(
        kl=step["kl"], token_rewards=step["rewards"], whitened=step["mb_advantage"], returns=step["mb_return"],
        log_probs=step["new_logprobs"], entropy=step["entropy"], ratio=step["ratio"], pg_loss=step["pg_loss"],
        vf_loss=step["vf_loss"], total_loss=step["loss"], pg_clipfrac=step["pg_clipfrac"],
        vf_clipfrac=step["vf_clipfrac"],
    )
    # Their mean of ½ d² goes over padding too, where d is 0.
    return inputs | outputs, dict(gamma=GAMMA, lam=LAM, kl_coef=0.05, temperature=0.7 + 1e-7)
