//! What was recorded of a stream.

#![expect(unsafe_code, reason = "graphs")]

#[cfg(emulated)]
use super::emulated;
use super::{Device, Kind, Stream, stream::Mode};
use crate::Error;

impl Stream {
    /// Records what `run` asks of this stream, without doing it, as one graph. `run` is called twice: the first time only the
    /// kernels are loaded, which a GPU does not allow while it records.
    ///
    /// # Errors
    ///
    /// What `run` gives; if it copies, allocates or waits; if the stream is being recorded; or if the device fails.
    pub fn record(&self, mut run: impl FnMut(&Stream) -> Result<(), Error>) -> Result<Graph, Error> {
        self.idle("record")?;
        self.mode.replace(Mode::Load);
        let loaded = run(self);
        self.mode.replace(Mode::Run);
        loaded?;
        match self.device.0 {
            #[cfg(emulated)]
            Kind::Emulated => {
                self.mode.replace(Mode::Keep(Vec::new()));
                let done = run(self);
                let kept = self.mode.replace(Mode::Run);
                done?;
                let Mode::Keep(kept) = kept else { return Err(self.device.error("was not recorded".into())) };
                Ok(Graph { device: self.device, kept: Kept::Emulated(kept) })
            }
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => {
                let failed = |said| self.device.error(said);
                gpu.begin(self.handle).map_err(failed)?;
                self.mode.replace(Mode::Record);
                let done = run(self);
                self.mode.replace(Mode::Run);
                // Ended where `run` failed too; what it had recorded goes then.
                let graph = gpu.end(self.handle);
                let graph = graph.map(|graph| Graph { device: self.device, kept: Kept::Nvidia(graph) });
                done?;
                graph.map_err(failed)
            }
        }
    }
}

/// What was asked of a stream, to be done again: a CUDA graph. Settings and places are those it was recorded with; what
/// stands there is read anew.
#[derive(Debug)]
pub struct Graph {
    device: Device,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    #[cfg(emulated)]
    Emulated(Vec<emulated::Launch>),
    /// The driver's handle.
    #[cfg(feature = "cuda")]
    Nvidia(usize),
}

impl Graph {
    /// Does all of it again, after what was asked of the stream before.
    ///
    /// # Errors
    ///
    /// If the stream is another device's or is being recorded, or the device fails.
    ///
    /// # Safety
    ///
    /// Every buffer, view and batch that the recorded calls were given is still there.
    pub unsafe fn replay(&self, on: &Stream) -> Result<(), Error> {
        on.idle("replay")?;
        if self.device.name() != on.device.name() {
            return Err(on.device.error(format!("a graph of {}", self.device.name())));
        }
        match (&self.kept, self.device.0) {
            #[cfg(emulated)]
            (Kept::Emulated(kept), _) => kept.iter().try_for_each(emulated::Launch::run),
            #[cfg(feature = "cuda")]
            (Kept::Nvidia(graph), Kind::Nvidia(gpu)) => gpu.replay(*graph, on.handle),
            #[cfg(all(emulated, feature = "cuda"))]
            _ => Ok(()),
        }
        .map_err(|said| on.device.error(said))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        match (&self.kept, self.device.0) {
            #[cfg(feature = "cuda")]
            (Kept::Nvidia(graph), Kind::Nvidia(gpu)) => gpu.end_graph(*graph),
            #[cfg(emulated)]
            _ => {}
        }
    }
}
