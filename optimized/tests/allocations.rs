//! The passes over logits need no memory that grows with the batch: an allocator that counts sees none at all.

#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use optimized::{
    Backend, Logits, LogitsMut, Mask, TokenOut, TokenStats, token_pass, token_pass_grad,
    token_pass_grad_in_place,
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

struct Counting;

static NUMBER: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        NUMBER.fetch_add(1, SeqCst);
        BYTES.fetch_add(layout.size(), SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and bytes of one forward pass and both gradients of that many tokens.
fn of_passes(on: Backend, tokens: usize, vocab: usize) -> [usize; 2] {
    let logits: Vec<f32> = (0..tokens * vocab).map(|i| (i % 97) as f32 / 10.0).collect();
    let (valid, actions, g) = (vec![true; tokens], vec![1; tokens], vec![0.5; tokens]);
    let [mut logp, mut ent, mut max, mut ln_sum] = [(); 4].map(|()| vec![0.0; tokens]);
    let (mut grad, mut place) = (vec![0.0; tokens * vocab], logits.clone());
    let mask = Mask::padded(&valid, 1, tokens).unwrap();

    let before = [&NUMBER, &BYTES].map(|count| count.load(SeqCst));
    let logits = Logits::new(&logits, vocab).unwrap();
    let out = TokenOut {
        logp: Some(&mut logp),
        ent: Some(&mut ent),
        max: Some(&mut max),
        ln_sum: Some(&mut ln_sum),
        ..TokenOut::default()
    };
    token_pass(on, logits, &actions, &mask, 0.7, 0.7, out).unwrap();
    let stats = TokenStats { ent: &ent, max: &max, ln_sum: &ln_sum, of_ent: None };
    let to = LogitsMut::new(&mut grad, vocab).unwrap();
    token_pass_grad(on, logits, &actions, &mask, 0.7, 0.7, stats, &g, &g, to).unwrap();
    let there = LogitsMut::new(&mut place, vocab).unwrap();
    token_pass_grad_in_place(on, there, &actions, &mask, 0.7, 0.7, stats, &g, &g).unwrap();
    let after = [&NUMBER, &BYTES].map(|count| count.load(SeqCst));
    [after[0] - before[0], after[1] - before[1]]
}

/// One test: another beside it would be counted too. The pool is warm, since a thread of rayon allocates what it
/// keeps for good when it first runs; inside a pool a join lives on the stack.
#[test]
fn a_pass_allocates_nothing_whatever_the_batch() {
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            of_passes(Backend::best(), 4096, 2049);
            for on in Backend::available() {
                for tokens in [64, 4096] {
                    let vocab = if on == Backend::best() { 2049 } else { 100 };
                    assert_eq!(
                        of_passes(on, tokens, vocab),
                        [0, 0],
                        "{on}, {threads} threads, {tokens} tokens"
                    );
                }
            }
        });
    }
}
