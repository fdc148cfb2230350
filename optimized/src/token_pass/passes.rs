//! The loops over logits for each number format, compiled by this crate once. What is generic is compiled again by every
//! crate that calls it, and on five levels these loops are most of what such a crate would wait for.
#![expect(private_interfaces, reason = "nobody outside can name the trait, whose module is private")]

use super::{
    forward::{Forward, Rooms},
    grad::Backward,
    lanes::{InvTau, Tiles, Triple, row},
    place::Place,
};
use core::ops::Range;
use fearless_simd::{Level, dispatch, prelude::*};
use half::bf16;

/// A number format that has its loops. In a private module, which keeps the choice of formats here.
pub trait Passes: Sized {
    /// [`Forward::block`] on a level.
    fn forward(on: Level, pass: &Forward<'_, Self>, slots: Range<usize>, out: Rooms<'_>);
    /// [`Backward::block`] on a level.
    fn backward(on: Level, pass: &Backward<'_>, slots: Range<usize>, place: Place<'_, Self>);
    /// [`row`] on a level.
    fn tiles<'a>(on: Level, logits: &[Self], inv_tau: f32, tiles: &'a mut Tiles) -> &'a [Triple];
}

macro_rules! passes {
    ($X:ty) => {
        impl Passes for $X {
            fn forward(on: Level, pass: &Forward<'_, $X>, slots: Range<usize>, out: Rooms<'_>) {
                dispatch!(on, simd => simd.vectorize(
                    #[inline(always)]
                    || pass.block(simd, slots, out)
                ));
            }

            fn backward(on: Level, pass: &Backward<'_>, slots: Range<usize>, place: Place<'_, $X>) {
                dispatch!(on, simd => simd.vectorize(
                    #[inline(always)]
                    || pass.block(simd, slots, place)
                ));
            }

            fn tiles<'a>(on: Level, logits: &[$X], inv_tau: f32, tiles: &'a mut Tiles) -> &'a [Triple] {
                dispatch!(on, simd => simd.vectorize(
                    #[inline(always)]
                    || row(simd, logits, InvTau(inv_tau), tiles)
                ))
            }
        }
    };
}

passes!(f32);
passes!(bf16);
