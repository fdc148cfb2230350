//! What the policy is to learn: to complete a palindrome.
//!
//! A prompt is a bar and a few letters, `|cab`. The response that is wanted reads the prompt backwards,
//! `bac|`, so that both together read the same from either side; the bar ends a response. Its score is the
//! share of the wanted tokens that stand in their place: `bac|` has 1, `ba|` ½, `bab|` ¾, `bacbac` ¾.

use reference::rng::Rng;

/// Letters of the alphabet; token v below it is the v-th letter.
pub const LETTERS: usize = 8;
/// The bar, which begins a prompt and ends a response.
pub const BAR: usize = LETTERS;
/// Tokens to choose from.
pub const VOCAB: usize = LETTERS + 1;
/// How many letters a prompt can have; each number is equally likely.
pub const SIZES: [usize; 3] = [2, 3, 4];
/// The longest prompt, its bar counted.
pub const PROMPT_LEN: usize = 5;
/// The longest response: one token longer than any that is wanted.
pub const T_LEN: usize = 6;
/// The most that a response can score.
pub const MAXIMUM: f64 = 1.0;

/// The response that scores most: the prompt backwards.
pub fn wanted(prompt: &[usize]) -> Vec<usize> {
    prompt.iter().rev().copied().collect()
}

/// The reward: the share of the wanted tokens that stand in their place.
pub fn score(prompt: &[usize], response: &[usize]) -> f64 {
    let wanted = wanted(prompt);
    let right = wanted.iter().zip(response).filter(|(wanted, token)| wanted == token).count();
    right as f64 / wanted.len() as f64
}

/// Whether a prompt is kept from training: a half of them, by one bit of a hash of its tokens.
pub fn is_unseen(prompt: &[usize]) -> bool {
    let tokens: Vec<u64> = prompt.iter().map(|token| *token as u64).collect();
    Rng::of(&tokens).bits() & 1 == 1
}

/// A prompt of the half asked for: a number of letters, then the letters, until one is of that half.
pub fn draw(rng: &mut Rng, unseen: bool) -> Vec<usize> {
    loop {
        let n = SIZES[rng.below(SIZES.len())];
        let prompt: Vec<usize> = [BAR].into_iter().chain((0..n).map(|_| rng.below(LETTERS))).collect();
        if is_unseen(&prompt) == unseen {
            return prompt;
        }
    }
}

/// Tokens as text, `|cab`.
pub fn text(tokens: &[usize]) -> String {
    let letter = |token: &usize| if *token == BAR { '|' } else { (b'a' + *token as u8) as char };
    tokens.iter().map(letter).collect()
}
