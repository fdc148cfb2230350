use super::{
    rollout::{response, rollout, scored},
    *,
};

fn small() -> Recipe {
    let recipe = Recipe::default();
    Recipe {
        b: 16,
        iterations: 3,
        size: reference::transformer::Size { d_model: 8, d_mlp: 8, ..recipe.size },
        ..recipe
    }
}

/// Two runs of one seed, and one that is taken up from its state in the middle.
#[test]
fn a_run_goes_on_from_its_state_to_the_last_bit() {
    let mut whole = Trainer::new(small(), 5);
    let first = whole.iterate().unwrap();
    let mut taken_up = Trainer { state: whole.state.clone(), ..Trainer::new(small(), 5) };
    let rest = [whole.iterate().unwrap(), whole.iterate().unwrap()];
    assert_eq!(rest, [taken_up.iterate().unwrap(), taken_up.iterate().unwrap()]);
    assert_eq!(whole.state, taken_up.state);
    assert_eq!(Trainer::new(small(), 5).iterate().unwrap(), first);
    assert_ne!(Trainer::new(small(), 6).iterate().unwrap().score, first.score);
}

/// Rows cut short are bootstrapped and not scored; rows that ended or filled the page are scored.
#[test]
fn a_response_is_scored_or_bootstrapped_and_never_both() {
    let mut trainer = Trainer::new(Recipe { b: 128, ..small() }, 2);
    let v = trainer.state.model.w_v.map(|_| 0.5);
    trainer.state.model.w_v = v;
    let (prompts, responses) = rollout(&trainer.recipe, &trainer.state);
    let batch = scored(&prompts, &responses, &responses.mask, &trainer.recipe, &mut trainer.state);
    let (mut cut, mut full, mut stopped) = (0, 0, 0);
    for (row, prompt) in prompts.iter().enumerate() {
        let (score, v_last) = (batch.scores[(row, 0)], batch.ends.v_last[row]);
        match (responses.cut[row], responses.mask.end(row) == task::T_LEN) {
            (true, false) => {
                cut += 1;
                assert!(score == 0.0 && v_last != 0.0);
            }
            (was_cut, _) => {
                if was_cut {
                    full += 1
                } else {
                    stopped += 1
                }
                assert!(v_last == 0.0 && score == task::score(prompt, &response(&responses, row)));
            }
        }
    }
    assert!(cut > 8 && full > 8 && stopped > 8, "{cut} cut, {full} full, {stopped} stopped");
}

#[test]
fn an_evaluation_asks_1024_different_prompts_that_training_never_does() {
    let prompts = unseen_prompts(1);
    let different: std::collections::BTreeSet<_> = prompts.iter().collect();
    assert_eq!((prompts.len(), different.len()), (ASKED, ASKED));
    assert!(prompts.iter().all(|prompt| task::is_unseen(prompt)));
    let trainer = Trainer::new(small(), 1);
    let (asked, _) = rollout(&trainer.recipe, &trainer.state);
    assert!(asked.iter().all(|prompt| !task::is_unseen(prompt)));
}

/// A shortened run: thirty iterations, from what chance gives to past what any policy gets that ignores its
/// prompt (0.18 of the maximum as drawn, less where prompts are longer).
#[test]
fn thirty_iterations_learn_to_look_at_the_prompt() {
    let mut trainer = Trainer::new(Recipe::default(), 1);
    let tau = trainer.recipe.settings.tau;
    let before = evaluate(&trainer.state.model, tau, 1);
    for _ in 0..30 {
        trainer.iterate().unwrap();
    }
    let after = evaluate(&trainer.state.model, tau, 1);
    println!("{before:.4} -> {after:.4}");
    assert!(before < 0.12 && after > 0.5, "{before} -> {after}");
}
