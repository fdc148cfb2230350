//! Kernels on a device: an NVIDIA GPU, or an emulation of the CUDA that they are written in. What a term launches stands
//! in its own folder, `kernel.cu` beside `lanes.rs`; this is what all of them need, and what a program needs whose arrays
//! are on the device already.
//!
//! [`Backend::Cuda`](crate::Backend::Cuda) copies each call's arrays to the device and its results back. Where they should
//! stay there: a [`Stream`], new or the caller's; a [`Batch`], which is the mask, copied once; arrays as [`Buffer`]s or, by
//! their addresses, as another framework's ([`View::from_raw`]). The functions here are the terms, with the names of the
//! crate's own and its arguments in its order. Each asks its stream for kernels and comes back: it allocates nothing,
//! copies nothing and waits for nothing. Outputs are the caller's, one number that a loss is among them; what a call needs
//! beside them it takes from the scratch, [`Batch::scratch_len`] numbers that calls on one stream share. So what is asked of a
//! stream may be recorded as one graph ([`Stream::record`]) and replayed. Where the crate's functions refuse what stands in an array
//! (an action outside the vocabulary, a λ outside its range), these do not look, and say what comes of it.
//! [`step`](mod@step) has all of them in one call.
//!
//! ```
//! use optimized::{Agg, Backend, Half, Mask, ValueClip, cuda::{Batch, Buffer, Stream, ValueOut, value_loss}};
//!
//! let mask = Mask::padded(&[true, true, false], 1, 3)?;
//! for on in Backend::available().into_iter().filter(|on| on.is_device()) {
//!     let on = Stream::new(on)?;
//!     let batch = Batch::new(&on, &mask)?;
//!     let (v, ret) = (Buffer::new(&on, &[1.0f32, 0.5, 9.0])?, Buffer::new(&on, &[0.0f32, 0.5, 9.0])?);
//!     let mut scratch = Buffer::room(&on, batch.scratch_len())?;
//!     let mut figures = Buffer::room(&on, 2)?;
//!     let out = ValueOut { per_token: None, grad: None, figures: figures.view_mut() };
//!     let (form, agg, half) = (ValueClip::Off, Agg::TokenSum, Half::Yes);
//!     let (v, ret, scratch) = (v.view(), ret.view(), scratch.view_mut());
//!     value_loss(&on, v, v, ret, &batch, 0.2, form, agg, half, out, scratch)?;
//!     assert_eq!(figures.read(&on)?[0], 0.5);
//! }
//! # Ok::<(), optimized::Error>(())
//! ```

mod batch;
#[cfg(emulated)]
mod emulated;
mod graph;
mod memory;
#[cfg(feature = "cuda")]
mod nvidia;
#[cfg(any(feature = "cuda", test))]
mod prelude;
mod stream;
mod terms;
#[cfg(test)]
mod tests;
mod totals;
mod view;

pub use batch::Batch;
pub use graph::Graph;
pub use memory::{Buffer, Plain};
pub use stream::Stream;
pub use view::{Grad, View, ViewMut};

#[doc(hidden)]
pub use crate::gae::cuda::fma_chain;

pub(crate) use batch::{Each, Rows, Settings, Weight, each};
pub(crate) use memory::{Address, Out};
pub(crate) use totals::{By, Work};
pub(crate) use view::Place;

pub use crate::{
    aggregate::device::{aggregate, aggregate_grad},
    gae::cuda::{Ends, GaeOut, Lambda, gae},
    policy_loss::cuda::{PolicyOut, policy_loss},
    token_pass::cuda::{
        Logits, LogitsMut, TokenOut, TokenStats, token_pass, token_pass_grad, token_pass_grad_in_place,
    },
    total_loss::device::{KlOut, kl_loss, total_loss},
    value_loss::cuda::{ValueOut, value_loss},
    whiten::cuda::whiten,
};
pub use terms::{broadcast_scores, kl, place_scores, returns, reward};

pub(crate) use terms::copy;

