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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every prompt there is, with its probability.
    fn prompts() -> Vec<(Vec<usize>, f64)> {
        let mut all = Vec::new();
        for n in SIZES {
            let count = LETTERS.pow(n as u32);
            let letter = |code: usize, place: usize| code / LETTERS.pow(place as u32) % LETTERS;
            let prompt =
                |code| [BAR].into_iter().chain((0..n).map(move |place| letter(code, place))).collect();
            all.extend((0..count).map(|code| (prompt(code), 1.0 / (SIZES.len() * count) as f64)));
        }
        all
    }

    #[test]
    fn the_examples_of_the_page() {
        let prompt = [BAR, 2, 0, 1];
        assert_eq!((text(&prompt), text(&wanted(&prompt))), ("|cab".to_string(), "bac|".to_string()));
        let score = |response: &[usize]| score(&prompt, response);
        assert_eq!(score(&[1, 0, 2, BAR]), MAXIMUM);
        assert_eq!(score(&[1, 0, BAR]), 0.5);
        assert_eq!(score(&[1, 0, 1, BAR]), 0.75);
        assert_eq!(score(&[1, 0, 2, 1, 0, 2]), 0.75);
        assert_eq!(score(&[]), 0.0);
    }

    #[test]
    fn the_halves_are_halves_and_hold_every_size() {
        for n in SIZES {
            let of_size: Vec<_> = prompts().into_iter().filter(|(prompt, _)| prompt.len() == n + 1).collect();
            let unseen = of_size.iter().filter(|(prompt, _)| is_unseen(prompt)).count();
            let share = unseen as f64 / of_size.len() as f64;
            assert!((0.35..0.65).contains(&share), "{unseen} of {} prompts of {n} letters", of_size.len());
        }
        let mut rng = Rng::new(1);
        for _ in 0..100 {
            assert!(is_unseen(&draw(&mut rng, true)) && !is_unseen(&draw(&mut rng, false)));
        }
    }

    /// The best policy that never looks at its prompt, exactly. Such a policy is a mixture of fixed
    /// responses, so the best is a fixed response; its score is a sum over its slots, so with the bar in slot
    /// `bar` (or nowhere) each slot before it holds the letter that is right most often.
    ///
    /// On the prompts as they are drawn for training, and on the worst set of prompts that an evaluation can
    /// have: those of one size alone.
    #[test]
    fn a_policy_that_ignores_its_prompt_gets_less_than_a_third() {
        let best = |prompts: &[(Vec<usize>, f64)]| {
            let gain = |t: usize, token: usize| -> f64 {
                let right = |prompt: &&(Vec<usize>, f64)| wanted(&prompt.0).get(t) == Some(&token);
                prompts.iter().filter(right).map(|(prompt, p)| p / prompt.len() as f64).sum()
            };
            let letter = |t: usize| (0..LETTERS).map(|v| gain(t, v)).fold(0.0, f64::max);
            let stops_at = |bar: usize| (0..bar).map(letter).sum::<f64>() + gain(bar, BAR);
            (0..=T_LEN).map(stops_at).fold(0.0, f64::max)
        };
        let all = prompts();
        let drawn = best(&all);
        println!("ignoring the prompt: {drawn:.4} of {MAXIMUM}");
        assert!(drawn < 0.18 * MAXIMUM, "{drawn}");
        for n in SIZES {
            let one: Vec<_> = all.iter().filter(|(prompt, _)| prompt.len() == n + 1).cloned().collect();
            let scaled: Vec<_> = one.iter().map(|(x, _)| (x.clone(), 1.0 / one.len() as f64)).collect();
            let alone = best(&scaled);
            println!("… where all have {n} letters: {alone:.4}");
            assert!(alone < 0.5 * MAXIMUM, "{n} letters: {alone}");
        }
    }
}
