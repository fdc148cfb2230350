//! A file that is whole at every moment, whatever happens to the process or the machine.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Puts `bytes` in the place of what `path` held: written aside under a fixed name, synced, renamed, and the
/// directory synced. Whoever reads `path` finds the old bytes or the new ones; a file that was left aside by
/// a process that was killed is written over by the next.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = std::ffi::OsString::from(".");
    aside.push(path.file_name().unwrap_or_default());
    aside.push(".part");
    let aside = path.with_file_name(aside);
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder last. Where a folder cannot be opened as a file there is nothing to call.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