/// The training step of arrays that stay on the device: what [`crate::step`] does, asked of a stream in one call.
///
/// Once a rollout, [`Batches`](step::Batches) copies the masks that the settings want. Then [`step()`](step::step) asks for all
/// of it, from scores to the gradient of the logits; or [`rollout_phase`](step::rollout_phase) once and
/// [`inner_epoch`](step::inner_epoch) as often as there are epochs; or, where log π and H are the caller's,
/// [`losses`](step::losses) alone. Each gives the host's bits and takes its scratch from the caller, so that it can be recorded.
///
/// ```
/// use optimized::{Backend, Mask, Settings, cuda::{Buffer, Ends, Logits, LogitsMut, Stream, step::*}};
///
/// // Two rows over a vocabulary of two, the second row one token long.
/// let (mask, settings) = (Mask::padded(&[true, true, true, false], 2, 2)?, Settings::default());
/// for on in Backend::available().into_iter().filter(|on| on.is_device()) {
///     let (on, mut slots) = (Stream::new(on)?, Slots::default());
///     let batches = Batches::new(&on, &mask, None, &settings, &mut slots)?;
///     let scores = Buffer::new(&on, &[1.0f32, -1.0])?;
///     let [logp_old, v] = [[-0.7f32; 4], [0.0; 4]].map(|x| Buffer::new(&on, &x));
///     let (logp_old, v, actions) = (logp_old?, v?, Buffer::new(&on, &[0u32, 1, 0, 0])?);
///     let mut logits = Buffer::new(&on, &[0.0f32; 8])?;
///     let [adv, ret, grad_v] = [(); 3].map(|()| Buffer::<f32>::room(&on, 4));
///     let (mut adv, mut ret, mut grad_v) = (adv?, ret?, grad_v?);
///     let (mut whitened, mut figures) = (Buffer::room(&on, 2)?, Buffer::room(&on, FIGURES)?);
///     let mut scratch = Buffer::room(&on, batches.scratch_len())?;
///
///     let graph = on.record(|on| {
///         let rollout = Rollout {
///             scores: scores.view(),
///             logp_old: logp_old.view(),
///             logp_ref: None,
///             v_old: v.view(),
///             ends: Ends::default(),
///             weights: None,
///         };
///         let place = LogitsMut::strided(logits.view_mut(), 2, 2)?;
///         let heads = Heads { logits: LogitsTo::InPlace(place), actions: actions.view(), v: v.view() };
///         let mut rolled = Rolled {
///             kl: None,
///             token_rewards: None,
///             adv_raw: None,
///             adv: adv.view_mut(),
///             ret: ret.view_mut(),
///             whitened: whitened.view_mut(),
///         };
///         let mut epoch = Epoch {
///             logp: None,
///             ent: None,
///             grad_logp: None,
///             grad_ent: None,
///             grad_v: grad_v.view_mut(),
///             figures: figures.view_mut(),
///         };
///         step(on, &batches, &rollout, heads, &mut rolled, &mut epoch, scratch.view_mut())
///     })?;
///     // SAFETY: every buffer that was recorded is still there.
///     unsafe { graph.replay(&on)? };
///     assert_eq!(ret.read(&on)?[1..], [1.0, -1.0, 0.0]);
///     assert!(logits.read(&on)?[..4].iter().all(|dz| *dz != 0.0));
/// }
/// # Ok::<(), optimized::Error>(())
/// ```
pub mod step {
    pub use crate::step::cuda::{
        Batches, Epoch, FIGURES, Gradients, Heads, LogitsTo, Now, Rolled, Rollout, Slots, Targets,
        inner_epoch, losses, rollout_phase, step,
    };
}

use crate::Error;
use core::fmt;

/// The terms that have a kernel.
pub(crate) const TERMS: &[&str] = &[
    "lanes",
    "log_prob",
    "kl",
    "reward",
    "gae",
    "whiten",
    "returns",
    "policy_loss",
    "value_loss",
    "entropy",
    "token_pass",
    "log_sum_exp",
    "aggregate",
    "total_loss",
    "step",
];

/// A device that this machine has: only detection makes one.
#[derive(Clone, Copy)]
pub struct Device(Kind);

#[derive(Clone, Copy)]
enum Kind {
    #[cfg(emulated)]
    Emulated,
    #[cfg(feature = "cuda")]
    Nvidia(&'static nvidia::Nvidia),
}

impl Device {
    /// What this machine has.
    pub(crate) fn all() -> Vec<Device> {
        let all = [
            #[cfg(feature = "cuda")]
            Device::cuda().ok(),
            #[cfg(emulated)]
            Some(Device(Kind::Emulated)),
        ];
        all.into_iter().flatten().collect()
    }

    /// The GPU, or why there is none.
    #[cfg(feature = "cuda")]
    pub(crate) fn cuda() -> Result<Device, &'static str> {
        nvidia::Nvidia::get().map(|gpu| Device(Kind::Nvidia(gpu)))
    }

    /// Its name as a backend.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => "cuda-emulation",
            #[cfg(feature = "cuda")]
            Kind::Nvidia(_) => "cuda",
        }
    }

    pub(crate) fn error(self, said: String) -> Error {
        Error::Device { op: "device", backend: self.name(), said }
    }

    fn alloc(self, bytes: usize) -> Result<u64, Error> {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => emulated::alloc_bytes(bytes),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.alloc(bytes),
        }
        .map_err(|said| self.error(format!("no room for {bytes} bytes: {said}")))
    }

    fn free(self, address: u64, bytes: usize) {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => emulated::free(address, bytes),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.free(address, bytes),
        }
    }

    /// # Safety
    ///
    /// `from` holds so many bytes, and so does the device from `to` on.
    #[expect(unsafe_code, reason = "device memory")]
    unsafe fn copy(self, from: *const u8, to: u64, bytes: usize) -> Result<(), Error> {
        match self.0 {
            #[cfg(emulated)]
            // SAFETY: as the caller says.
            Kind::Emulated => unsafe { emulated::copy(from, to, bytes) },
            #[cfg(feature = "cuda")]
            // SAFETY: as the caller says.
            Kind::Nvidia(gpu) => unsafe { gpu.copy(from, to, bytes) },
        }
        .map_err(|said| self.error(format!("copying {bytes} bytes to it: {said}")))
    }

    /// # Safety
    ///
    /// `to` has room for so many bytes, and the device holds them from `from` on.
    #[expect(unsafe_code, reason = "device memory")]
    unsafe fn copy_back(self, from: u64, to: *mut u8, bytes: usize) -> Result<(), Error> {
        match self.0 {
            #[cfg(emulated)]
            // SAFETY: as the caller says.
            Kind::Emulated => unsafe { emulated::copy_back(from, to, bytes) },
            #[cfg(feature = "cuda")]
            // SAFETY: as the caller says.
            Kind::Nvidia(gpu) => unsafe { gpu.copy_back(from, to, bytes) },
        }
        .map_err(|said| self.error(format!("copying {bytes} bytes from it: {said}")))
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
