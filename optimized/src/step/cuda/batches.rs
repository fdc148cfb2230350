//! The masks of a step on a device, and how its scratch is shared out.

use crate::{
    Error, Mask, ScoreAt, Settings,
    cuda::{Batch, Stream, ViewMut},
    step::rollout::{unmasked, with_first_pad},
};

/// Where [`Batches::new`] keeps the masks that differ from the caller's: made once, empty.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    valid: Vec<bool>,
    value_valid: Vec<bool>,
}

/// A batch and the settings that it is stepped with, on a device: made once a rollout.
#[derive(Debug)]
pub struct Batches<'a> {
    policy: Batch<'a>,
    /// One slot wider, where the score is paid at the first pad.
    value: Option<Batch<'a>>,
    attended: Option<Batch<'a>>,
    settings: Settings,
}

/// Arrays of one number a slot that an inner epoch keeps in the scratch at most; the rollout phase has fewer.
const ROOMS: usize = 8;

/// Where arrays begin in the scratch: at multiples of so many numbers, so that kernels read four at once.
const APART: usize = 32;

impl<'a> Batches<'a> {
    /// Copies the masks that these settings want to the stream's device. `attended` has the rows of `mask` and is true where any
    /// token is attended, for [`ScoreAt::LastAttended`].
    ///
    /// # Errors
    ///
    /// If the mask is a part of a batch, has more than 2³² slots or rows, the device has no room, or the stream is being
    /// recorded.
    pub fn new(
        on: &Stream,
        mask: &Mask<'a>,
        attended: Option<&Mask<'a>>,
        settings: &Settings,
        slots: &'a mut Slots,
    ) -> Result<Batches<'a>, Error> {
        mask.refuse_part("cuda::step")?;
        let settings = settings.as_listed();
        let Slots { valid, value_valid } = slots;
        let mask = if settings.listing.unmasked { unmasked(*mask, valid) } else { *mask };
        let value = match settings.score_at {
            ScoreAt::FirstPad => Some(Batch::new(on, &with_first_pad(mask, value_valid)?)?),
            _ => None,
        };
        let attended = attended.map(|attended| Batch::new(on, attended)).transpose()?;
        Ok(Batches { policy: Batch::new(on, &mask)?, value, attended, settings })
    }

    /// The mask of policy loss and entropy, after the listing's departures.
    pub fn mask(&self) -> &Mask<'a> {
        self.policy.mask()
    }

    /// The mask of reward, GAE, returns and value loss: one slot wider where the score is paid at the first pad.
    pub fn value_mask(&self) -> &Mask<'a> {
        self.value().mask()
    }

    /// How many f32 any one call of a step takes as scratch for this batch: eight a slot, and what the sums want. What a call
    /// leaves there is of no use to another: calls on one stream may share it.
    pub fn scratch_len(&self) -> usize {
        self.of_terms() + ROOMS * self.apart()
    }

    pub(super) fn policy(&self) -> &Batch<'a> {
        &self.policy
    }

    pub(super) fn value(&self) -> &Batch<'a> {
        self.value.as_ref().unwrap_or(&self.policy)
    }

    pub(super) fn attended(&self) -> Option<&Batch<'a>> {
        self.attended.as_ref()
    }

    /// With the listing's departures applied.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the terms take of the scratch, one after the other.
    fn of_terms(&self) -> usize {
        self.policy.scratch_len().max(self.value().scratch_len()).next_multiple_of(APART)
    }

    fn apart(&self) -> usize {
        self.mask().valid().len().next_multiple_of(APART)
    }

    /// Of the caller's scratch what the terms take, and N arrays of one number a slot.
    pub(super) fn rooms<'s, const N: usize>(
        &self,
        op: &'static str,
        on: &Stream,
        scratch: ViewMut<'s, f32>,
    ) -> Result<(ViewMut<'s, f32>, [ViewMut<'s, f32>; N]), Error> {
        const { assert!(N <= ROOMS) };
        let (got, want) = (scratch.view().len(), self.scratch_len());
        scratch.named("scratch").check(op, on, got.max(want), "number of `scratch_len`")?;
        let (of_terms, rooms) = scratch.split_at(self.of_terms());
        Ok((of_terms, rooms.rooms(self.mask().valid().len(), self.apart())))
    }
}
