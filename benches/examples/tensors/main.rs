//! Our side of `peers/gpu.py`: the kernels on another framework's tensors, by their addresses and on its stream, as a library that
//! its process loads. Nothing is copied, and no memory is ours but the mask's.
//!
//! ```text
//! ppo_open(on, kind, rows, columns, valid, stream)   a work: rows × columns tokens, or for logits a token a row and no mask
//! ppo_scratch(work)                                  how many f32 of scratch it takes
//! ppo_run(work, addresses)                           asks the stream for it, and comes back
//! ppo_close(work)
//! ppo_said()                                         why the last call gave null or another number than 0
//! ```

#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod exports;
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod work;
